"""What stands between two reinjected layers: a frozen rule that turns outputs into the next layer's inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import LayerDescription

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Carry:
    """Each pattern divided by its largest magnitude fills the next layer's range.

    Signed inputs: x' = upper · z / max|z|. Inputs of one sign: x' = lower + (upper − lower) · max(z, 0) / max z; a
    negative reading of an intensity is noise and counts as zero.

    For intensities this is x' = z / max z driving the amplitude: detection is the nonlinearity between the layers.
    A pattern without any positive reading stays dark.

    The maps of several channels are brought to one level before: less the channel's mean, over its standard deviation,
    both measured once when the layer is frozen; what is of one sign keeps its sign and is only scaled.

    Attributes
    ----------
    lower, upper
        Range of the next layer's inputs, in their unit; symmetric around zero for signed ones.
    mean, deviation
        (K,) of each channel's outputs over the training part; empty where outputs are taken as they are.
    """

    lower: float
    upper: float
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()

    @classmethod
    def into(cls, described: LayerDescription) -> "Carry":
        """Return the carry that fills the input range of the layer *described*."""
        if described.input_lower >= 0.0:
            return cls(described.input_lower, described.input_upper)
        reach = min(-described.input_lower, described.input_upper)
        return cls(-reach, reach)

    def levelled(self, outputs: FloatArray, channels: int) -> "Carry":
        """Return the carry with the levels of *channels* measured on outputs (S, n); one channel needs none."""
        if channels == 1:
            return self
        by_channel = outputs.reshape(len(outputs), channels, -1)
        deviation = by_channel.std(axis=(0, 2))
        deviation[deviation == 0.0] = 1.0
        mean = by_channel.mean(axis=(0, 2)) if self.lower < 0.0 else np.zeros(channels)
        return replace(self, mean=tuple(mean.tolist()), deviation=tuple(deviation.tolist()))

    def apply(self, outputs: FloatArray) -> FloatArray:
        """Turn outputs (S, n) into the next layer's inputs (S, n)."""
        if self.mean:
            by_channel = outputs.reshape(len(outputs), len(self.mean), -1)
            mean, deviation = (np.array(level)[:, np.newaxis] for level in (self.mean, self.deviation))
            outputs = ((by_channel - mean) / deviation).reshape(outputs.shape)
        driven = outputs if self.lower < 0.0 else np.maximum(outputs, 0.0)
        start = max(self.lower, 0.0)
        peak = np.abs(driven).max(axis=1, keepdims=True)
        scale = np.divide(self.upper - start, peak, out=np.zeros_like(peak), where=peak > 0.0)
        return np.clip(start + driven * scale, self.lower, self.upper)

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the constants as one array, for the checkpoint."""
        return {"carry": np.array([self.lower, self.upper]), "level": np.array([self.mean, self.deviation])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> "Carry":
        """Read back what :meth:`to_arrays` gave."""
        lower, upper = arrays["carry"]
        mean, deviation = arrays["level"].tolist()
        return cls(float(lower), float(upper), tuple(mean), tuple(deviation))
