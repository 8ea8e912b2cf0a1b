"""The tables of a bench file that name things: the bench, its timing, its instruments, its health readings."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from drivers.bench.channels import OwnChannels
from drivers.bench.finding import find_role
from drivers.bench.mistakes import Mistakes
from drivers.bench.quantities import Levels, Limits, Scale
from drivers.bench.roles import Actuators, Detectors, Inputs, Instrument
from drivers.bench.units import NotNegative, Number, Positive, Quantities, QuantityTable
from ffzero_lab.device import PARK_DEADLINE_S, Topology

Name = Annotated[str, Field(min_length=1)]


class Table(BaseModel):
    """A table whose keys are all known."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class BenchTable(Table):
    """What stands on the table."""

    name: Name
    """Name of the device, for people."""
    serial_number: Name
    """Serial number of the chip or lattice: a run goes on with this one only."""
    kind: Name
    """``photonic``, ``mechanical``, ``crossbar``, or another word."""
    topology: Topology = "reinjected"
    """``cascaded``: patterns enter the first layer and go on by themselves; ``reinjected``: every layer has inputs."""
    shared_hardware: bool = False
    """Whether the layers are one piece of hardware that is written anew for each; channels may then serve them all."""
    power_budget_w: Positive | None = None
    """Most power that all actuators may draw together."""
    lock: Name | None = None
    """Name that all bench files of the same instruments share, so that they exclude each other; None: serial number."""


class TimingTable(Table):
    """How long things take; `ffzero-lab devices check --energise` measures it."""

    settle_s: NotNegative = 0.0
    """Pause after writing parameters."""
    shot_settle_s: NotNegative = 0.0
    """Pause between presenting a pattern and reading it."""
    write_s: NotNegative | None = None
    """One write of all parameters of a layer, settling included; None: the pause alone."""
    shot_s: NotNegative | None = None
    """One pattern presented and read; None: the pause alone."""
    park_s: Annotated[float, Field(gt=0.0, le=600.0, allow_inf_nan=False)] = PARK_DEADLINE_S
    """Longest time for parking; each instrument has 0.3 of it, in which its driver also repeats what was lost."""
    imitates: str = ""
    """Where these numbers come from."""

    @model_validator(mode="after")
    def _includes_the_pauses(self) -> Self:
        for key, pause, most in (
            ("write_s", self.settle_s, self.write_s),
            ("shot_s", self.shot_settle_s, self.shot_s),
        ):
            if most is not None and most < pause:
                raise ValueError(f"{key} = {most} includes the pause of {pause} s and cannot be less")
        return self


class HealthTable(Table):
    """A reading of an instrument's own state, with the bounds that it must keep."""

    instrument: Name
    """Name of the actuators, inputs or detectors that report it."""
    reading: Name
    """Name of the reading, as the instrument's driver calls it."""
    unit: Name
    """Unit of the reading and its bounds."""
    lower: Number | None = None
    """Smallest reading that is allowed."""
    upper: Number | None = None
    """Largest reading that is allowed."""


class EmulationTable(Table):
    """A twin behind emulated instruments, to rehearse without hardware."""

    twin: Name = "twin:photonic"
    """The twin, by the name of its driver, or ``module:Class``."""
    options: dict[str, Any] = {}
    """Its options."""
    instruments: dict[str, dict[str, Any]] = {}
    """What the emulated instruments are beside what the file says of them, by name, such as ``unit = "W"``."""


class InstrumentTable(QuantityTable):
    """An instrument: what the bench knows of it. Every other key belongs to its driver."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)
    role: ClassVar[type[Instrument]]

    driver: Name
    """Role driver: the name of an installed one, or ``module:Class``."""
    link: Name | None = None
    """Which of ``[links]`` leads to the instrument; several instruments may share one."""
    channels: OwnChannels
    """How many channels it has, counted from 1, or which: ``64``, ``"0-63"``."""

    @property
    def role_class(self) -> type[Instrument]:
        """The class that drives the instrument."""
        return find_role(self.driver, self.role)

    @property
    def settings(self) -> BaseModel:
        """The driver's own configuration."""
        return self.role_class.Config.model_validate(self.model_extra or {})

    def find_mistakes(self, mistakes: Mistakes) -> None:
        """Add what the driver finds wrong with its own keys."""
        try:
            config = self.role_class.Config
        except ValueError as error:
            mistakes.add("driver", given=self.driver, says=str(error))
            return
        try:
            config.model_validate(self.model_extra or {})
        except ValidationError as error:
            mistakes.take(error, allowed=[*self.keys(), *config.model_fields])


class ActuatorsTable(InstrumentTable):
    """An instrument that sets parameters."""

    role: ClassVar[type[Instrument]] = Actuators
    quantities: ClassVar[type[Quantities]] = Limits

    stated: Limits


class InputsTable(InstrumentTable):
    """An instrument that presents patterns."""

    role: ClassVar[type[Instrument]] = Inputs
    quantities: ClassVar[type[Quantities]] = Levels

    stated: Levels
    memory: Annotated[int, Field(ge=0, strict=True)] = 0
    """Patterns that its memory holds; 0: patterns are sent one by one."""


class DetectorsTable(InstrumentTable):
    """An instrument that reads outputs."""

    role: ClassVar[type[Instrument]] = Detectors
    quantities: ClassVar[type[Quantities]] = Scale

    stated: Scale


AnyInstrumentTable = ActuatorsTable | InputsTable | DetectorsTable
