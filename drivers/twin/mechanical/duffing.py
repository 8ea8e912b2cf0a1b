"""Static equilibrium with hardening ground springs, K u + c u³ = f, by Newton's method."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpbsv

from drivers.twin.mechanical.statics import Factor

FloatArray = NDArray[np.float64]

TOLERANCE = 1e-10
"""Largest residual force on a node, as a share of the largest force on any node of the pattern."""
MOST_STEPS = 50
DECREASE = 1e-4
"""Share of the promised decrease that a step must bring (Nocedal and Wright 2006, section 11.2)."""


class NotInEquilibrium(ArithmeticError):
    """Newton's method did not reach the tolerance."""


def equilibrium(band: FloatArray, cubic: float, forces: FloatArray, *, most_steps: int = MOST_STEPS) -> FloatArray:
    """Solve K u + c u³ = f for a batch of patterns.

    The left side is the gradient of the energy ½uᵀKu + c/4·Σu⁴, which is strictly convex: the equilibrium is unique.
    From the linear solution, each Newton step solves (K + 3c·diag(u²)) δ = f − K u − c u³ within the band and is halved
    until the norm of the residual falls.

    Parameters
    ----------
    band
        (nx + 1, n) lower band of K, N/m, as `stiffness_band` gives it.
    cubic
        c of every ground spring, N/m³.
    forces
        (B, n) in N.
    most_steps
        Newton steps after which to give up.

    Returns
    -------
    NDArray[np.float64]
        (B, n) displacements in m.

    Raises
    ------
    NotInEquilibrium
        When a pattern's residual is above the tolerance after *most_steps*; the message names both.
    """
    displacements = Factor(band).solve(forces.T).T.copy()
    residuals = _residuals(band, cubic, forces, displacements)
    allowed = TOLERANCE * np.abs(forces).max(axis=1)
    for _ in range(most_steps):
        moving = np.flatnonzero(np.abs(residuals).max(axis=1) > allowed)
        if len(moving) == 0:
            return displacements
        directions = newton_directions(band, cubic, displacements[moving], residuals[moving])
        displacements[moving], residuals[moving] = _descended(
            band, cubic, forces[moving], displacements[moving], residuals[moving], directions
        )
    left = np.abs(residuals).max(axis=1)
    if np.any(left > allowed):
        worst = int(np.argmax(left - allowed))
        raise NotInEquilibrium(
            f"{np.count_nonzero(left > allowed)} of {len(forces)} patterns are not in equilibrium after {most_steps} "
            f"Newton steps; pattern {worst} of the batch leaves {left[worst]:.3g} N on a node, allowed "
            f"{allowed[worst]:.3g} N"
        )
    return displacements


def times_band(band: FloatArray, displacements: FloatArray) -> FloatArray:
    """Return K u (B, n) for displacements (B, n), from the lower band (nx + 1, n) of K."""
    forces = displacements * band[0]
    for below in (1, len(band) - 1):  # the lattice couples neighbours alone: the rest of the band is empty
        entries = band[below, :-below]
        forces[:, below:] += displacements[:, :-below] * entries
        forces[:, :-below] += displacements[:, below:] * entries
    return forces


def _residuals(band: FloatArray, cubic: float, forces: FloatArray, displacements: FloatArray) -> FloatArray:
    return forces - times_band(band, displacements) - cubic * displacements**3


def newton_directions(band: FloatArray, cubic: float, displacements: FloatArray, residuals: FloatArray) -> FloatArray:
    """Return δ (B, n) of (K + 3c·diag(u²)) δ = r, pattern by pattern: n·nx² operations each."""
    hessian = np.asfortranarray(band)
    diagonals = band[0] + 3.0 * cubic * displacements**2
    directions = np.empty_like(residuals)
    for pattern, diagonal in enumerate(diagonals):
        hessian[0] = diagonal
        _, directions[pattern], _ = dpbsv(hessian, residuals[pattern], lower=1)
    return directions


def _descended(
    band: FloatArray,
    cubic: float,
    forces: FloatArray,
    displacements: FloatArray,
    residuals: FloatArray,
    directions: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Go along *directions* by the longest of 1, ½, ¼, … that lowers the norm; return displacements and residuals."""
    before = np.linalg.norm(residuals, axis=1)
    share = np.ones(len(forces))
    while True:
        there = displacements + share[:, np.newaxis] * directions
        left = _residuals(band, cubic, forces, there)
        too_far = np.linalg.norm(left, axis=1) > (1.0 - DECREASE * share) * before
        if not too_far.any() or share.min() < TOLERANCE:
            return there, left
        share[too_far] *= 0.5
