"""A leaf spring and the servo that sets its free length: stiffness against the slider's position."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.twin.mechanical.tables import Springs

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Leaf:
    """Stiffness k = 3EI/L³ of a cantilever whose free length L shrinks as the slider goes from 0 to 1.

    Equal steps of the slider are equal steps of L: near the stiff end, each changes the stiffness most.
    """

    springs: Springs

    def position(self, stiffness: FloatArray) -> FloatArray:
        """Return the positions (P,) of the nearest servo steps, 0–1, for a nominal *stiffness* (P,) in N/m."""
        length = np.cbrt(self.springs.lower_n_per_m / stiffness)
        position = (1.0 - length) / self._travel
        bits = self.springs.servo_bits
        if bits == 0:
            return position
        steps = 2.0**bits - 1.0
        return np.rint(position * steps) / steps

    def stiffness(self, position: FloatArray) -> FloatArray:
        """Return the nominal stiffness (P,) in N/m with the slider at *position* (P,), 0–1."""
        length = 1.0 - self._travel * position
        nominal = self.springs.lower_n_per_m / (length * length * length)
        return np.clip(nominal, self.springs.lower_n_per_m, self.springs.upper_n_per_m)  # against rounding at the ends

    @property
    def resolution_n_per_m(self) -> float:
        """The largest step between two setpoints: the last one of the travel."""
        bits = self.springs.servo_bits
        if bits == 0:
            return 0.0
        last = self.stiffness(np.array([1.0 - 1.0 / (2.0**bits - 1.0), 1.0]))
        return float(last[1] - last[0])

    @property
    def _travel(self) -> float:
        """Way of the slider, in full lengths of the leaf."""
        return 1.0 - (self.springs.lower_n_per_m / self.springs.upper_n_per_m) ** (1.0 / 3.0)
