"""Draws quantities channel by channel, each with its uncertainties: whatever a procedure found over a layer's axes."""

# Much of what matplotlib takes is of unknown type.
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from calibration.report.health import Health
from calibration.report.wording import axis_label, handy
from ffzero_lab.device.record import LayerRecord, Quantity
from ffzero_lab.figures.palette import CYCLE, GREY, VERMILLION

FloatArray = NDArray[np.float64]
INVISIBLE = 0.01
"""Share of the values' range under which error bars cannot be seen, and are told in a strip or in the title."""
SHORT = 40
"""Values up to which several quantities stand side by side."""
ACROSS = 3
WRAPPED_AT = {True: 44, False: 130}
"""Characters of a title, above narrow axes and above wide ones."""
NAMES = {"parameter": "parameter", "mzi": "MZI", "output": "output", "input": "input", "pair": "pair"}


def over_channels(layer: LayerRecord, quantities: Mapping[str, Quantity], health: Health) -> Figure:
    """Draw *quantities*, by name, which share an axis."""
    named = list(quantities.items())
    first = named[0][1]
    marked, gone = _marked(first.axis, health)
    if len(first.values) <= SHORT and first.axis != "parameter":
        across = min(ACROSS, len(named))
        width = 3.75 if across > 1 else 5.6
        figure = Figure(figsize=(width * across, 2.35 * -(-len(named) // across)), layout="constrained")
        for place, (name, quantity) in enumerate(named):
            axes = figure.add_subplot(-(-len(named) // across), across, place + 1)
            _points(axes, name, quantity, [np.arange(len(quantity.values))], [NAMES.get(quantity.axis, "number")])
            _mark(axes, quantity, marked, gone)
            axes.set_xlabel(NAMES.get(quantity.axis, "number"))
        return figure
    groups, labels = _groups(layer, first)
    heights = [height for _, quantity in named for height in ((1.9, 0.7) if _needs_strip(quantity) else (1.9,))]
    figure = Figure(figsize=(11.2, 1.05 * sum(heights) + 0.5), layout="constrained")
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    row = 0
    for name, quantity in named:
        axes = figure.add_subplot(grid[row])
        _points(axes, name, quantity, groups, labels)
        _mark(axes, quantity, marked, gone)
        row += 1
        if _needs_strip(quantity):
            axes.tick_params(labelbottom=False)
            strip = figure.add_subplot(grid[row], sharex=axes)
            _uncertainties(strip, quantity, groups)
            axes, row = strip, row + 1
        axes.set_xlabel(NAMES.get(quantity.axis, "number"), labelpad=1)
        if name == named[0][0] and len(groups) > 1:
            figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def _points(
    axes: Axes, name: str, quantity: Quantity, groups: Sequence[NDArray[np.intp]], labels: Sequence[str]
) -> None:
    values, spread, unit = handy(quantity)
    size = 4.0 if len(values) <= 200 else 2.0
    for colour, places, label in zip(CYCLE * len(groups), groups, labels, strict=False):
        bars = np.nan_to_num(spread[places])
        axes.errorbar(
            places,
            values[places],
            bars,
            fmt="o",
            color=colour,
            markersize=size,
            elinewidth=1.0,
            capsize=1.5,
            label=label,
        )
    known = values[np.isfinite(values)]
    if known.size:
        axes.axhline(float(np.median(known)), color=GREY, linewidth=0.8, linestyle="--", zorder=1)
    axes.set_xlim(-0.7, len(values) - 0.3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    told = f"{name}: {quantity.about}" if quantity.about else name
    if len(values) <= SHORT and _needs_strip(quantity):
        told += f" (u about {np.nanmedian(np.where(spread > 0.0, spread, np.nan)):.1g})"
    axes.set_title(fill(told, WRAPPED_AT[len(values) <= SHORT]), fontsize=8)
    axes.set_ylabel(axis_label("value", unit), fontsize=8)


def _uncertainties(axes: Axes, quantity: Quantity, groups: Sequence[NDArray[np.intp]]) -> None:
    _, spread, unit = handy(quantity)
    spread = np.where(spread > 0.0, spread, np.nan)
    for colour, places in zip(CYCLE * len(groups), groups, strict=False):
        axes.plot(places, spread[places], ".", color=colour, markersize=4.0)
    axes.set_yscale("log")
    low, high = np.nanmin(spread), np.nanmax(spread)
    axes.set_ylim(low / 1.6, high * 1.6)
    axes.set_yticks(
        [low, high] if high > 1.5 * low else [low],
        labels=[f"{tick:.1g}" for tick in ([low, high] if high > 1.5 * low else [low])],
    )
    axes.minorticks_off()
    axes.set_ylabel(axis_label("u", unit), fontsize=8)


def _mark(axes: Axes, quantity: Quantity, marked: Sequence[int], gone: Sequence[int]) -> None:
    values = handy(quantity)[0]
    for index in marked:
        if index < len(values) and np.isfinite(values[index]):
            axes.plot(index, values[index], "o", markersize=11, markerfacecolor="none", markeredgecolor=VERMILLION)
    across = axes.get_xaxis_transform()
    for index in gone:
        axes.plot(
            index, 0.04, "x", transform=across, color=VERMILLION, markersize=6, markeredgewidth=1.8, clip_on=False
        )


def _marked(axis: str, health: Health) -> tuple[list[int], list[int]]:
    """Return the channels out of family, and those that are dead."""
    if axis == "parameter":
        return list(health.warned), list(health.dead)
    if axis == "output":
        return list(health.warned_outputs), list(health.dead_outputs)
    return [], []


def _groups(layer: LayerRecord, quantity: Quantity) -> tuple[list[NDArray[np.intp]], list[str]]:
    count = len(quantity.values)
    if quantity.axis == "parameter" and sum(prod(shape) for shape in layer.groups.values()) == count:
        ends = np.cumsum([0, *(prod(shape) for shape in layer.groups.values())])
        return [np.arange(a, b) for a, b in pairwise(ends.tolist())], list(layer.groups)
    return [np.arange(count)], [NAMES.get(quantity.axis, "number")]


def _needs_strip(quantity: Quantity) -> bool:
    values, spread = quantity.array, quantity.spread
    known, bars = values[np.isfinite(values)], spread[np.isfinite(spread) & (spread > 0.0)]
    return bool(known.size > 1 and bars.size and np.median(bars) < INVISIBLE * np.ptp(known))
