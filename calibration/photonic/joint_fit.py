"""One weighted least-squares fit of all constants of a mesh to readings at many settings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from calibration.photonic.constants import Constants, Readings, jacobian, predicted
from calibration.photonic.mesh_model import FloatArray, Layout

AT_ONCE = 2.5e7
"""Numbers of a Jacobian that are in memory together."""
TRIES = 8
"""Dampings tried before a step is given up."""


@dataclass(frozen=True)
class Fit:
    """The best constants.

    Attributes
    ----------
    constants
        Where the sum of squares is least.
    covariance
        (n, n) in the row's order, for the noise as given; 0 for what was held.
    chi2
        Sum of squares over degrees of freedom: 1 when the model holds and the noise is right.
    """

    constants: Constants
    covariance: FloatArray
    chi2: float


def fit(
    layout: Layout,
    start: Constants,
    known: FloatArray,
    readings: Readings,
    steps: int = 60,
    heed: Callable[[], None] = lambda: None,
) -> Fit:
    """Fit by damped Gauss–Newton steps with Marquardt's scaling (Marquardt 1963, J. SIAM 11, 431).

    Parameters
    ----------
    layout
        The mesh.
    start
        First constants, which are also what is known before.
    known
        (n,) standard uncertainty of what is known before, in the row's order: 0 holds a constant, infinity leaves it
        free.
    readings
        What was measured.
    steps
        Most steps.
    heed
        Called between steps and parts of them; what it raises ends the fit.
    """
    before = start.row()
    moving = np.flatnonzero(known > 0.0)
    stiff = 1.0 / known[moving] ** 2
    row, damping = before.copy(), 1e-2

    def squares(at: FloatArray) -> tuple[float, float]:
        """Return the sums of squares of what the readings leave, and of what was known before."""
        left = (readings.outputs - predicted(layout, start.from_row(at), readings)) / readings.noise
        return float((left**2).sum()), float((stiff * (at - before)[moving] ** 2).sum())

    cost = sum(squares(row))
    normal = np.diag(stiff)
    for _ in range(steps):
        normal, downhill = _normal(layout, start.from_row(row), readings, moving, heed)
        normal += np.diag(stiff)
        downhill -= stiff * (row - before)[moving]
        gained = 0.0
        for _ in range(TRIES):
            heed()
            tried = row.copy()
            tried[moving] += np.linalg.solve(normal + damping * np.diag(np.diag(normal)), downhill)
            now = sum(squares(tried))
            if now < cost:
                gained, row, cost = 1.0 - now / cost, tried, now
                damping = max(damping * 0.1, 1e-9)
                break
            damping *= 10.0
        if gained < 1e-6:
            break
    freedom = max(1, int(np.isfinite(readings.noise).sum()) - len(moving))
    covariance = np.zeros((len(before), len(before)))
    covariance[np.ix_(moving, moving)] = np.linalg.inv(normal)
    return Fit(start.from_row(row), covariance, squares(row)[0] / freedom)


def drifted(
    layout: Layout, found: Fit, readings: Readings, walked_rad: float, heed: Callable[[], None] = lambda: None
) -> Fit:
    """Return *found* with a random walk of all phases by *walked_rad* (standard deviation) meanwhile in its covariance.

    A step of a phase between two settings puts all readings before it off by ∂z/∂φ, seen from the end. The fit answers
    with H⁻¹ Σ Jᵀ ∂z/∂φ, summed over those settings, H = JᵀJ; the steps are independent of one another.
    """
    moving = np.flatnonzero(np.diag(found.covariance) > 0.0)
    phases = np.arange(len(found.covariance))[found.constants.places()["offsets"]]
    inverse = found.covariance[np.ix_(moving, moving)]
    steps = len(readings.settings)
    before, walked = np.zeros((len(moving), len(phases))), np.zeros((len(moving), len(moving)))
    for part in _parts(readings, len(found.covariance)):
        bent = jacobian(layout, found.constants, part) / part.noise
        for setting in range(len(part.settings)):
            heed()
            at_once = bent[:, setting].reshape(len(bent), -1)
            before += at_once[moving] @ at_once[phases].T
            answer = inverse @ before
            walked += answer @ answer.T
    covariance = found.covariance.copy()
    covariance[np.ix_(moving, moving)] += walked * walked_rad**2 / steps
    return Fit(found.constants, covariance, found.chi2)


def _normal(
    layout: Layout, constants: Constants, readings: Readings, moving: np.ndarray, heed: Callable[[], None]
) -> tuple[FloatArray, FloatArray]:
    """Return JᵀJ (n, n) and Jᵀr (n,) of the weighted residuals r by the constants that move."""
    normal, downhill = np.zeros((len(moving), len(moving))), np.zeros(len(moving))
    for part in _parts(readings, len(moving)):
        heed()
        weighted = (jacobian(layout, constants, part)[moving] / part.noise).reshape(len(moving), -1)
        left = (part.outputs - predicted(layout, constants, part)) / part.noise
        normal += weighted @ weighted.T
        downhill += weighted @ left.ravel()
    return normal, downhill


def _parts(readings: Readings, n: int) -> Iterator[Readings]:
    settings = len(readings.settings)
    at_once = max(1, int(AT_ONCE / (n * readings.outputs[0].size)))
    for start in range(0, settings, at_once):
        yield readings.part(slice(start, start + at_once))
