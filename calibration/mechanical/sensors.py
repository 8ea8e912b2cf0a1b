"""Sensors of a lattice: zero, noise, resolution, which see nothing, and whether displacements are linear in the loads.

Zero: dead weights pull when no input does, so a reading without load is no zero. When all springs are set stiffer by one
common factor κ, every displacement shrinks by the same 1/κ, whatever the single springs, creep and play are: the response
to the inputs by 1/κ, and the reading without load to o + w/κ. The line of the one over the other ends at o; it is bent
a little where a spring does not follow, or is cubic, so a parabola is fitted.

Gains are not told here. Stretching the nodes, K → D K D, turns one sound lattice into another, and gains of loads and
gauges by D⁻¹ hide it: at any one setting of springs nobody can tell them apart. `actuators` can, from many settings.

Linearity: a spring with a force k·u + c·u³ gives less than twice the displacement for twice the load (Duffing).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.mechanical.loads import balanced, response, saturated, size_of, why_not_mechanical
from calibration.mechanical.settings import common, drawn, scaled, share_that_fits
from calibration.photonic.contexts import probe
from calibration.procedure import Bench, Outcome, Sweep
from ffzero_lab.device import Counts, DarkBatch
from ffzero_lab.device.record import Finding, Quantity

FloatArray = NDArray[np.float64]
LEVELS = (0.4, 0.55, 0.7, 0.85, 1.0)
"""Common factors of all springs, on the logarithm between the ends of what is left of the range."""
FEWEST = 4
"""Levels that a zero takes at least."""
SHOTS = 512
"""Least number of readings at each level."""
REPEATS = 1024
"""Readings of one pattern, for the noise."""
SETTINGS = 12
"""Random settings at which every sensor ought to answer."""
SIGMAS = 5.0
LEAST_SHARE = 1e-3
"""An output that answers less than this share of the median one does sees nothing."""
BENT = 1e-3
"""Share by which full loads miss proportionality from which on a lattice is called nonlinear."""
FILLS = 0.6
"""Share of the range that the largest loads of the linearity check take."""


class Sensors:
    """Zeros, noise, resolution, linearity and dead sensors."""

    name = "sensors"
    needs: tuple[str, ...] = ()

    def suits(self, bench: Bench) -> str:
        """Return why nothing is said: only displacements of a lattice go by its stiffness."""
        return why_not_mechanical(bench)

    def predicted(self, bench: Bench) -> Counts:
        """Return the readings of levels, repeats, random settings and loads."""
        size = size_of(bench.described.n_inputs)
        loads = 4 * size * _repeats(2 * size) + size
        shots = len(LEVELS) * size * _repeats(size) + 2 * REPEATS + SETTINGS * size + loads
        return Counts(writes=len(LEVELS) + SETTINGS + 3, readings=len(LEVELS) + SETTINGS + 4, shots=shots)

    def run(self, bench: Bench) -> Outcome:
        """Measure, and judge each sensor and each load."""
        described = bench.described
        loaded = bench.kept("loads", lambda: _loaded(bench))
        repeated = np.asarray(bench.kept("repeats", lambda: _repeated(bench))["readings"], dtype=np.float64)
        levels = bench.kept("levels", lambda: _levels(bench))
        random = np.asarray(bench.kept("settings", lambda: _random(bench))["readings"], dtype=np.float64)
        noise = detrended(repeated).std(axis=0, ddof=2)
        noise_spread = noise / np.sqrt(2.0 * (len(repeated) - 2))
        patterns = balanced(bench)
        answers = response(random, patterns)[0]
        uncertainty = noise / (np.abs(patterns[0, 0]) * np.sqrt(len(patterns)))
        clipped: NDArray[np.bool_] = saturated(described, random).any(axis=(0, 1))
        dead = dead_sensors(answers, uncertainty, stuck_at_an_end=saturated(described, random).all(axis=(0, 1)))
        alive = np.setdiff1d(np.arange(described.n_outputs), [*dead, *bench.dead_outputs])
        zero = zeros(levels, balanced(bench), noise, described.output_upper)
        bent = nonlinearity(loaded, noise, alive)
        steps = np.array(
            [resolution(np.concatenate([repeated[:, j], random[..., j].ravel()])) for j in range(described.n_outputs)]
        )
        unit = described.output_unit
        about_noise = "standard deviation of one reading, as a fraction of full scale"
        by_load, by_load_spread = _by_load(answers[..., alive, :], uncertainty[alive])
        quantities = {
            "offset": Quantity.of(unit, "output", *zero, "reading at zero force"),
            "noise": Quantity.of(
                "1", "output", noise / described.output_upper, noise_spread / described.output_upper, about_noise
            ),
            "resolution": Quantity.of(unit, "output", steps, 0.0, "step between readings; none: too fine to be seen"),
            "nonlinearity": Quantity.of(
                "1", "output", bent.share, bent.spread, "share of the displacement that a cubic term takes off at the largest loads"
            ),
            "load_response": Quantity.of(
                f"{unit}/{described.input_unit}",
                "input",
                by_load,
                np.nan,
                "RMS response of the outputs to an input, at the random settings of this calibration",
            ),
        }
        return Outcome(
            quantities,
            (*_of_sensors(bench, dead, clipped), *_of_loads(bench, by_load, by_load_spread), *_of_springs(bench, bent)),
            dead_outputs=dead,
        )


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


def dead_sensors(
    answers: FloatArray, uncertainty: FloatArray, stuck_at_an_end: NDArray[np.bool_]
) -> dict[int, str]:
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


def _repeats(size: int) -> int:
    return -(-SHOTS // size)


def _repeated(bench: Bench) -> Sweep:
    """Read (K, n_out) one pattern again and again in the middle of the range; another one keeps the batch alive."""
    bench.device.load_inputs(bench.layer, balanced(bench)[:2])
    readings = probe(bench, common(bench, 0.5)[np.newaxis], np.tile(np.arange(2), REPEATS))[0]
    return {"readings": readings[::2]}


def _levels(bench: Bench) -> Sweep:
    """Read mean (L, B, n_out) at one random setting times common factors, soft ones first.

    Tells which outputs count at which levels: not those that saturate, and none where all is nothing but noise.
    """
    patterns, described = balanced(bench), bench.described
    bench.device.load_inputs(bench.layer, patterns)
    repeats = _repeats(len(patterns))
    rows = np.tile(np.arange(len(patterns)), repeats)
    means = np.zeros((len(LEVELS), len(patterns), described.n_outputs))
    usable = np.zeros((len(LEVELS), described.n_outputs), dtype=np.bool_)
    for place, level in enumerate(LEVELS):
        try:
            readings = probe(bench, scaled(bench, level)[np.newaxis], rows)[0]
        except DarkBatch:
            continue
        means[place] = readings.reshape(repeats, len(patterns), -1).mean(axis=0)
        usable[place] = ~saturated(described, readings).any(axis=0)
    return {"readings": means, "usable": usable, "repeats": np.array(repeats)}


def _random(bench: Bench) -> Sweep:
    """Read (M, B, n_out) at random settings."""
    patterns = balanced(bench)
    bench.device.load_inputs(bench.layer, patterns)
    settings = np.stack([drawn(bench, number) for number in range(SETTINGS)])
    return {"readings": probe(bench, settings, np.arange(len(patterns)))}


def _loaded(bench: Bench) -> Sweep:
    """Read mean (2, B, n_out) under full and half loads, −x after x, where springs are parked: cubic ones show most.

    Full, half, half, full, so that creep drops out. Outputs that saturate, or nearly, are told.
    """
    bench.device.park()
    setting = common(bench, 0.0)[np.newaxis]
    share = share_that_fits(bench, setting, FILLS)
    patterns = balanced(bench, share)
    half = len(patterns) // 2
    both = np.concatenate([patterns[:half], -patterns[:half]])
    full, halved = np.arange(len(both)), len(both) + np.arange(len(both))
    bench.device.load_inputs(bench.layer, np.concatenate([both, 0.5 * both]))
    repeats = _repeats(2 * len(both))
    rows = np.tile(np.concatenate([full, halved, halved, full]), repeats)
    readings = probe(bench, setting, rows)[0]
    by_block = readings.reshape(repeats, 4, len(both), -1)
    return {
        "readings": np.stack([by_block[:, [0, 3]].mean(axis=(0, 1)), by_block[:, [1, 2]].mean(axis=(0, 1))]),
        "repeats": np.array(2 * repeats),
        "saturated": saturated(bench.described, readings).any(axis=0),
    }


def _by_load(answers: FloatArray, uncertainty: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the RMS response (n_in,) beyond noise, and what noise alone makes it scatter by."""
    squares = (answers**2).mean(axis=(0, 1)) - float((uncertainty**2).mean())
    samples = answers.shape[0] * answers.shape[1]
    by_noise = float(np.sqrt((uncertainty**2).mean())) * (2.0 / samples) ** 0.25
    return np.sqrt(np.maximum(squares, 0.0)), np.full(len(squares), by_noise)


