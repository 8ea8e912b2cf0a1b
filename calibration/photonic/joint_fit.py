"""One weighted least-squares fit of all constants of a mesh to readings at many settings."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.photonic.mesh_model import Layout, slopes, transfer

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Readings:
    """What was driven and read.

    ``settings`` (S, P) scaled setpoints s, 0 where a heater is dead; ``patterns`` (S, B, N) drives of the inputs;
    ``outputs`` (S, B, n_out) readings of the outputs ``seen``, with the standard deviations ``noise`` of the same
    shape, infinite where a reading does not count.
    """

    settings: FloatArray
    patterns: FloatArray
    outputs: FloatArray
    noise: FloatArray
    seen: NDArray[np.intp]

    def first(self, count: int) -> "Readings":
        """Return the first *count* settings alone."""
        parts = (self.settings, self.patterns, self.outputs, self.noise)
        return Readings(*(part[:count] for part in parts), self.seen)


@dataclass(frozen=True)
class Constants:
    """Constants of a mesh and its bench.

    ``offsets`` and ``rates`` (P,) of phase = offset + rate·(s + Σ_j χ_ij s_j), rad and rad per unit of s, with
    χ = ``nearest``·exp(−(d − 1)·``decay``); splitters (M,), rad; ``bypass``, ln of what a waveguide beside the MZIs
    transmits more than they do; inputs E = exp(``inputs``)·(x + (1 − x)·``leak``); readings
    exp(``outputs``)·|E|² + ``darks``.
    """

    offsets: FloatArray
    rates: FloatArray
    first: FloatArray
    second: FloatArray
    nearest: float
    decay: float
    bypass: float
    inputs: FloatArray
    leak: float
    outputs: FloatArray
    darks: FloatArray

    def flat(self) -> FloatArray:
        """Return all constants in a row, in the order of the attributes."""
        return np.concatenate([np.atleast_1d(value) for value in self.__dict__.values()])

    def of(self, row: FloatArray) -> "Constants":
        """Return other constants of the same shapes."""
        taken, given = 0, {}
        for name, value in self.__dict__.items():
            size = np.size(value)
            part = row[taken : taken + size]
            given[name] = float(part[0]) if np.ndim(value) == 0 else part.copy()
            taken += size
        return Constants(**given)

    def place(self, name: str) -> slice:
        """Return where an attribute stands in the row."""
        start = 0
        for other, value in self.__dict__.items():
            if other == name:
                return slice(start, start + np.size(value))
            start += np.size(value)
        raise KeyError(name)


@dataclass(frozen=True)
class Fit:
    """The best constants, their covariance (n, n) in the row's order, and the reduced χ² with its weights as given."""

    constants: Constants
    covariance: FloatArray
    chi2: float
    residuals: FloatArray


