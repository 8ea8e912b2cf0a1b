"""Fits fringes: a_j + b_j cos(κ s + c_j) with one κ for all outputs, patterns and backgrounds of a heater.

The offsets and amplitudes are linear: they are projected out (variable projection, Golub and Pereyra 1973, SIAM J.
Numer. Anal. 10, 413), and κ alone is searched for. What the projection leaves depends on the readings Y (K, M) of K
setpoints only through Y·Yᵀ (K, K), so that a fit costs the same however many outputs and patterns there are.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

FloatArray = NDArray[np.float64]
_STEPS = 96


@dataclass(frozen=True)
class Sweep:
    """Readings (K, M) of all outputs and patterns at K values of s (K,), before one background.

    The columns are weighted by 1/(σ² + (share·b)²): *noise* σ is that of one reading, and *misfit* the share of its
    amplitude b by which a fringe is bent (crosstalk), so that a few bright outputs do not decide alone.
    """

    s: FloatArray
    readings: FloatArray
    noise: float
    misfit: float = 0.0

    @cached_property
    def gram(self) -> FloatArray:
        """Return Y·W·Yᵀ (K, K) of the readings less their means."""
        varying = self.readings - self.readings.mean(axis=0)
        squares = 2.0 * np.maximum(varying.var(axis=0) - self.noise**2, 0.0)
        return (varying / (self.noise**2 + self.misfit**2 * squares)) @ varying.T

    @property
    def degrees(self) -> int:
        """What is left of the readings beside offset, amplitude and phase of each output."""
        return self.readings.shape[1] * (len(self.s) - 3)


@dataclass(frozen=True)
class Fringe:
    """The fit of one sweep.

    Attributes
    ----------
    kappa
        κ, rad per unit of s.
    share
        Standard uncertainty of κ from what the fit leaves, as a fraction of κ.
    residual
        RMS of what the fit leaves, in units of the weighted readings' own noise: 1 when nothing but noise is left.
    signal
        What the fringe explains, relative to what noise alone would have explained.
    """

    kappa: float
    share: float
    residual: float
    signal: float


def fit(sweep: Sweep, low: float, high: float) -> Fringe:
    """Fit κ between *low* and *high* to one sweep."""
    tried = np.linspace(low, high, _STEPS)
    left = _left(tried, sweep)
    best, width = float(tried[np.argmin(left)]), float(tried[1] - tried[0])
    found = minimize_scalar(
        lambda kappa: float(_left(np.array([kappa]), sweep)[0]),
        bounds=(max(low, best - width), min(high, best + width)),
        method="bounded",
        options={"xatol": 1e-7 * high},
    )
    kappa = float(found.x)
    step = 2e-3 * kappa
    below, at, above = _left(kappa + step * np.array([-1.0, 0.0, 1.0]), sweep).tolist()
    curvature = (below - 2.0 * at + above) / step**2
    variance = at / max(1, sweep.degrees - 1)
    share = float(np.sqrt(2.0 * variance / curvature)) / kappa if curvature > 0.0 else np.inf
    explained = float(np.trace(sweep.gram)) - at
    return Fringe(kappa, share, float(np.sqrt(variance)), explained / (2.0 * max(1, sweep.readings.shape[1])))


def components(sweep: Sweep, kappa: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return offset a, amplitude b ≥ 0 and phase c (rad, at s = 0) of each column of the readings, shape (M,) each."""
    across, along = np.linalg.qr(_basis(np.array([kappa]), sweep.s)[0])
    solved = np.linalg.solve(along, across.T @ sweep.readings)
    return solved[0], np.hypot(solved[1], solved[2]), np.arctan2(-solved[2], solved[1])


@lru_cache(maxsize=256)
def informative_points(turn: float, count: int) -> tuple[float, ...]:
    """Return *count* places in 0–1, ascending, that tell most about κ when all else is unknown.

    *turn* is κ times the range. An output of unknown phase informs κ by what of s·sin κs and s·cos κs lies outside the
    span of 1, cos κs and sin κs (D-optimal design, Fedorov 1972); points are exchanged one by one on a grid until none
    is better placed.
    """
    grid = np.linspace(0.0, 1.0, 41)
    chosen = np.linspace(0, len(grid) - 1, count).round().astype(int)
    best, improved = _information(turn, grid[chosen]), True
    while improved:
        improved = False
        for place in range(count):
            for candidate in set(range(len(grid))) - set(chosen.tolist()):
                trial = chosen.copy()
                trial[place] = candidate
                told = _information(turn, grid[trial])
                if told > best * (1.0 + 1e-9):
                    chosen, best, improved = trial, told, True
    return tuple(np.sort(grid[chosen]).tolist())


def _information(kappa: float, s: FloatArray) -> float:
    orthonormal = np.linalg.qr(_basis(np.array([kappa]), s)[0])[0]
    moved = np.stack([s * np.sin(kappa * s), s * np.cos(kappa * s)], axis=1)
    outside = moved - orthonormal @ (orthonormal.T @ moved)
    return float((outside**2).sum())


def _basis(kappas: FloatArray, s: FloatArray) -> FloatArray:
    """Return 1, cos κs and sin κs, shape (C, K, 3), of kappas (C,)."""
    turns = kappas[:, np.newaxis] * s
    return np.stack([np.ones_like(turns), np.cos(turns), np.sin(turns)], axis=-1)


def _left(kappas: FloatArray, sweep: Sweep) -> FloatArray:
    """Return the weighted sums of squares (C,) that the projections at *kappas* (C,) leave."""
    orthonormal = np.linalg.qr(_basis(kappas, sweep.s))[0]
    return np.trace(sweep.gram) - ((sweep.gram @ orthonormal) * orthonormal).sum(axis=(1, 2))
