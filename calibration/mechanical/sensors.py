"""Sensors of a lattice: zero, noise, resolution, which see nothing, and whether displacements are linear in the loads.

Zero: dead weights pull when no input does, so a reading without load is no zero. When all springs are set stiffer by
one common factor κ, every displacement shrinks by the same 1/κ, whatever the single springs, creep and play are: the
response to the inputs by 1/κ, and the reading without load to o + w/κ. The line of the one over the other ends at o; it
is bent a little where a spring does not follow, or is cubic, so a parabola is fitted.

Gains are not told here. Stretching the nodes, K → D K D, turns one sound lattice into another, and gains of loads and
gauges by D⁻¹ hide it: at any one setting of springs nobody can tell them apart. `actuators` can, from many settings.

Whether displacements are linear in the loads: see `calibration.mechanical.nonlinearity`.
"""

import numpy as np
from numpy.typing import NDArray

from calibration.mechanical.gauging import LEAST_SHARE, SIGMAS, dead_sensors, detrended, resolution, zeros
from calibration.mechanical.loads import balanced, response, size_of, why_not_mechanical
from calibration.mechanical.nonlinearity import Nonlinearity, nonlinearity
from calibration.mechanical.settings import common, drawn, scaled, share_that_fits
from calibration.procedure import Bench, Outcome, Sweep
from calibration.saturation import saturated
from ffzero_lab.device import Counts, DarkBatch
from ffzero_lab.device.record import Finding, Quantity

FloatArray = NDArray[np.float64]
LEVELS = (0.4, 0.55, 0.7, 0.85, 1.0)
"""Common factors of all springs, on the logarithm between the ends of what is left of the range."""
SHOTS = 512
"""Least number of readings at each level."""
REPEATS = 1024
"""Readings of one pattern, for the noise."""
SETTINGS = 12
"""Random settings at which every sensor ought to answer."""
FILLS = 0.6
"""Share of the range that the largest loads of the linearity check take."""


class Sensors:
    """Zeros, noise, resolution, linearity and dead sensors."""

    name = "sensors"
    needs: tuple[str, ...] = ()
    finds: tuple[str, ...] = ("dead", "stuck at an end of its range")
    waits_s = 0.0

    def suits(self, bench: Bench) -> str:
        """Return why nothing is said: only displacements of a lattice go by its stiffness."""
        return why_not_mechanical(bench)

    def predicted(self, bench: Bench) -> Counts:
        """Return the readings of levels, repeats, random settings and loads."""
        size = size_of(bench.described.n_inputs)
        loads = 4 * size * _repeats(2 * size) + 2 * size  # tried before they are measured, here and at the levels
        shots = len(LEVELS) * size * _repeats(size) + 2 * REPEATS + SETTINGS * size + loads
        return Counts(writes=len(LEVELS) + SETTINGS + 4, readings=len(LEVELS) + SETTINGS + 4, shots=shots)

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
        clipped = np.asarray(saturated(described, random).any(axis=(0, 1)))
        stuck = np.asarray(saturated(described, random).all(axis=(0, 1)))
        dead = dead_sensors(answers, uncertainty, stuck_at_an_end=stuck)
        alive = np.setdiff1d(np.arange(described.n_outputs), [*dead, *bench.dead_outputs])
        zero = zeros(levels, balanced(bench, float(levels["share"])), noise, described.output_upper)
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
                "1",
                "output",
                bent.share,
                bent.spread,
                "share of the displacement that a cubic term takes off at the largest loads",
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


def _repeats(size: int) -> int:
    return -(-SHOTS // size)


def _repeated(bench: Bench) -> Sweep:
    """Read (K, n_out) one pattern again and again in the middle of the range; another one keeps the batch alive."""
    bench.device.load_inputs(bench.layer, balanced(bench)[:2])
    readings = bench.device.probe(bench.layer, common(bench, 0.5)[np.newaxis], np.tile(np.arange(2), REPEATS))[0]
    return {"readings": readings[::2]}


def _levels(bench: Bench) -> Sweep:
    """Read mean (L, B, n_out) at one random setting times common factors, soft ones first.

    Tells which outputs count at which levels: not those that saturate, and none where all is nothing but noise.
    """
    described = bench.described
    share = share_that_fits(bench, scaled(bench, LEVELS[0])[np.newaxis], FILLS)
    patterns = balanced(bench, share)
    bench.device.load_inputs(bench.layer, patterns)
    repeats = _repeats(len(patterns))
    rows = np.tile(np.arange(len(patterns)), repeats)
    means = np.zeros((len(LEVELS), len(patterns), described.n_outputs))
    usable = np.zeros((len(LEVELS), described.n_outputs), dtype=np.bool_)
    for place, level in enumerate(LEVELS):
        try:
            readings = bench.device.probe(bench.layer, scaled(bench, level)[np.newaxis], rows)[0]
        except DarkBatch:
            continue
        means[place] = readings.reshape(repeats, len(patterns), -1).mean(axis=0)
        usable[place] = ~saturated(described, readings).any(axis=0)
    return {"readings": means, "usable": usable, "repeats": np.array(repeats), "share": np.array(share)}


def _random(bench: Bench) -> Sweep:
    """Read (M, B, n_out) at random settings."""
    patterns = balanced(bench)
    bench.device.load_inputs(bench.layer, patterns)
    settings = np.stack([drawn(bench, number) for number in range(SETTINGS)])
    return {"readings": bench.device.probe(bench.layer, settings, np.arange(len(patterns)))}


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
    readings = bench.device.probe(bench.layer, setting, rows)[0]
    by_block = readings.reshape(repeats, 4, len(both), -1)
    return {
        "readings": np.stack([by_block[:, [0, 3]].mean(axis=(0, 1)), by_block[:, [1, 2]].mean(axis=(0, 1))]),
        "repeats": np.array(2 * repeats),
        "saturated": np.asarray(saturated(bench.described, readings).any(axis=0)),
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
        Finding(
            severity="fault", where=f"layer {bench.layer}, input {load}", what="pulls at nothing: no output answers"
        )
        for load in np.flatnonzero(by_load <= least)
    ]


def _of_springs(bench: Bench, bent: Nonlinearity) -> list[Finding]:
    if not bent.is_seen:
        return []
    share = f"{100.0 * abs(bent.overall):.2g} %"
    how = f"{share} short" if bent.overall > 0.0 else f"{share} beyond proportion"
    what = f"displacements are not linear in the loads: {how} at the largest, as by cubic springs"
    return [Finding(severity="warning", where=f"layer {bench.layer}", what=what)]
