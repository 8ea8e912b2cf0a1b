"""What stands between two reinjected layers: a frozen rule that turns outputs into the next layer's inputs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import LayerDescription

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Carry:
    """x' = upper · z / max|z| for each pattern; negative readings count as zero where inputs have one sign.

    For intensities this is x' = z / max z driving the amplitude: detection is the nonlinearity between the layers.
    A pattern without any positive reading stays dark.

    Attributes
    ----------
    signed
        Whether the next layer's inputs may be negative.
    upper
        Largest magnitude of the next layer's inputs, in their unit.
    """

    signed: bool
    upper: float

    @classmethod
    def into(cls, described: LayerDescription) -> "Carry":
        """Return the carry that fills the input range of the layer *described*."""
        signed = described.input_lower < 0.0
        reach = min(-described.input_lower, described.input_upper) if signed else described.input_upper
        return cls(signed, reach)

    def apply(self, outputs: FloatArray) -> FloatArray:
        """Turn outputs (S, n) into the next layer's inputs (S, n)."""
        driven = outputs if self.signed else np.maximum(outputs, 0.0)
        peak = np.abs(driven).max(axis=1, keepdims=True)
        scale = np.divide(self.upper, peak, out=np.zeros_like(peak), where=peak > 0.0)
        return np.clip(driven * scale, -self.upper, self.upper)

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the constants as one array, for the checkpoint."""
        return {"carry": np.array([float(self.signed), self.upper])}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.float64]]) -> "Carry":
        """Read back what :meth:`to_arrays` gave."""
        signed, upper = arrays["carry"]
        return cls(bool(signed), float(upper))
