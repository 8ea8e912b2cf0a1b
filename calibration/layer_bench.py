"""One layer of a device as a procedure gets it: each part is kept as soon as it is measured, and checked on the way."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from calibration.journal import Arrays, Journal
from calibration.plausibility import Darkness, check_darkness, check_resistances, darkness
from calibration.procedure import Sweep, standing_at
from ffzero_lab.device import Guarded, LayerDescription
from ffzero_lab.device.record import Quantity


@dataclass
class LayerBench:
    """See `calibration.procedure.Bench`.

    ``state`` returns what is to be kept of the device behind each part, ``told`` shows a message to a person.
    """

    device: Guarded
    layer: int
    procedure: str
    seed: int
    journal: Journal
    state: Callable[[], Arrays]
    told: Callable[[str], None]
    known: Mapping[str, Quantity] = field(default_factory=dict[str, Quantity])
    dead: Mapping[int, str] = field(default_factory=dict[int, str])
    dead_outputs: Mapping[int, str] = field(default_factory=dict[int, str])
    part_kept: Callable[[str], None] | None = None
    """Told of every part that was measured, in place of ``told``."""

    @property
    def described(self) -> LayerDescription:
        """The layer's description."""
        return self.device.description.layers[self.layer]

    def kept(self, name: str, measure: Callable[[], Sweep]) -> Sweep:
        """Return the arrays of a part; measured now, it is judged for plausibility before it counts.

        Behind it all layers are parked, which is part of the state that is kept: so that every part begins parked,
        whether the calibration was interrupted or not. Raises ImplausibleReading, and whatever *measure* raises: the
        part is then not kept.
        """
        key = f"{self.layer}/{self.procedure}/{name}"
        part = self.journal.part(key)
        if part is None:
            before = self._darkness_before()
            with self.device.ledger.spending_on("calibration"):
                # in the order of a part that is read from its file: sums of the same numbers then come to the same bits
                part = {array: np.asarray(values, order="C") for array, values in measure().items()}
                check_resistances(self.device, self.layer, self.known)
                if before is not None:
                    check_darkness(self.device, self.layer, before)
                self._park()
            self.journal.keep(key, part, self.state())
            (self.part_kept or self.told)(self._placed(name))
        return part

    def rng(self, purpose: int) -> Generator:
        """Return a generator keyed by the seed, the procedure, the layer and *purpose*."""
        return np.random.default_rng([self.seed, zlib.crc32(self.procedure.encode()), self.layer, purpose])

    def tell(self, message: str) -> None:
        """Show a message with where it comes from."""
        self.told(self._placed(message))

    def _placed(self, message: str) -> str:
        return f"layer {self.layer}  {self.procedure}  {message}"

    def heed(self) -> None:
        """Raise what a signal or an interlock asks for, as before every exchange with the device."""
        if self.device.before_exchange is not None:
            self.device.before_exchange()

    def _park(self) -> None:
        """Park as slowly as the slew limits ask for: the driver's own way may be a jump, as an emergency needs it."""
        if np.isfinite(self.described.per_parameter("slew_per_s")).any():
            self.device.write_parameters(self.layer, standing_at(self.described))
        self.device.park()

    def _darkness_before(self) -> Darkness | None:
        """Return the light at no drive as it was before the first part of this layer; None where there is none."""
        if self.device.description.kind != "photonic":
            return None
        key = f"{self.layer}/plausibility/darkness"
        part = self.journal.part(key)
        if part is None:
            with self.device.ledger.spending_on("calibration"):
                part = {"sum": darkness(self.device, self.layer).as_array()}
            self.journal.keep(key, part, self.state())
        total, uncertainty = part["sum"].tolist()
        return Darkness(total, uncertainty)
