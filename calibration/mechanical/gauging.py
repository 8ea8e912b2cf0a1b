"""What single sensors are, from their readings: their zero, their step, and whether they follow the loads at all."""

import numpy as np
from numpy.typing import NDArray

from calibration.mechanical.loads import response
from calibration.procedure import Sweep

FloatArray = NDArray[np.float64]
SIGMAS = 5.0
FEWEST = 4
"""Levels that a zero takes at least."""
LEAST_SHARE = 1e-3
"""An output that answers less than this share of the median one does sees nothing."""


def dead_sensors(answers: FloatArray, uncertainty: FloatArray, stuck_at_an_end: NDArray[np.bool_]) -> dict[int, str]:
    """Return the sensors that follow no load, from responses (M, n_out, n_in) of *uncertainty* (n_out,) each.

    Without an answer the mean square of the responses is that of the noise, with the scatter of M·n_in samples.
    """
    squares = (answers**2).mean(axis=(0, 2))
    samples = answers.shape[0] * answers.shape[2]
    by_chance = uncertainty**2 * (1.0 + 2.0 * SIGMAS * np.sqrt(2.0 / samples))
    least = LEAST_SHARE * float(np.median(np.sqrt(squares)))
    silent = (squares <= by_chance) | (np.sqrt(squares) <= least)
    dead = {int(output): "dead" for output in np.flatnonzero(silent)}
    return dead | {int(output): "stuck at an end of its range" for output in np.flatnonzero(stuck_at_an_end)}


def zeros(levels: Sweep, patterns: FloatArray, noise: FloatArray, upper: float) -> tuple[FloatArray, FloatArray]:
    """Return the readings at zero force (n_out,) with standard uncertainties, from readings (L, B, n_out) of levels.

    Each is the end of a parabola of the reading without load over the common response; levels with a saturated
    reading are left out, and an output with too few levels is NaN. What that does not explain enlarges the
    uncertainty.
    """
    readings, repeats = np.asarray(levels["readings"], dtype=np.float64), int(levels["repeats"])
    answers, unloaded = response(readings, patterns)
    usable = np.asarray(levels["usable"], dtype=np.bool_)
    zero = np.full(len(noise), np.nan)
    lit = usable.any(axis=1)
    reference = answers[:, usable[lit].all(axis=0)]
    if np.count_nonzero(lit) < FEWEST or reference.shape[1] == 0:
        return zero, zero
    first = reference[np.flatnonzero(lit)[0]]
    shrinks = np.einsum("lpi,pi->l", reference, first) / np.square(first).sum()
    variance, left, freedom = np.full(len(noise), np.nan), 0.0, 0
    for output in np.flatnonzero(np.count_nonzero(usable, axis=0) >= FEWEST):
        those = usable[:, output]
        design = shrinks[those, np.newaxis] ** np.arange(3)
        sigma = max(float(noise[output]), 1e-9 * upper) / np.sqrt(len(patterns) * repeats)
        found = np.asarray(np.linalg.lstsq(design, unloaded[those, output], rcond=None)[0], dtype=np.float64)
        zero[output] = found[0]
        variance[output] = sigma**2 * np.linalg.inv(design.T @ design)[0, 0]
        left += float(np.square(unloaded[those, output] - design @ found).sum()) / sigma**2
        freedom += len(design) - design.shape[1]
    misfit = left / freedom if freedom else 1.0
    return zero, np.sqrt(variance * max(1.0, misfit))


def resolution(values: FloatArray) -> float:
    """Return the step of which all differences of *values* are multiples; NaN when there is none to be seen."""
    gaps = np.diff(np.unique(values))
    gaps = gaps[gaps > 1e-9 * np.abs(values).max(initial=1e-300)]
    if len(gaps) < 8:
        return np.nan
    step = float(np.median(gaps[gaps < 1.5 * gaps.min()]))
    multiples = gaps / step
    return step if bool(np.all(np.abs(multiples - np.rint(multiples)) < 0.05)) else np.nan


def detrended(series: FloatArray) -> FloatArray:
    """Return *series* (K, n) without its straight line: what creeps meanwhile is no noise."""
    places = np.linspace(-1.0, 1.0, len(series))
    slopes = places @ series / (places @ places)
    return series - series.mean(axis=0) - places[:, np.newaxis] * slopes
