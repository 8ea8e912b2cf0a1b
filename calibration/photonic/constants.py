"""The constants of a mesh with its bench, the readings that they bring, and how these change with each constant."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.photonic.mesh_model import ComplexArray, FloatArray, Layout, slopes, transfer

SCALARS = ("nearest", "decay", "bypass", "leak")
"""Constants that the whole mesh shares."""


@dataclass(frozen=True)
class Readings:
    """What was driven and read at S settings with B patterns.

    Attributes
    ----------
    settings
        (S, P) s: V² or the setpoint itself; 0 where a heater is dead.
    heats
        (P,) heat per s of each heater, relative to one another: 1/R when driven in volts.
    patterns
        (B, N) drives of the inputs; complex for modulators of both quadratures.
    outputs
        (S, B, n_out) readings of the outputs ``seen``.
    noise
        Their standard deviations, infinite where a reading does not count.
    seen
        (n_out,) which outputs these are.
    """

    settings: FloatArray
    heats: FloatArray
    patterns: FloatArray | ComplexArray
    outputs: FloatArray
    noise: FloatArray
    seen: NDArray[np.intp]

    def part(self, those: slice) -> "Readings":
        """Return those settings alone."""
        return Readings(
            self.settings[those], self.heats, self.patterns, self.outputs[those], self.noise[those], self.seen
        )


@dataclass(frozen=True)
class Constants:
    """Constants of a mesh and its bench.

    Attributes
    ----------
    offsets, rates
        (P,) of phase_i = offset_i + rate_i·(s_i + Σ_j χ_ij s_j h_j/h_i), rad and rad per unit of s, h the heats.
    first, second
        (M,) angles of the splitters beyond 45°, rad.
    nearest, decay
        χ_ij = nearest·exp(−(d_ij − 1)·decay), d the distance in pitches.
    bypass
        ln of what a waveguide beside the MZIs transmits more of the amplitude than they do.
    inputs, leak
        E = exp(inputs)·(x + (1 − x)·leak), (N,) and one.
    outputs, darks
        Readings exp(outputs)·|E|² + darks, both (n_out,).
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

    def row(self) -> FloatArray:
        """Return all constants in one row (n,), in the order of the attributes."""
        return np.concatenate([np.atleast_1d(getattr(self, name.name)) for name in fields(self)])

    def places(self) -> dict[str, slice]:
        """Return where each attribute stands in the row."""
        ends = np.cumsum([0, *(np.size(getattr(self, name.name)) for name in fields(self))]).tolist()
        return {name.name: slice(*ends[k : k + 2]) for k, name in enumerate(fields(self))}

    def from_row(self, row: FloatArray) -> "Constants":
        """Return other constants of the same shapes from their row (n,)."""
        parts: dict[str, Any] = {name: row[place].copy() for name, place in self.places().items()}
        for name in SCALARS:
            parts[name] = float(parts[name][0])
        return Constants(**parts)


def crosstalk(layout: Layout, constants: Constants) -> FloatArray:
    """Return χ (P, P), 0 on the diagonal."""
    distances = layout.distances
    return constants.nearest * np.where(distances > 0.0, np.exp(-(distances - 1.0) * constants.decay), 0.0)


def fields_at_inputs(constants: Constants, patterns: FloatArray | ComplexArray) -> FloatArray | ComplexArray:
    """Return the fields (B, N) that enter the mesh."""
    return (patterns + (1.0 - patterns) * constants.leak) * np.exp(constants.inputs)


def phases_of(layout: Layout, constants: Constants, readings: Readings) -> FloatArray:
    """Return the phases (S, P), rad."""
    return constants.offsets + constants.rates * _turned(readings, crosstalk(layout, constants))


def _turned(readings: Readings, shares: FloatArray) -> FloatArray:
    """Return s (S, P) with what arrives from the others, as if it had been driven."""
    return readings.settings + _arriving(readings, shares)


def _arriving(readings: Readings, shares: FloatArray) -> FloatArray:
    return (readings.settings * readings.heats) @ shares / readings.heats


def predicted(layout: Layout, constants: Constants, readings: Readings) -> FloatArray:
    """Return the readings (S, B, n_out) that the constants bring."""
    phases = phases_of(layout, constants, readings)
    through = transfer(layout, phases, constants.first, constants.second, constants.bypass)
    entering = fields_at_inputs(constants, readings.patterns)
    light = entering @ through[:, readings.seen].transpose(0, 2, 1)
    return np.abs(light) ** 2 * np.exp(constants.outputs) + constants.darks


def jacobian(layout: Layout, constants: Constants, readings: Readings) -> FloatArray:
    """Return the derivatives (n, S, B, n_out) of the predicted readings by the constants, in the row's order."""
    shares = crosstalk(layout, constants)
    phases = phases_of(layout, constants, readings)
    at = slopes(layout, phases, constants.first, constants.second, constants.bypass)
    seen, entering = readings.seen, fields_at_inputs(constants, readings.patterns)
    through = at.fields[:, seen].transpose(0, 2, 1)
    light, gains = entering @ through, np.exp(constants.outputs)
    twice = 2.0 * light.conj() * gains

    def by(bent: ComplexArray) -> FloatArray:
        """Carry derivatives (…, S, N, N) of the transfer on to the readings."""
        return (twice * (entering @ np.swapaxes(bent[..., seen, :], -1, -2))).real

    by_phase = by(at.phases)
    by_rate = by_phase * _turned(readings, shares).T[:, :, np.newaxis, np.newaxis]
    farther = np.maximum(layout.distances, 1.0) - 1.0
    unit = crosstalk(layout, constants.from_row(_with(constants, "nearest", 1.0)))
    by_nearest = np.einsum("psbo,sp->sbo", by_phase, _arriving(readings, unit) * constants.rates)
    by_decay = np.einsum("psbo,sp->sbo", by_phase, -_arriving(readings, shares * farther) * constants.rates)
    by_input = (twice * np.einsum("bi,sio->isbo", entering, through)).real
    by_leak = (twice * (((1.0 - readings.patterns) * np.exp(constants.inputs)) @ through)).real
    intensity = np.abs(light) ** 2 * gains
    own = np.eye(len(seen))[:, np.newaxis, np.newaxis, :]
    return np.concatenate(
        [
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
    )


def _with(constants: Constants, name: str, value: float) -> FloatArray:
    row = constants.row()
    row[constants.places()[name]] = value
    return row
