"""Whether displacements are proportional to the loads: with a force k·u + c·u³, twice the load gives less than twice.

Of u = x/k − c·x³/k⁴ …, what a full load is short of twice a half one is 3/4 of what the cubic term takes off
(hardening springs: Kovacic and Brennan 2011, The Duffing Equation, ch. 2).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.procedure import Sweep
from ffzero_lab.device.record import Quantity

FloatArray = NDArray[np.float64]
SIGMAS = 5.0
BENT = 1e-3
"""Share by which full loads miss proportionality from which on a lattice is called nonlinear."""


@dataclass(frozen=True)
class Nonlinearity:
    """Share of the displacement that a cubic term takes off at the largest loads, (n_out,), NaN where not known."""

    share: FloatArray
    spread: FloatArray

    @classmethod
    def known_before(cls, known: Mapping[str, Quantity]) -> "Nonlinearity":
        """Return what an earlier run of this procedure found; nothing where there was none."""
        found = known.get("sensors.nonlinearity")
        return cls(np.empty(0), np.empty(0)) if found is None else cls(found.array, found.spread)

    @property
    def overall(self) -> float:
        """The outputs' weighted mean; 0 where nothing is known."""
        weights = self._weights()
        return float((weights * np.nan_to_num(self.share)).sum() / weights.sum()) if weights.any() else 0.0

    @property
    def is_seen(self) -> bool:
        """Whether it is more than noise, and more than a trifle."""
        weights = self._weights()
        if not weights.any():
            return False
        return abs(self.overall) > max(SIGMAS * float(weights.sum()) ** -0.5, BENT)

    def _weights(self) -> FloatArray:
        seen = np.isfinite(self.share) & (self.spread > 0.0)
        return np.divide(1.0, self.spread**2, out=np.zeros_like(self.spread), where=seen)


def nonlinearity(loaded: Sweep, noise: FloatArray, alive: NDArray[np.intp]) -> Nonlinearity:
    """Judge mean readings (2, B, n_out) of full and half loads, with the patterns −x in the second half of B.

    Of u = x/k − c·x³/k⁴ … the odd part is taken, (z(x) − z(−x))/2; what the full load is short of twice the half one
    is 3/4 of what the cubic term takes off.
    """
    readings, repeats = np.asarray(loaded["readings"], dtype=np.float64), int(loaded["repeats"])
    half = readings.shape[1] // 2
    odd = 0.5 * (readings[:, :half] - readings[:, half:])
    short = (2.0 * odd[1] - odd[0]) / 0.75
    squares = (odd[0] ** 2).sum(axis=0)
    sigma = noise * np.sqrt(5.0 / (2.0 * repeats)) / 0.75
    known = np.zeros(len(noise), dtype=np.bool_)
    known[alive] = (squares[alive] > 0.0) & ~np.asarray(loaded["saturated"], dtype=np.bool_)[alive]
    along = (short * odd[0]).sum(axis=0)
    share = np.divide(along, squares, out=np.full(len(noise), np.nan), where=known)
    spread = np.divide(sigma, np.sqrt(squares), out=np.full(len(noise), np.nan), where=known)
    return Nonlinearity(share, spread)
