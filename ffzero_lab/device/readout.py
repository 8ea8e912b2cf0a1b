"""From readings to what arrived: dark offset, or zero, and gain of each output taken out, dead outputs left out."""

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device.description import LayerDescription
from ffzero_lab.device.errors import CalibrationMissing
from ffzero_lab.device.record import LayerRecord, Quantity

FloatArray = NDArray[np.float64]

DARK = ("offsets.dark", "detectors.dark", "sensors.offset")
GAIN = ("offsets.output_gain", "detectors.gain", "actuators.output_gain")
"""Names in a record, the joint fit before the single measurement."""


class Readout:
    """Corrects the outputs of one layer: (reading − dark)/gain, gains relative to the mean of the live outputs.

    What is saturated is judged by the guard, on raw readings, before they come here.
    """

    def __init__(self, record: LayerRecord, raw: LayerDescription) -> None:
        dead = {*record.dead_outputs}
        if any(not 0 <= output < raw.n_outputs for output in dead):
            raise CalibrationMissing(f"the record's dead outputs {sorted(dead)} are none of 0 to {raw.n_outputs - 1}")
        if dead and len(raw.output_shape) > 1:
            raise CalibrationMissing(
                f"outputs {sorted(dead)} are dead, and outputs of shape {raw.output_shape} cannot go without them"
            )
        if len(dead) == raw.n_outputs:
            raise CalibrationMissing("every output of the layer is dead")
        self.live = np.setdiff1d(np.arange(raw.n_outputs), np.array(sorted(dead), dtype=np.intp))
        """Indices of the outputs that see something, ascending."""
        self._n_raw = raw.n_outputs
        dark, gain = _first(record, DARK, raw.n_outputs), _first(record, GAIN, raw.n_outputs)
        known = gain[self.live]
        if np.any(known <= 0.0):
            output = raw.output_name(int(self.live[np.flatnonzero(known <= 0.0)[0]]))
            raise CalibrationMissing(f"{output} has a gain that is not positive, and is not marked dead")
        self._dark = np.nan_to_num(dark[self.live], nan=0.0)
        mean = known[np.isfinite(known)].mean() if np.isfinite(known).any() else 1.0
        self._gain = np.nan_to_num(known / mean, nan=1.0)
        self._as_it_is = not dead and not self._dark.any() and bool(np.all(self._gain == 1.0))

    def corrected(self, outputs: FloatArray) -> FloatArray:
        """Return the live outputs (…, n) of readings (…, n_raw)."""
        return outputs if self._as_it_is else (outputs[..., self.live] - self._dark) / self._gain

    def slopes_in_readings(self, slopes: FloatArray) -> FloatArray:
        """Carry slopes in the corrected outputs (…, n) back to the readings (…, n_raw)."""
        carried = np.zeros((*slopes.shape[:-1], self._n_raw))
        carried[..., self.live] = slopes / self._gain
        return carried

    def bounds(self, upper: float, floor: float) -> tuple[float, float]:
        """Return full scale, where the first output saturates, and the floor of the least sensitive one, corrected."""
        return float(((upper - self._dark) / self._gain).min()), float(floor / self._gain.min())


def _first(record: LayerRecord, names: tuple[str, ...], count: int) -> FloatArray:
    """Return the first of the quantities *names* that the record has (count,); NaN where it says nothing."""
    found: Quantity | None = next((record.quantities[name] for name in names if name in record.quantities), None)
    if found is None:
        return np.full(count, np.nan)
    if len(found.values) != count:
        raise CalibrationMissing(f"the record is of {len(found.values)} outputs, the layer has {count}")
    return found.array
