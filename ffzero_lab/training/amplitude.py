"""Measures slopes against the amplitude of the perturbation, at the parameters and for the loss of the moment."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import LayerDescription
from ffzero_lab.errors import InputError
from ffzero_lab.rule.amplitude import Amplitude, best_amplitude, ladder
from ffzero_lab.rule.directions import DirectionDraw
from ffzero_lab.rule.randomness import For, generator
from ffzero_lab.training.scale import MOST_MULTIPLE, TrainedScale
from ffzero_lab.training.settings import TrainSettings
from ffzero_lab.training.slopes import Prober

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]

AMPLITUDES, REPEATS, DIRECTIONS = 7, 2, 12
"""How many amplitudes are measured, how often, and along how many directions."""
EVALUATED = AMPLITUDES * REPEATS * DIRECTIONS
"""Slopes that one choice of the amplitude takes."""
LEAST = 1e-3
"""Least amplitude that is tried, in typical changes, where the resolution is finer."""
RESAMPLED, CLEARLY, SURELY = 20, 0.98, 0.9
"""Resamplings, share of the best correlation below which an amplitude is clearly worse, and in how many of them."""
CHANNELS = 4096
"""Losses of which moments are taken; more are thinned out evenly."""


@dataclass(frozen=True)
class Curve:
    """Slopes as they were measured.

    Attributes
    ----------
    multiples
        (A,) amplitudes as multiples of the typical change.
    slopes
        (A, R, K, Q) loss per typical change.
    """

    multiples: FloatArray
    slopes: FloatArray


def multiples_for(where: str, described: LayerDescription) -> FloatArray:
    """Return the amplitudes to measure at, between half of the coarsest resolution and what the ranges have room for.

    Raises InputError where resolution and range leave nothing in between.
    """
    scale = TrainedScale(described)
    lowest = max(LEAST, scale.coarsest_step)
    highest = min(MOST_MULTIPLE, scale.most_room)
    if not 2.0 * lowest <= highest:
        raise InputError(
            f"epsilon 'auto': {where} has steps of {2.0 * lowest:.3g} and room for {highest:.3g} typical changes, "
            "which leaves no amplitudes to choose from; name an epsilon"
        )
    return ladder(lowest, highest, AMPLITUDES)


def measure_curve(
    prober: Prober,
    described: LayerDescription,
    multiples: FloatArray,
    draw: DirectionDraw,
    parameters: FloatArray,
    rows: Rows,
) -> Curve:
    """Measure slopes at *parameters* (P,), on the trained scale, on the staged *rows* (B,), every pair on all of them.

    Parameters stand back from their bounds by the largest perturbation while this lasts. Raises the device's errors.
    """
    directions = draw.draw(0, DIRECTIONS)
    room = np.abs(prober.moves(directions, float(multiples[-1]))).max(axis=0)
    settled = TrainedScale(described).box.shrunk(room).settle(parameters).values
    slopes = [
        [prober.slopes_along(directions, float(multiple), settled, rows) for _ in range(REPEATS)]
        for multiple in multiples
    ]
    measured = np.array(slopes).reshape(len(multiples), REPEATS, DIRECTIONS, -1)
    thinned = measured[..., :: -(-measured.shape[-1] // CHANNELS)]
    return Curve(multiples, thinned)


def fitted(curve: Curve, described: LayerDescription, settings: TrainSettings) -> Amplitude:
    """Return the best amplitude by a measured curve, with the model behind it."""
    step = TrainedScale(described).rms_step
    return best_amplitude(curve.multiples, curve.slopes, odd=settings.readings != "group", step=step)


def resampled(curve: Curve, described: LayerDescription, settings: TrainSettings, seed: int) -> tuple[Amplitude, ...]:
    """Return the best amplitudes by curves of directions drawn anew from those measured (Efron 1979, bootstrap)."""
    rng, count = np.random.default_rng(seed), curve.slopes.shape[2]
    draws = rng.integers(count, size=(RESAMPLED, count))
    return tuple(fitted(Curve(curve.multiples, curve.slopes[:, :, draw]), described, settings) for draw in draws)


def settled_on(
    best: Amplitude, before: float | None, whose: str, others: Sequence[Amplitude] = ()
) -> tuple[float, str]:
    """Return the amplitude to use, and why: the one from *before* unless the *best* one here is surely better.

    It is surely better when the one from before is clearly worse by nearly all the *others*, which are as likely as
    the best one: by a few directions amid noise, almost anything can look best.
    """
    if before is None:
        return best.multiple, "measured here; no calibration record recommends one"
    kept = best.kept_at(before)
    told = f"{whose}, {before:.3g} typical changes"
    if best.is_as_good(before):
        return before, f"{told}, keeps {kept:.1%} of the best correlation of measured slopes"
    against = sum((one.kept_at(before) or 0.0) < CLEARLY for one in others)
    if against < SURELY * len(others):
        return before, f"{told}: {len(others) - against} of {len(others)} resamplings of these slopes find it no worse"
    if kept is None:
        return best.multiple, f"measured here; {told}, is outside of what slopes could be fitted to"
    why = "with more curvature" if before > best.best else "with more noise"
    return best.multiple, f"measured here; {told}, keeps {kept:.1%} of the best correlation of measured slopes, {why}"


def amplitude_looks(steps: int) -> tuple[int, ...]:
    """Return before which of a layer's *steps* the amplitude is measured: the first, and the one in the middle."""
    return (0, steps // 2) if steps > 1 else (0,)


def calibration_draw(
    settings: TrainSettings, groups: list[NDArray[np.intp]], n_coordinates: int, layer: int, step: int
) -> DirectionDraw:
    """Return a draw of directions of the kind that training uses, but never the same ones."""
    seed = int(generator(settings.seed, For.AMPLITUDE, layer, step).integers(2**62))
    return DirectionDraw(settings.directions, groups, n_coordinates, seed, layer)