def driven(layout: Layout, constants: Constants, settings: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return s with what arrives from the others (S, P), and the shares (P, P) of a heater in its neighbours."""
    distances = layout.distances
    shares = np.where(distances > 0.0, np.exp(-(distances - 1.0) * constants.decay), 0.0)
    return settings + constants.nearest * settings @ shares, shares


def predicted(layout: Layout, constants: Constants, readings: Readings) -> FloatArray:
    """Return the readings (S, B, n_out) that the constants bring."""
    turned, _ = driven(layout, constants, readings.settings)
    fields = transfer(
        layout, constants.offsets + constants.rates * turned, constants.first, constants.second, constants.bypass
    )
    light = _entering(constants, readings) @ fields[:, readings.seen].transpose(0, 2, 1)
    return np.abs(light) ** 2 * np.exp(constants.outputs) + constants.darks


def _entering(constants: Constants, readings: Readings) -> FloatArray:
    x = readings.patterns
    return (x + (1.0 - x) * constants.leak) * np.exp(constants.inputs)


def jacobian(layout: Layout, constants: Constants, readings: Readings) -> tuple[FloatArray, FloatArray]:
    """Return the predicted readings (S, B, n_out) and their derivatives (n, S, B, n_out) by the constants' row."""
    turned, shares = driven(layout, constants, readings.settings)
    at = slopes(layout, constants.offsets + constants.rates * turned, constants.first, constants.second, constants.bypass)
    seen, entering = readings.seen, _entering(constants, readings)
    fields = at.fields[:, seen].transpose(0, 2, 1)
    light = entering @ fields
    gains = np.exp(constants.outputs)
    twice = 2.0 * light.conj() * gains

    def by(bent: NDArray[np.complex128]) -> FloatArray:
        moved = entering @ np.swapaxes(bent[..., seen, :], -1, -2)
        return (twice * moved).real

    by_phase = by(at.phases)
    by_rate = by_phase * turned.T[:, :, np.newaxis, np.newaxis]
    arriving = readings.settings @ shares * constants.rates
    fading = -(readings.settings @ (shares * (np.maximum(layout.distances, 1.0) - 1.0))) * constants.rates
    by_nearest = np.einsum("psbo,sp->sbo", by_phase, arriving)
    by_decay = constants.nearest * np.einsum("psbo,sp->sbo", by_phase, fading)
    each = np.einsum("sbi,sio->isbo", entering, fields)
    by_input = (twice * each).real
    dimmed = (1.0 - readings.patterns) * np.exp(constants.inputs)
    by_leak = (twice * (dimmed @ fields)).real
    intensity = np.abs(light) ** 2 * gains
    own = np.eye(len(seen))[:, np.newaxis, np.newaxis, :]
    columns = [
        by_phase,
        by_rate,
        by(at.first),
        by(at.second),
        by_nearest[np.newaxis],
        by_decay[np.newaxis],
        by(at.bypass[np.newaxis]),
        by_input,
        by_leak[np.newaxis],
        own * intensity,
        np.broadcast_to(own, (len(seen), *intensity.shape)),
    ]
    return intensity + constants.darks, np.concatenate(columns)


def fit(layout: Layout, start: Constants, known: FloatArray, readings: Readings, steps: int = 40) -> Fit:
    """Fit by damped Gauss–Newton steps (Levenberg–Marquardt).

    Parameters
    ----------
    start
        First constants, which are also what is known before.
    known
        (n,) standard uncertainty of what is known before, in the row's order: 0 fixes a constant, infinity leaves it free.
    readings
        What was measured.
    """
    before = start.flat()
    moving = np.flatnonzero(known > 0.0)
    stiff = 1.0 / known[moving] ** 2
    weights = 1.0 / readings.noise
    row, damping = before.copy(), 1e-2

    def cost_of(residual: FloatArray, at: FloatArray) -> float:
        return float((residual**2).sum() + (stiff * (at - before)[moving] ** 2).sum())

    residual = (readings.outputs - predicted(layout, start, readings)) * weights
    cost = cost_of(residual, row)
    normal = np.eye(len(moving))
    for _ in range(steps):
        bent = jacobian(layout, start.of(row), readings)[1]
        flat = (bent[moving] * weights).reshape(len(moving), -1)
        normal = flat @ flat.T + np.diag(stiff)
        downhill = flat @ residual.ravel() - stiff * (row - before)[moving]
        gained = 0.0
        for _ in range(8):
            step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), downhill)
            tried = row.copy()
            tried[moving] += step
            left = (readings.outputs - predicted(layout, start.of(tried), readings)) * weights
            now = cost_of(left, tried)
            if now < cost:
                gained, row, residual, cost = (cost - now) / cost, tried, left, now
                damping = max(damping * 0.1, 1e-9)
                break
            damping *= 10.0
        if gained < 1e-6:
            break
    counted = int(np.isfinite(readings.noise).sum())
    chi2 = float((residual**2).sum()) / max(1, counted - len(moving))
    covariance = np.zeros((len(before), len(before)))
    covariance[np.ix_(moving, moving)] = np.linalg.inv(normal)
    return Fit(start.of(row), covariance, chi2, residual)