def _of_sensors(bench: Bench, dead: dict[int, str], clipped: NDArray[np.bool_]) -> list[Finding]:
    described = bench.described
    found = [
        Finding(severity="fault", where=f"layer {bench.layer}, {described.output_name(output)}", what=what)
        for output, what in ((o, "follows no load" if why == "dead" else why) for o, why in dead.items())
    ]
    return found + [
        Finding(
            severity="note",
            where=f"layer {bench.layer}, {described.output_name(int(output))}",
            what="is saturated by full loads on soft springs; such readings are left out",
        )
        for output in np.flatnonzero(clipped)
        if int(output) not in dead
    ]


def _of_loads(bench: Bench, by_load: FloatArray, spread: FloatArray) -> list[Finding]:
    least = np.maximum(SIGMAS * spread, LEAST_SHARE * float(np.median(by_load)))
    return [
        Finding(severity="fault", where=f"layer {bench.layer}, input {load}", what="pulls at nothing: no output answers")
        for load in np.flatnonzero(by_load <= least)
    ]


def _of_springs(bench: Bench, bent: Nonlinearity) -> list[Finding]:
    if not bent.is_seen:
        return []
    what = (
        f"displacements are not linear in the loads: {100.0 * bent.overall:.2g} % short at the largest, as hardening "
        "(cubic) springs make them"
        if bent.overall > 0.0
        else f"displacements are not linear in the loads: {-100.0 * bent.overall:.2g} % beyond proportion at the largest"
    )
    return [Finding(severity="warning", where=f"layer {bench.layer}", what=what)]


