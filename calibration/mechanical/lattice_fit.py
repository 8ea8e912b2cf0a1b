"""One weighted least-squares fit of all constants of a lattice to its responses at many settings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.mechanical.lattice_model import equations, responses
from calibration.mechanical.servo import History, Reached, reached
from ffzero_lab.device import SpringNetwork

FloatArray = NDArray[np.float64]
TRIES = 10
"""Dampings tried before a step is given up."""
STEPS = 60
PINNED = 1e-5
"""Standard uncertainty that stands for none: of the mean of the gains, which a choice fixes."""


@dataclass(frozen=True)
class Constants:
    """All that decides the responses.

    Attributes
    ----------
    gain, zero
        (P,) stiffness = zero + gain · setpoint reached, zero in the unit of the setpoints.
    play
        (P,) width of the loop at the reference setpoint, in their unit.
    outputs, loads
        (n_out,) and (n_in,) natural logarithms of the gains of gauges and loads.
    creep
        (3,) share that arrives late, ln of its time constant in seconds, exponent of the loop.
    """

    gain: FloatArray
    zero: FloatArray
    play: FloatArray
    outputs: FloatArray
    loads: FloatArray
    creep: FloatArray

    def row(self) -> FloatArray:
        """Return all as one row."""
        return np.concatenate([self.gain, self.zero, self.play, self.outputs, self.loads, self.creep])

    def from_row(self, row: FloatArray) -> "Constants":
        """Return the constants in *row*, of the same sizes as these."""
        return Constants(**{name: row[place] for name, place in self.places().items()})

    def places(self) -> dict[str, slice]:
        """Return where each stands in a row."""
        sizes = {name: len(getattr(self, name)) for name in ("gain", "zero", "play", "outputs", "loads", "creep")}
        ends = np.cumsum([0, *sizes.values()]).tolist()
        return {name: slice(ends[i], ends[i + 1]) for i, name in enumerate(sizes)}

    def reached(self, histories: Sequence[History]) -> Reached:
        """Return what was reached at the readings of all histories, one after the other."""
        share, log_s, bend = self.creep.tolist()
        parts = [reached(each, self.play, bend, share, float(np.exp(log_s))) for each in histories]
        return Reached(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("setpoint", "loop", "late", "by_time", "by_bend")
            )
        )


@dataclass(frozen=True)
class Responses:
    """What was measured: histories of writes, responses (M, n_out, n_in), and their weights (M, n_out)."""

    histories: Sequence[History]
    measured: FloatArray
    weights: FloatArray


@dataclass(frozen=True)
class Fit:
    """The best constants, their covariance (n, n) in the row's order, and the reduced χ²."""

    constants: Constants
    covariance: FloatArray
    chi2: float

    def spread(self, name: str) -> FloatArray:
        """Return standard uncertainties of one of the constants, enlarged where the model does not hold."""
        variance = np.diag(self.covariance)[self.constants.places()[name]]
        return np.sqrt(variance * max(1.0, self.chi2))


def fit(
    network: SpringNetwork,
    start: Constants,
    known: Constants,
    data: Responses,
    heed: Callable[[], None] = lambda: None,
) -> Fit:
    """Fit by damped Gauss–Newton steps with Marquardt's scaling (Marquardt 1963, J. SIAM 11, 431).

    Parameters
    ----------
    network
        How the lattice is put together.
    start
        First constants, which are also what is known before.
    known
        Standard uncertainties of what is known before: 0 holds a constant. The mean logarithms of the gains of outputs,
        and of loads, are held: a common factor of all outputs, or of all loads, is the same as one of all stiffnesses.
    data
        What was measured.
    heed
        Called between steps; what it raises ends the fit.
    """
    before, spread, places = start.row(), known.row(), start.places()
    moving = np.flatnonzero(spread > 0.0)
    stiff = np.diag(1.0 / spread[moving] ** 2)
    for place in (places["outputs"], places["loads"]):
        among = ((moving >= place.start) & (moving < place.stop)).astype(np.float64)
        mean = among / max(1.0, float(among.sum()))
        stiff += np.outer(mean, mean) / PINNED**2
    row, damping = before.copy(), 1e-2
    cost = _cost(network, start, data)
    for _ in range(STEPS):
        heed()
        normal, downhill = _normal(network, start.from_row(row), data)
        away = row[moving] - before[moving]
        matrix, force = normal[np.ix_(moving, moving)] + stiff, downhill[moving] - stiff @ away
        total, gained = cost + float(away @ stiff @ away), 0.0
        for _ in range(TRIES):
            heed()
            tried = row.copy()
            tried[moving] += np.linalg.solve(matrix + damping * np.diag(np.diag(matrix)), force)
            there = tried[moving] - before[moving]
            now = _cost(network, start.from_row(tried), data)
            if now + float(there @ stiff @ there) < total:
                gained = 1.0 - (now + float(there @ stiff @ there)) / total
                row, cost, damping = tried, now, max(damping * 0.1, 1e-9)
                break
            damping *= 10.0
        if gained < 1e-7:
            break
    normal, _ = _normal(network, start.from_row(row), data)
    covariance = np.zeros((len(before), len(before)))
    covariance[np.ix_(moving, moving)] = np.linalg.inv(normal[np.ix_(moving, moving)] + stiff)
    freedom = np.count_nonzero(data.weights) * network.n_inputs - len(moving)
    return Fit(start.from_row(row), covariance, cost / max(1, freedom))


