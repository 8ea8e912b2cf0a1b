"""From the readings of one step to loss differences along its directions: by pairs, or by a group and its mean."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import Reach
from ffzero_lab.rule.slopes import against_the_mean, output_differences
from ffzero_lab.training.judgement import Judge, Judgement, Wanted

FloatArray = NDArray[np.float64]
ReadingOrder = Literal["pair", "abba", "group"]

SIGNS: dict[ReadingOrder, tuple[float, ...]] = {
    "pair": (1.0, -1.0),
    "abba": (1.0, -1.0, -1.0, 1.0),
    "group": (1.0,),
}
"""Sides of the parameters on which each direction is read, in order."""


@dataclass(frozen=True)
class LayerTask:
    """What a layer is trained on; its patterns are staged already.

    Attributes
    ----------
    where
        Device and layer, for messages.
    rows
        (T,) staged rows that training may draw.
    wanted
        (S,) class, or scaled target, of each staged row.
    base
        (S, C) similarity that earlier layers contribute; zeros where the layer stands alone.
    judge
        The local objective.
    attributed
        Whether the loss is told apart by outputs; else by the channels that have losses of their own.
    reach
        What each parameter can influence of what is told apart; None where there is one loss and nothing else.
    score
        Scores similarities (B, C).
    """

    where: str
    rows: NDArray[np.intp]
    wanted: Wanted
    base: FloatArray
    judge: Judge
    attributed: bool
    reach: Reach | None
    score: Callable[[FloatArray, Wanted], float]


@dataclass(frozen=True)
class Compared:
    """What one step saw.

    Attributes
    ----------
    differences
        Loss on one side less that on the other of each direction, (K,), or (K, P) by reach or by channel.
    loss, score
        Means over what was judged.
    dark
        Most patterns under the detection floor in anything judged.
    over_error
        RMS difference of the whole loss over its standard error, see :func:`over_standard_error`.
    """

    differences: FloatArray
    loss: float
    score: float
    dark: int
    over_error: float | None = None


def compare(task: LayerTask, order: ReadingOrder, outputs: FloatArray, rows: NDArray[np.intp]) -> Compared:
    """Compare outputs (K, readings, B, n) of K directions, read in *order*, on the staged *rows* (B,)."""
    wanted, base = task.wanted[rows], task.base[rows]

    def judge(seen: FloatArray) -> Judgement:
        return task.judge(seen, wanted, base)

    if order == "group":
        differences, judged, by_pattern = _in_a_group(task, outputs[:, 0], judge)
    else:
        pairs = [_compare_pair(task, *_sides(readings), judge) for readings in outputs]
        differences = np.array([difference for difference, _, _ in pairs])
        judged = [seen for _, of_pair, _ in pairs for seen in of_pair]
        by_pattern = np.array([shares for _, _, shares in pairs])
    differences = differences[:, 0] if task.reach is None else task.reach.sum_reached(differences)
    return Compared(
        differences,
        loss=float(np.mean([seen.loss for seen in judged])),
        score=float(np.mean([task.score(seen.similarity, wanted) for seen in judged])),
        dark=max(seen.dark for seen in judged),
        over_error=over_standard_error(by_pattern) if task.attributed or task.judge.together else None,
    )


def over_standard_error(by_pattern: FloatArray) -> float | None:
    """Return the RMS of K sums over patterns over their standard error, from the shares (K, B) of the patterns.

    The standard error is that of a sum of B independent shares, √B times their standard deviation: it holds the noise
    of the readings and the scatter among patterns. Where there is no slope, the square is 1 on average. None where
    nothing scatters.
    """
    n_patterns = by_pattern.shape[1]
    if n_patterns < 2:
        return None
    sums = by_pattern.sum(axis=1)
    apart = (by_pattern - sums[:, np.newaxis] / n_patterns).ravel()
    squares = float(apart @ apart) * n_patterns / (n_patterns - 1.0)  # var would take ten times as long
    return float(np.sqrt(float(sums @ sums) / squares)) if squares > 0.0 else None


Judging = Callable[[FloatArray], Judgement]


def _compare_pair(
    task: LayerTask, above: FloatArray, below: FloatArray, judge: Judging
) -> tuple[FloatArray, list[Judgement], FloatArray]:
    """Return the difference of the losses by channel, or by output at the midpoint of the outputs.

    Beside what was judged come the shares (B,) of the patterns in the difference of the whole loss, to first order.
    """
    if not task.attributed:
        seen = [judge(above), judge(below)]
        slope = 0.5 * (seen[0].slope[0] + seen[1].slope[0])
        return seen[0].losses - seen[1].losses, seen, _shares(slope, seen[0].similarity - seen[1].similarity)
    middle = judge(0.5 * (above + below))
    slope, change = task.judge.slope_in_outputs(middle), above - below
    return output_differences(slope, change), [middle], _shares(slope, change)


def _in_a_group(task: LayerTask, outputs: FloatArray, judge: Judging) -> tuple[FloatArray, list[Judgement], FloatArray]:
    """Return the differences of each of K readings from their mean, as large as those of pairs, and their shares."""
    if not task.attributed:
        seen = [judge(reading) for reading in outputs]
        mean = np.mean([one.similarity for one in seen], axis=0)
        shares = np.stack([_shares(one.slope[0], one.similarity - mean) for one in seen])
        return against_the_mean(np.array([one.losses for one in seen])), seen, shares
    mean = outputs.mean(axis=0)
    middle = judge(mean)
    slope = task.judge.slope_in_outputs(middle)
    per_output = np.stack([output_differences(slope, reading) for reading in outputs])
    return against_the_mean(per_output), [middle], np.stack([_shares(slope, reading - mean) for reading in outputs])


def _shares(slope: FloatArray, change: FloatArray) -> FloatArray:
    """Return what each pattern contributes, (B,), to the change of a loss with that slope (B, n)."""
    return np.einsum("bn,bn->b", slope, change)


def _sides(readings: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the outputs (B, n) above and below the parameters from the readings of one direction, in order."""
    if len(readings) == len(SIGNS["pair"]):
        return readings[0], readings[1]
    return 0.5 * (readings[0] + readings[3]), 0.5 * (readings[1] + readings[2])
