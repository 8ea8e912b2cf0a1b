"""Slow drift that follows the device's clock: an Ornstein–Uhlenbeck walk for each channel."""

from math import exp, expm1, sqrt

import numpy as np
from numpy.random import SFC64, Generator, SeedSequence
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class OrnsteinUhlenbeck:
    """Stationary walks (n,) of standard deviation σ and correlation time τ (Uhlenbeck and Ornstein 1930).

    Advanced by the exact update x(t+Δ) = x(t)·e^(−Δ/τ) + σ·√(1 − e^(−2Δ/τ))·ξ (Gillespie 1996, Phys. Rev. E 54, 2084,
    eq. 1.9), so that the statistics do not depend on how often somebody looks. Every draw is keyed by the seed and the
    number of the look.

    Parameters
    ----------
    n
        Channels.
    deviation
        σ, in the unit of what drifts; 0 switches the drift off.
    time_s
        τ in seconds.
    key
        Entropy and spawn key of the draws.
    """

    def __init__(self, n: int, deviation: float, time_s: float, key: tuple[int, tuple[int, ...]]) -> None:
        self._deviation, self._time_s, self._key = deviation, time_s, key
        self._looks = 0
        self._at_s = 0.0
        self._values = self._draw(n) * deviation if deviation > 0.0 else np.zeros(n)

    @property
    def drifts(self) -> bool:
        """Whether anything ever moves."""
        return self._deviation > 0.0

    def at(self, now_s: float) -> FloatArray:
        """Return the walks (n,) at the device time *now_s*, which never lies before the last look."""
        elapsed = (now_s - self._at_s) / self._time_s
        if self.drifts and elapsed > 0.0:
            spread = self._deviation * sqrt(-expm1(-2.0 * elapsed))
            self._values = self._values * exp(-elapsed) + spread * self._draw(len(self._values))
            self._at_s = now_s
        return self._values

    def state(self) -> tuple[FloatArray, FloatArray]:
        """Return the walks (n,) and where they stand: time in seconds and number of looks."""
        return self._values, np.array([self._at_s, self._looks])

    def restore(self, values: FloatArray, standing: FloatArray) -> None:
        """Put back what :meth:`state` returned."""
        self._values = np.array(values, dtype=np.float64)
        self._at_s, self._looks = float(standing[0]), int(standing[1])

    def _draw(self, n: int) -> FloatArray:
        entropy, spawn_key = self._key
        self._looks += 1
        return Generator(SFC64(SeedSequence(entropy, spawn_key=(*spawn_key, self._looks)))).standard_normal(n)
