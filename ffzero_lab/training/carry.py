"""What stands between two reinjected layers: a frozen rule that turns outputs into the next layer's inputs."""

from collections.abc import Mapping
from dataclasses import dataclass

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

    Attributes
    ----------
    lower, upper
        Range of the next layer's inputs, in their unit; symmetric around zero for signed ones.
    """

    lower: float
    upper: float

    @classmethod
    def into(cls, described: LayerDescription) -> "Carry":
        """Return the carry that fills the input range of the layer *described*."""
        if described.input_lower >= 0.0:
            return cls(described.input_lower, described.input_upper)
        reach = min(-described.input_lower, described.input_upper)
        return cls(-reach, reach)

    def apply(self, outputs: FloatArray) -> FloatArray:
        """Turn outputs (S, n) into the next layer's inputs (S, n)."""
        driven = outputs if self.lower < 0.0 else np.maximum(outputs, 0.0)
        start = max(self.lower, 0.0)
        peak = np.abs(driven).max(axis=1, keepdims=True)
        scale = np.divide(self.upper - start, peak, out=np.zeros_like(peak), where=peak > 0.0)
        return np.clip(start + driven * scale, self.lower, self.upper)

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the constants as one array, for the checkpoint."""
        return {"carry": np.array([self.lower, self.upper])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> "Carry":
        """Read back what :meth:`to_arrays` gave."""
        lower, upper = arrays["carry"]
        return cls(float(lower), float(upper))
