"""The size of a perturbation: the amplitude at which measured slopes tell most about the true ones, and the batch.

Slopes of single outputs, each the mean over a batch of random patterns as in a loss, are measured along a few random
directions of the kind that training uses, at a ladder of amplitudes. Noise and resolution make the variance of a slope
fall as 1/ε², curvature makes it wrong by ε²; `ffzero_lab.rule.amplitude` has the model. Training with ``epsilon =
"auto"`` measures again with its own loss.

Batch: patterns whose slopes differ like independent draws, of mean μ and variance S² = ρ μ², each with noise of
variance ν S², give from a batch of B an estimate whose squared cosine goes as B/(B + ρ (1 + ν)). A direction takes
2 (τp + B τx). Squared cosine by time is largest at B = √(ρ (1 + ν) τp/τx). Outputs know no labels: ρ is that of a loss
which asks the same of every pattern, a lower bound, and grows as training leaves the patterns little to agree on. The
squared cosine is proportional to the number K of directions and so is the time, as long as K is far below the number
of parameters: one direction a step is as good as any other number, and the newest.
"""

import numpy as np
from numpy.typing import NDArray

from calibration.photonic import contexts
from calibration.procedure import Bench, Outcome, Sweep
from ffzero_lab.device import Counts, LimitViolation
from ffzero_lab.device.record import Finding, Quantity
from ffzero_lab.errors import InputError
from ffzero_lab.rule.amplitude import Amplitude, best_amplitude
from ffzero_lab.rule.directions import DirectionDraw
from ffzero_lab.training.amplitude import multiples_for
from ffzero_lab.training.scale import TrainedScale

FloatArray = NDArray[np.float64]
DIRECTIONS, REPEATS, PATTERNS, POINTS = 4, 3, 24, 3
"""Directions at each of so many working points, and how often each is measured."""
LOSSES = 4096
RESAMPLED = 24
"""Resamplings of the directions for the uncertainties."""


class StepSize:
    """The recommended amplitude, its signal-to-noise, and the batch."""

    name = "epsilon"
    needs: tuple[str, ...] = ("latency",)
    finds: tuple[str, ...] = ()
    waits_s = 0.0

    def suits(self, bench: Bench) -> str:
        """Return why there is no amplitude to choose."""
        try:
            multiples_for(f"layer {bench.layer}", bench.described)
        except InputError as error:
            return str(error)
        return ""

    def predicted(self, bench: Bench) -> Counts:
        """Return two settings for each amplitude, repeat and direction."""
        amplitudes = len(multiples_for(f"layer {bench.layer}", bench.described))
        settings = 2 * amplitudes * REPEATS * DIRECTIONS * POINTS
        return Counts(writes=settings, readings=settings, shots=settings * PATTERNS)

    def run(self, bench: Bench) -> Outcome:
        """Measure slopes against amplitude at a few working points, and choose."""
        parts = [bench.kept(f"point {number}", lambda n=number: _measured(bench, n)) for number in range(POINTS)]
        multiples = np.asarray(parts[0]["multiples"], dtype=np.float64)
        slopes = np.concatenate([np.asarray(part["slopes"], dtype=np.float64) for part in parts], axis=2)
        slopes = slopes.reshape(*slopes.shape[:3], PATTERNS, -1) / bench.described.output_upper
        scale = TrainedScale(bench.described)
        best = best_amplitude(multiples, _of_batches(slopes), odd=True, step=scale.rms_step)
        near = int(np.argmin(np.abs(np.log(multiples / best.multiple))))
        drawn: list[NDArray[np.intp]] = [
            bench.rng(900 + n).integers(slopes.shape[2], size=slopes.shape[2]) for n in range(RESAMPLED)
        ]
        spread = _scatter(
            [
                best_amplitude(multiples, _of_batches(slopes[:, :, own]), odd=True, step=scale.rms_step).multiple
                for own in drawn
            ]
        )
        amounts = scale.by_group(scale.multiple(best.multiple))
        ratio = min(best.signal_to_noise, 1e6)
        spent = _times_s(bench)
        batch = best_batch(slopes[near], *spent)
        batch_spread = _scatter([best_batch(slopes[near][:, own], *spent) for own in drawn])
        quantities = {
            "multiple": Quantity.of("1", "layer", best.multiple, spread, "RMS amplitude in typical changes"),
            "signal_to_noise": Quantity.of(
                "1",
                "layer",
                ratio,
                spread / best.multiple * ratio,
                f"of the slope of one output, mean of {PATTERNS} patterns, there",
            ),
            "correlation": Quantity.of("1", "layer", best.correlation, np.nan, "of measured and true slopes, there"),
            "batch": Quantity.of(
                "patterns", "layer", batch, batch_spread, "√(ρ (1+ν) τp/τx), and more late in training"
            ),
            "directions_per_step": Quantity.of("1", "layer", 1.0, 0.0, "any number does as well; one is the newest"),
            "curve_multiple": Quantity.of("1", "time", best.multiples, 0.0, "amplitudes of the model curve"),
            "curve_correlation": Quantity.of("1", "time", best.correlations, np.nan, "the model curve"),
        }
        quantities |= {
            f"amplitude_{group}": Quantity.of(
                "trained scale", "layer", amount, amount * spread / best.multiple, f"RMS amplitude for {group}"
            )
            for group, amount in amounts.items()
        }
        return Outcome(quantities, _findings(bench, best, amounts, batch))


