"""From readings to what arrived: dark offset, or zero, and gain of each output taken out, dead outputs left out."""

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device.description import LayerDescription
from ffzero_lab.device.errors import CalibrationMissing
from ffzero_lab.device.record import LayerRecord

FloatArray = NDArray[np.float64]

DARK = ("offsets.dark", "detectors.dark", "sensors.offset")
GAIN = ("offsets.output_gain", "detectors.gain", "actuators.output_gain")
"""Names in a record, the joint fit before the single measurement."""


class Readout:
    """Corrects the outputs of one layer: (reading − dark)/gain, gains relative to the mean of the live outputs.

    What is saturated is judged by the guard, on raw readings, before they come here. Where a record knows the dark
    offset, or the gain, of no output, all are taken as they are; where it knows that of some it must know the others.
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
        dark, gain = (self._known_of(record, names, raw) for names in (DARK, GAIN))
        known = gain[self.live]
        if np.any(known <= 0.0):
            output = raw.output_name(int(self.live[np.flatnonzero(known <= 0.0)[0]]))
            raise CalibrationMissing(f"{output} has a gain that is not positive, and is not marked dead")
        self._dark = np.nan_to_num(dark[self.live], nan=0.0)
        self._gain = np.nan_to_num(known / known.mean(), nan=1.0)
        self._as_it_is = not dead and not self._dark.any() and bool(np.all(self._gain == 1.0))

    def _known_of(self, record: LayerRecord, names: tuple[str, ...], raw: LayerDescription) -> FloatArray:
        """Return the first of the quantities *names* that knows a live output (n_raw,); NaN where none does."""
        for name in (name for name in names if name in record.quantities):
            values = record.quantities[name].array
            if len(values) != raw.n_outputs:
                raise CalibrationMissing(f"the record is of {len(values)} outputs, the layer has {raw.n_outputs}")
            unknown = self.live[~np.isfinite(values[self.live])]
            if 0 < len(unknown) < len(self.live):
                raise CalibrationMissing(
                    f"{raw.output_name(int(unknown[0]))} is not marked dead, but its {name} is not known while that of "
                    "others is; calibrate again"
                )
            if not len(unknown):
                return values
        return np.full(raw.n_outputs, np.nan)

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
