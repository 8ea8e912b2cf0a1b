"""A guarded device behind its calibration record: phases or stiffness are written instead of volts."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device.actuation import Actuation
from ffzero_lab.device.belonging import refuse_foreign
from ffzero_lab.device.counts import Ledger
from ffzero_lab.device.effects import in_effects
from ffzero_lab.device.errors import CalibrationMissing, LimitViolation
from ffzero_lab.device.guard import Guarded
from ffzero_lab.device.limits import SetpointLimits
from ffzero_lab.device.link_tally import LinkTally
from ffzero_lab.device.port import Adjoint, Device, FloatArray, Patterns, RowIndex
from ffzero_lab.device.readout import Readout
from ffzero_lab.device.record import CalibrationRecord, Transfer


class Calibrated(Device):
    """A device whose parameters are effects, such as phases, and whose outputs are corrected by a record.

    Every setpoint passes the guard below in raw units: what it refuses is not written, and nothing is ever clipped.
    Crosstalk is compensated, and the settings of a slope stay on one branch of the period. Parameters that the record
    calls dead stay where parking leaves them; outputs that it calls dead are left out, with the inputs of the next
    layer that would carry them.

    Parameters
    ----------
    guard
        The device in raw units.
    record
        What is known of it.

    Raises
    ------
    CalibrationMissing
        When the record is of another device, of other layers or of another drive, or says too little.
    """

    def __init__(self, guard: Guarded, record: CalibrationRecord) -> None:
        self.guard, self.record, self.clock = guard, record, guard.clock
        raw = guard.description
        refuse_foreign(record, raw)
        self._actuations: list[Actuation] = []
        self._readouts: list[Readout] = []
        transfers: list[Transfer] = []
        for number, (layer, described) in enumerate(zip(record.layers, raw.layers, strict=True)):
            try:
                transfers.append(_transfer_of(layer.transfer))
                self._actuations.append(Actuation(transfers[-1], described, layer.dead))
                self._readouts.append(Readout(layer, described))
            except CalibrationMissing as missing:
                raise CalibrationMissing(
                    f"the calibration record does not fit {raw.name}, layer {number}: {missing}"
                ) from None
        self._fed = [self._inputs_left(number) for number in range(len(raw.layers))]
        self.description = in_effects(raw, transfers, self._actuations, self._readouts, self._fed)
        self._limits = SetpointLimits(self.description)

    @property
    def driver(self) -> Device:
        """The driver behind the guard, in raw units."""
        return self.guard.driver

    @property
    def ledger(self) -> Ledger:
        """What was spent so far."""
        return self.guard.ledger

    @property
    def before_exchange(self) -> Callable[[], None] | None:
        """Called before every exchange with the driver."""
        return self.guard.before_exchange

    @before_exchange.setter
    def before_exchange(self, call: Callable[[], None] | None) -> None:
        self.guard.before_exchange = call

    @property
    def saturated(self) -> int:
        """Raw readings at or above full scale so far, those of dead outputs included."""
        return self.guard.saturated

    @saturated.setter
    def saturated(self, count: int) -> None:
        self.guard.saturated = count

    @property
    def saturated_at(self) -> set[str]:
        """Which outputs of the device these were, by layer and name."""
        return self.guard.saturated_at

    @saturated_at.setter
    def saturated_at(self, outputs: set[str]) -> None:
        self.guard.saturated_at = outputs

    def load_inputs(self, layer: int, patterns: Patterns) -> None:
        """Stage *patterns* (S, n_in); inputs that would carry a dead output stay at their value nearest to zero."""
        fed = self._fed[self._known(layer)]
        if fed is not None:
            self._limits.check_patterns(layer, patterns)
            raw = self.guard.description.layers[layer]
            rest = min(max(0.0, raw.input_lower), raw.input_upper)
            full = np.full((len(patterns), raw.n_inputs), rest, dtype=patterns.dtype)
            full[:, fed] = patterns
            patterns = full
        self.guard.load_inputs(layer, patterns)

    def write_parameters(self, layer: int, values: FloatArray) -> None:
        """Bring the effects *values* (P,) about; raises LimitViolation and then writes nothing."""
        self.guard.write_parameters(layer, self.setpoints(layer, values[np.newaxis])[0])

    def check_parameters(self, layer: int, values: FloatArray) -> None:
        """Raise LimitViolation when *values* (P,) could not be written with all other layers parked."""
        self.guard.check_parameters(layer, self.setpoints(layer, values[np.newaxis])[0])

    def read_outputs(self, layer: int, rows: RowIndex) -> FloatArray:
        """Read staged *rows*, corrected; raises what the guard raises."""
        return self._readouts[self._known(layer)].corrected(self.guard.read_outputs(layer, rows))

    def probe(self, layer: int, settings: FloatArray, rows: RowIndex) -> FloatArray:
        """Measure *settings* (K, P) in order, those of a slope on the branch of their centre."""
        outputs = self.guard.probe(layer, self.setpoints(layer, settings), rows)
        return self._readouts[layer].corrected(outputs)

    def setpoints(self, layer: int, settings: FloatArray) -> FloatArray:
        """Return the raw setpoints (K, P) for effects (K, P); raises LimitViolation for what has none."""
        actuation = self._actuations[self._known(layer)]
        self._limits.check_settings(layer, settings)
        try:
            return actuation.setpoints(settings)
        except LimitViolation as refusal:
            raise LimitViolation(f"{self.description.name}, layer {layer}: {refusal}") from None

    def read_parameters(self, layer: int) -> FloatArray | None:
        """Return the effects (P,) of the setpoints that the hardware reports, or None."""
        reported = self.guard.read_parameters(layer)
        return None if reported is None else self._actuations[layer].effects(reported)

    def read_health(self) -> Mapping[str, float]:
        """Return the health readings by channel name."""
        return self.guard.read_health()

    def link_tallies(self) -> Mapping[str, LinkTally]:
        """Return what each link to the hardware has seen; exchanges nothing."""
        return self.guard.link_tallies()

    def snapshot(self) -> dict[str, NDArray[Any]] | None:
        """Return the exact state of a twin, else None."""
        return self.guard.snapshot()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Put the exact state of a twin back; raises ValueError for another device."""
        self.guard.restore(state)

    def exact_slopes(
        self, layer: int, values: FloatArray, rows: RowIndex, slope_of: Callable[[FloatArray], FloatArray]
    ) -> FloatArray:
        """Return ∂L/∂(effects) (P,) of a twin, by the chain rule; see :class:`ffzero_lab.device.Adjoint`.

        Effects are what the record takes them for. Raises TypeError for a device that cannot tell.
        """
        if not isinstance(self.driver, Adjoint):
            raise TypeError(f"{self.description.name} cannot tell exact slopes")
        actuation, readout = self._actuations[layer], self._readouts[layer]

        def slope_of_readings(outputs: FloatArray) -> FloatArray:
            return readout.slopes_in_readings(slope_of(readout.corrected(outputs)))

        setpoints = self.setpoints(layer, values[np.newaxis])[0]
        return actuation.slopes(setpoints, self.driver.exact_slopes(layer, setpoints, rows, slope_of_readings))

    def park(self) -> None:
        """Park the device."""
        self.guard.park()

    def close(self) -> None:
        """Park, then release the hardware."""
        self.guard.close()

    def _known(self, layer: int) -> int:
        last = len(self._actuations) - 1
        if not 0 <= layer <= last:
            raise LimitViolation(f"{self.description.name} has no layer {layer}; its layers are 0 to {last}")
        return layer

    def _inputs_left(self, layer: int) -> NDArray[np.intp] | None:
        """Return the inputs of *layer* that live outputs of the one before it are carried into; None: all."""
        raw = self.guard.description
        if layer == 0 or raw.topology == "cascaded":
            return None
        live, before = self._readouts[layer - 1].live, raw.layers[layer - 1]
        carried = raw.layers[layer].n_inputs == before.n_outputs
        return live if carried and len(live) < before.n_outputs else None


Protected = Guarded | Calibrated
"""A device behind its limits, in raw units or in effects."""


def _transfer_of(transfer: Transfer | None) -> Transfer:
    if transfer is None:
        raise CalibrationMissing("it does not say what the actuators do; calibrate it as a whole")
    return transfer