def best_batch(slopes: FloatArray, write_s: float, shot_s: float) -> float:
    """Return B = √(ρ (1 + ν) τp/τx) from slopes (R, K, B, n), measured R times, of B patterns; at least one.

    ρ (1 + ν) is the variance of one measured slope, between patterns and by noise, over the square of their mean. NaN
    where the mean cannot be told from zero, or a time is not known.
    """
    repeats, _, patterns, _ = slopes.shape
    noise = float(slopes.var(axis=0, ddof=1).mean())
    each: FloatArray = slopes.mean(axis=0)
    between = float(each.var(axis=1, ddof=1).mean())
    mean_square = float(np.square(each.mean(axis=1)).mean()) - between / patterns
    if mean_square <= 0.0 or write_s <= 0.0 or shot_s <= 0.0:
        return np.nan
    single = between + noise * (1.0 - 1.0 / repeats)
    return max(1.0, float(np.sqrt(single / mean_square * write_s / shot_s)))


def _times_s(bench: Bench) -> tuple[float, float]:
    """Return τp and τx, as measured, else as described."""
    timing = bench.device.description.timing
    measured = [bench.known.get(f"latency.{name}") for name in ("write", "shot")]
    write_s, shot_s = (
        described if quantity is None else max(float(quantity.array[0]), 0.0)
        for quantity, described in zip(measured, (timing.write_s, timing.shot_s), strict=True)
    )
    return write_s, shot_s


def _scatter(found: list[float]) -> float:
    """Return how much a result scatters when other directions are drawn (bootstrap over directions)."""
    finite = [each for each in found if np.isfinite(each)]
    return float(np.std(finite, ddof=1)) if len(finite) > RESAMPLED // 2 else np.nan


def _measured(bench: Bench, point: int) -> Sweep:
    """Measure slopes (A, R, K, Q) per typical change, of single outputs and patterns, at one working point."""
    described = bench.described
    scale = TrainedScale(described)
    multiples = multiples_for(f"layer {bench.layer}", described)
    alive = np.setdiff1d(described.alive, list(bench.dead))
    seed = int(bench.rng(100 + point).integers(2**31))
    directions = DirectionDraw("rademacher", [alive], described.n_parameters, seed, bench.layer).draw(0, DIRECTIONS)
    moves = directions * scale.multiple(1.0)
    centre = _centre(bench, scale, point, float(multiples[-1]) * np.abs(moves).max(axis=0))
    contexts.load(bench, contexts.coherent_patterns(bench, PATTERNS))
    rows, signs = np.arange(PATTERNS), np.array([1.0, -1.0])
    slopes = np.empty((len(multiples), REPEATS, DIRECTIONS, PATTERNS * described.n_outputs), dtype=np.float32)
    for place, multiple in enumerate(multiples.tolist()):
        at = scale.multiple(multiple) / scale.multiple(1.0)
        settings = scale.values((centre + (at * moves)[:, np.newaxis] * signs[:, np.newaxis]).reshape(-1, len(centre)))
        for repeat in range(REPEATS):
            readings = bench.device.probe(bench.layer, settings, rows).reshape(DIRECTIONS, 2, -1)
            slopes[place, repeat] = (readings[:, 0] - readings[:, 1]) / (2.0 * multiple)
    return {"multiples": multiples, "slopes": slopes}


def _centre(bench: Bench, scale: TrainedScale, point: int, room: FloatArray) -> FloatArray:
    """Return a working point (P,) on the trained scale with *room* around it, within the power that may be drawn."""
    described = bench.described
    lowest, highest = (coordinates for coordinates in scale.start())
    box = scale.box.shrunk(room)
    drawn = bench.rng(200 + point).uniform(lowest, highest)
    parked = scale.coordinates(np.clip(described.per_parameter("parked"), *_bounds(bench)))
    drawn[list(bench.dead)] = parked[list(bench.dead)]
    drawn[list(described.dead)] = parked[list(described.dead)]
    share = 1.0
    while True:
        centre = box.settle(parked + share * (drawn - parked)).values
        try:
            for sign in (-1.0, 1.0):
                bench.device.check_parameters(bench.layer, scale.values(centre + sign * room))
        except LimitViolation:
            share *= 0.9
            if share < 0.01:
                raise
            continue
        return centre


def _bounds(bench: Bench) -> tuple[FloatArray, FloatArray]:
    return bench.described.per_parameter("lower"), bench.described.per_parameter("upper")


def _of_batches(slopes: FloatArray) -> FloatArray:
    """Return slopes (A, R, K, n) of batches of all patterns from those (A, R, K, B, n) of single ones; thinned."""
    of_batches: FloatArray = slopes.mean(axis=3)
    return of_batches[..., :: max(1, -(-of_batches.shape[-1] // LOSSES))]


def _findings(bench: Bench, best: Amplitude, amounts: dict[str, float], batch: float) -> tuple[Finding, ...]:
    told = ", ".join(f"{group} {amount:.3g}" for group, amount in amounts.items())
    at_least = "" if np.isnan(batch) else f"; batches of {batch:.0f} patterns or more, one direction a step"
    what = f"recommended epsilon: {told} on the trained scale{at_least}"
    found = [Finding(severity="note", where=f"layer {bench.layer}", what=what)]
    if best.signal_to_noise < 0.3:
        found.append(
            Finding(
                severity="warning",
                where=f"layer {bench.layer}",
                what=f"slopes stand out of the noise by {best.signal_to_noise:.2g} only, even at the best amplitude",
            )
        )
    return tuple(found)
