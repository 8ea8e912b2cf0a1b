"""What the test part answered: confusions, similarity with the prototypes, predicted against true numbers."""

# Much of what matplotlib takes is of unknown type.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ffzero_lab.figures.chip_map import legible_on
from ffzero_lab.figures.drawing import plainly
from ffzero_lab.figures.palette import BLUE, INK
from ffzero_lab.kept import Evaluation
from ffzero_lab.rule.readout import ReadoutName, predicted_classes, predicted_numbers

FloatArray = NDArray[np.float64]
SHARES, SIGNED = "Blues", "PuOr_r"
"""Colour maps: of shares, and of what has a sign; both for colour-blind eyes as well."""
WRITTEN = 20
"""Classes up to which numbers stand in the cells."""
NAMED = 40
"""Classes up to which they are named at the axes."""
POINTS = 3000
"""Most points of a scatter."""
ACROSS = 3
MOST_LAYERS = 9
"""Layers of which similarities are drawn."""


def confusion_of(evaluation: Evaluation, readout: ReadoutName, n_classes: int) -> NDArray[np.int64]:
    """Return (C, C) how many test patterns of each class, down, were answered with each class, across."""
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(counts, (evaluation.wanted, predicted_classes(evaluation.similarity, readout)), 1)
    return counts


def confusion(counts: NDArray[np.int64], classes: Sequence[str]) -> Figure:
    """Draw a matrix of confusions, coloured by the share of each class's patterns."""
    n = len(classes)
    side = float(np.clip(0.42 * n + 2.0, 4.2, 8.0))
    figure = Figure(figsize=(side + 1.0, side), layout="constrained")
    axes = figure.add_subplot()
    norm, total = Normalize(0.0, 1.0), counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    shown = axes.imshow(shares, cmap=SHARES, norm=norm, interpolation="nearest")
    if n <= WRITTEN:
        _write(
            axes,
            shares,
            [[f"{count}" if count else "" for count in row] for row in counts.tolist()],
            norm,
            SHARES,
        )
    _name(axes, classes, "answered", "true class")
    figure.colorbar(shown, ax=axes, label="share of the true class's patterns", shrink=0.8, pad=0.02)
    return figure


def mean_similarity(similarity: FloatArray, wanted: NDArray[np.int64]) -> FloatArray:
    """Return (C, C) the mean similarity of each class, down, with each prototype, across; NaN without patterns."""
    n = similarity.shape[-1]
    means = np.full((n, n), np.nan)
    for number in range(n):
        own = similarity[wanted == number]
        if len(own):
            means[number] = own.mean(axis=0)
    return means


def prototypes(evaluation: Evaluation, classes: Sequence[str]) -> Figure:
    """Draw how similar the classes are to the prototypes, layer by layer."""
    layers = [mean_similarity(own, evaluation.wanted) for own in evaluation.similarity[:MOST_LAYERS]]
    across = min(ACROSS, len(layers))
    down = ceil(len(layers) / across)
    side = {1: 5.0, 2: 4.9, 3: 3.7}[across]
    figure = Figure(figsize=(across * side + 1.0, down * side), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel().tolist()
    norm = CenteredNorm(0.0, halfrange=float(np.nanmax(np.abs(layers))) or 1.0)
    shown = None
    for number, (axes, means) in enumerate(zip(panels, layers, strict=False)):
        shown = axes.imshow(means, cmap=SIGNED, norm=norm, interpolation="nearest")
        if len(classes) * across <= WRITTEN:
            _write(
                axes, means, [[f"{round(mean, 2) + 0.0:.2f}" for mean in row] for row in means.tolist()], norm, SIGNED
            )
        _name(axes, classes, "prototype", "true class")
        axes.set_title(f"layer {number}")
    for axes in panels[len(layers) :]:
        axes.set_axis_off()
    if shown is not None:
        figure.colorbar(shown, ax=panels, label="mean similarity (cosine)", shrink=0.8, pad=0.01)
    return figure


def predicted_and_true(
    evaluation: Evaluation, readout: ReadoutName, span: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Return predicted and true numbers (T,) of the test part, in the targets' own unit; *span* is their range."""
    middle, half = 0.5 * (span[0] + span[1]), 0.5 * (span[1] - span[0])
    predicted = predicted_numbers(evaluation.similarity, readout)
    return middle + half * predicted, middle + half * np.asarray(evaluation.wanted, dtype=np.float64)


def regression(predicted: FloatArray, true: FloatArray) -> Figure:
    """Draw predicted against true numbers, and what is left of each."""
    figure = Figure(figsize=(9.6, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": (1.1, 1.0)})
    every = ceil(len(true) / POINTS)
    span = float(min(true.min(), predicted.min())), float(max(true.max(), predicted.max()))
    left.plot(span, span, color=INK, linestyle="--", linewidth=1.0, label="predicted = true")
    left.plot(
        true[::every], predicted[::every], linestyle="none", marker=".", color=BLUE, alpha=0.6, label="test pattern"
    )
    left.set_aspect("equal")
    left.set_xlabel("true target / the data's unit")
    left.set_ylabel("predicted target / the data's unit")
    left.legend(loc="upper left")
    right.hist(predicted - true, bins=min(60, max(10, len(true) // 8)), color=BLUE)
    right.axvline(0.0, color=INK, linestyle="--", linewidth=1.0)
    right.set_xlabel("predicted − true / the data's unit")
    right.set_ylabel("test patterns")
    return figure


def _write(axes: Axes, values: FloatArray, words: Sequence[Sequence[str]], norm: Normalize, colours: str) -> None:
    size = 8.0 if len(values) <= 12 else 6.0
    for row, of_row in enumerate(words):
        for column, word in enumerate(of_row):
            if word and np.isfinite(values[row, column]):
                ink = legible_on(colormaps[colours](norm(values[row, column])))
                axes.text(column, row, word, ha="center", va="center", fontsize=size, color=ink)


def _name(axes: Axes, classes: Sequence[str], across: str, down: str) -> None:
    axes.grid(visible=False)
    axes.set_xlabel(across)
    axes.set_ylabel(down)
    if len(classes) > NAMED:
        return
    places = range(len(classes))
    short = [name if len(name) <= 16 else f"{name[:15]}…" for name in classes]
    turned = max(len(name) for name in short) > 3
    shown = [plainly(name) for name in short]
    axes.set_xticks(places, shown, rotation=90 if turned and len(short) > 4 else 0)
    axes.set_yticks(places, shown)