def stiffness_of(constants: Constants, at: Reached) -> FloatArray:
    """Return the stiffness (M, P) that was there at the readings."""
    return constants.zero + constants.gain * (at.setpoint + constants.play * at.loop)


def _cost(network: SpringNetwork, constants: Constants, data: Responses) -> float:
    """Return the sum of squares that the responses leave; infinite where no lattice would stand."""
    share, log_s, _ = constants.creep.tolist()
    if abs(share) > 0.9 or abs(log_s) > 30.0:
        return np.inf
    stiffness = stiffness_of(constants, constants.reached(data.histories))
    try:
        model = responses(network, stiffness, np.exp(constants.outputs), np.exp(constants.loads))
    except np.linalg.LinAlgError:
        return np.inf
    return float(np.square(data.weights[..., np.newaxis] * (data.measured - model)).sum())


def _normal(network: SpringNetwork, constants: Constants, data: Responses) -> tuple[FloatArray, FloatArray]:
    """Return JᵀJ (n, n) and Jᵀr (n,) by the constants in a row's order."""
    at = constants.reached(data.histories)
    q = at.setpoint + constants.play * at.loop
    own = np.stack([q, np.ones_like(q), constants.gain * at.loop])  # ∂k/∂gain, ∂k/∂zero, ∂k/∂play of the spring itself
    common = constants.gain * np.stack([at.late, at.by_time, at.by_bend])
    stiffness, springs = stiffness_of(constants, at), q.shape[1]
    n, gains = len(constants.row()), len(constants.outputs) + len(constants.loads)
    normal, downhill = np.zeros((n, n)), np.zeros(n)
    blocks = [slice(kind * springs, (kind + 1) * springs) for kind in range(3)]
    middle, last = slice(3 * springs, 3 * springs + gains), slice(3 * springs + gains, n)
    start = 0
    for part in equations(
        network, stiffness, np.exp(constants.outputs), np.exp(constants.loads), data.measured, data.weights
    ):
        those = slice(start, start + len(part.normal))
        start = those.stop
        by_springs, mixed = part.normal[:, :springs, :springs], part.normal[:, :springs, springs:]
        through = np.einsum("mef,kmf->kme", by_springs, common[:, those], optimize=True)
        for kind, block in enumerate(blocks):
            factor = own[kind, those]
            for other in range(kind, 3):
                normal[block, blocks[other]] += np.einsum(
                    "me,mef,mf->ef", factor, by_springs, own[other, those], optimize=True
                )
            normal[block, middle] += np.einsum("me,meg->eg", factor, mixed, optimize=True)
            normal[block, last] += np.einsum("me,kme->ek", factor, through, optimize=True)
            downhill[block] += (factor * part.downhill[:, :springs]).sum(axis=0)
        normal[middle, middle] += part.normal[:, springs:, springs:].sum(axis=0)
        normal[middle, last] += np.einsum("meg,kme->gk", mixed, common[:, those], optimize=True)
        normal[last, last] += np.einsum("kme,jme->kj", common[:, those], through, optimize=True)
        downhill[middle] += part.downhill[:, springs:].sum(axis=0)
        downhill[last] += np.einsum("kme,me->k", common[:, those], part.downhill[:, :springs], optimize=True)
    upper = np.triu(normal)
    return upper + np.triu(upper, 1).T, downhill
