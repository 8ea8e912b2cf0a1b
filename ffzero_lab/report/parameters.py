"""Parameters before and after training: where they were, where they are, how far they moved."""

# Much of what matplotlib takes is of unknown type.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ffzero_lab.device import LayerDescription, ParameterGroup
from ffzero_lab.figures.drawing import plainly
from ffzero_lab.figures.palette import BLUE, GREY, INK, ORANGE
from ffzero_lab.report.amplitudes import unit_on_scale
from ffzero_lab.training.scale import TrainedScale

FloatArray = NDArray[np.float64]
BINS = 48
MOST_GROUPS = 6


def moved(layer: LayerDescription, before: FloatArray, after: FloatArray) -> FloatArray:
    """Return how far the parameters (P,) moved on the trained scale, periodic ones by the shorter way round."""
    scale = TrainedScale(layer)
    change = scale.coordinates(after) - scale.coordinates(before)
    period = layer.per_parameter("period")
    turns = np.isfinite(period)
    change[turns] -= period[turns] * np.round(change[turns] / period[turns])
    return change


def before_and_after(layer: LayerDescription, before: FloatArray, after: FloatArray) -> Figure:
    """Draw the distributions of values before and after training, and of their change, for each group."""
    edges = np.cumsum([0, *(group.size for group in layer.groups)]).tolist()
    change = moved(layer, before, after)
    groups = list(zip(layer.groups, pairwise(edges), strict=True))[:MOST_GROUPS]
    figure = Figure(figsize=(9.6, 1.9 * len(groups) + 0.5), layout="constrained")
    panels = figure.subplots(len(groups), 2, squeeze=False, gridspec_kw={"width_ratios": (1.5, 1.0)})
    for (group, edge), (left, right) in zip(groups, panels, strict=True):
        own = slice(*edge)
        bins = _bins(group, np.concatenate([before[own], after[own]]))
        if group.scale == "log":
            left.set_xscale("log")
        left.hist(after[own], bins=bins, histtype="stepfilled", color=BLUE, alpha=0.75, label="after")
        left.hist(before[own], bins=bins, histtype="step", color=INK, linewidth=1.2, label="before")
        left.set_xlabel(plainly(f"{group.name} / {group.unit}"))
        left.set_ylabel("parameters")
        left.set_title(plainly(f"{group.name} ({group.size:,})"))
        right.hist(change[own], bins=BINS, histtype="stepfilled", color=ORANGE)
        right.axvline(0.0, color=GREY, linewidth=1.0, linestyle="--")
        right.set_xlabel(plainly(f"change / {unit_on_scale(group)}"))
        rms = float(np.sqrt(np.mean(change[own] ** 2)))
        right.set_title(f"moved by {rms:.3g} RMS")
    panels[0, 0].legend(loc="upper right")
    return figure


def _bins(group: ParameterGroup, values: FloatArray) -> FloatArray:
    low, high = float(values.min()), float(values.max())
    if high <= low:
        low, high = low - 0.5 * abs(low) - 1e-9, high + 0.5 * abs(high) + 1e-9
    return np.geomspace(low, high, BINS + 1) if group.scale == "log" else np.linspace(low, high, BINS + 1)
