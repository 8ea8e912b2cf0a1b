"""``identify``: asks who is there; energises nothing."""

from typing import ClassVar, Literal

from ffzero_lab.device import Inspectable
from ffzero_lab.errors import InputError
from protocols.planning import Look, Planned
from protocols.schema import Results, Step
from protocols.work import Work


class Identified(Results):
    """What ``identify`` finds."""

    device: str
    """Name of the device."""
    serial_number: str
    """As its description has it."""
    kind: str
    """Photonic, mechanical or crossbar."""
    layers: int
    """Number of layers."""
    parameters: int
    """Of all layers together."""
    instruments: dict[str, str]
    """What each instrument answered."""


class Identify(Step):
    """Ask every instrument who it is."""

    found: ClassVar[type[Results]] = Identified
    energises: ClassVar[bool] = False

    kind: Literal["identify"] = "identify"
    serial_number: str | None = None
    """The one that is expected; None: any."""

    def plan(self, look: Look) -> Planned:
        """Return the plan; raises InputError for another device than is expected."""
        self._check(look.device.description.serial_number)
        return Planned(touches=("asks every instrument who it is; switches nothing on",))

    def run(self, work: Work) -> Identified:
        """Ask; raises InputError for another device than is expected."""
        guard = work.shift.guard
        description = guard.description
        self._check(description.serial_number)
        driver = guard.driver
        identities = dict(driver.identify()) if isinstance(driver, Inspectable) else {}
        for name, identity in identities.items():
            work.tell(f"{name}: {identity}")
        parameters = sum(layer.n_parameters for layer in description.layers)
        work.tell(f"{description.name}, serial number {description.serial_number}, {parameters} parameters")
        return Identified(
            device=description.name,
            serial_number=description.serial_number,
            kind=description.kind,
            layers=len(description.layers),
            parameters=parameters,
            instruments=identities,
        )

    def _check(self, serial_number: str) -> None:
        if self.serial_number is not None and serial_number != self.serial_number:
            raise InputError(f"the device has the serial number {serial_number}, expected is {self.serial_number}")
