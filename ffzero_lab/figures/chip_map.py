"""Draws the plan of a layer: what calibration and run reports have in common. Needs matplotlib."""

# Much of what matplotlib takes is of unknown type.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import Collection, LineCollection, PolyCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ffzero_lab.figures.palette import GREY, INK
from ffzero_lab.figures.plan import Plan

FloatArray = NDArray[np.float64]
Indices = NDArray[np.intp] | Sequence[int]
NAMED_CELLS = 160
"""Cells up to which their names and values stand in them."""
MANY_CELLS = 1200
"""Cells above which a drawing is kept as pixels within its SVG: thousands of shapes take browsers seconds."""
PALE_CELLS = 0.75
"""Opacity of many cells, under the light."""
ENLARGED = 1.5
"""By which the cells are larger than planned where there are many."""
MOST_WORDS = 48
"""Of more words beside the cells, every second or third is written."""
WORDS_SHARE = 0.035
"""Share of the width that such words take on either side."""
BAR = 0.9
"""Inches of width that a colour bar takes."""
TALLEST = 7.0
"""Inches."""


def canvas(plan: Plan, *, guides: bool = True, bars: int = 1) -> tuple[Figure, Axes]:
    """Return a figure and axes of the plan's proportions, with its lines and words, and room for so many colour bars.

    Waveguides are drawn in grey, unless *guides* is False.
    """
    left, top, right, bottom = plan.box
    every = ceil(len(plan.words) / MOST_WORDS)
    margin = 0.6 if every == 1 or plan.kind == "blocks" else 0.6 + WORDS_SHARE * (right - left)
    width, height = right - left + 2.0 * margin, bottom - top + 1.0
    across = min(float(np.clip(0.75 * width, 7.5, 11.5)), TALLEST * width / height)
    size = across + BAR * (bars - 1), max(2.5, across * height / width + (0.5 if bars == 1 else 0.1))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlim(left - margin, right + margin)
    axes.set_ylim(bottom + 0.5, top - 0.5)
    axes.set_aspect("equal")
    axes.set_axis_off()
    lines = [*plan.lines, *(plan.guides if guides else ())]
    many = len(plan.cells) > MANY_CELLS
    axes.add_collection(LineCollection(lines, colors=GREY, linewidths=0.4 if many else 1.1, rasterized=many))
    small = 8.0 if len(plan.words) <= MOST_WORDS // 2 else 6.5
    for place, (x, y, word) in enumerate(plan.words):
        if place % (len(plan.words) // 2 or 1) % every:
            continue
        outwards = "right" if x < (left + right) / 2 else "left"
        side = "left" if plan.kind == "blocks" else outwards if every > 1 else "center"
        written = axes.text(x, y, word, ha=side, va="center", fontsize=small)
        written.set_in_layout(False)
    return figure, axes


def cells_of(plan: Plan, indices: Indices, **style: object) -> PolyCollection:
    """Return the cells of some parameters, to be added to the axes."""
    x, y, width, height = plan.cells[indices].T
    if plan.kind == "mesh" and len(plan.cells) > MANY_CELLS:
        width, height = ENLARGED * width, ENLARGED * height
    across, along = np.array([-0.5, 0.5, 0.5, -0.5]), np.array([-0.5, -0.5, 0.5, 0.5])
    corners = np.stack(
        [x[:, np.newaxis] + width[:, np.newaxis] * across, y[:, np.newaxis] + height[:, np.newaxis] * along], axis=2
    )
    return PolyCollection(corners, rasterized=len(plan.cells) > MANY_CELLS, **style)  # pyright: ignore[reportArgumentType]


def coloured_cells(
    axes: Axes, plan: Plan, values: FloatArray, indices: Indices, norm: Normalize, colours: Colormap
) -> ScalarMappable:
    """Add the cells of the parameters *indices*, coloured by *values* (P,), and return what a colour bar needs.

    Tables of many cells are drawn as images.
    """
    if plan.kind == "blocks" and len(plan.cells) > MANY_CELLS:
        return _images(axes, plan, values, indices, norm, colours)
    many = len(plan.cells) > MANY_CELLS
    edge, alpha = (0.0, PALE_CELLS) if many else (0.5, 1.0)
    shown = cells_of(plan, indices, cmap=colours, norm=norm, edgecolor=INK, linewidth=edge, alpha=alpha, zorder=3)
    shown.set_array(values[indices])
    axes.add_collection(shown)
    return shown


def coloured_guides(axes: Axes, plan: Plan, shares: FloatArray, norm: Normalize, colours: Colormap) -> Collection:
    """Add the waveguides, coloured by *shares* (one for each guide) and the wider the larger they are."""
    many = len(plan.cells) > MANY_CELLS
    widest = 2.2 if many else 4.2
    widths = widest * np.clip(norm(shares), 0.12, 1.0)
    shown = LineCollection(
        list(plan.guides),
        cmap=colours,
        norm=norm,
        linewidths=widths,
        capstyle="round",
        rasterized=many,
        zorder=4 if many else 2,
    )
    shown.set_array(shares)
    axes.add_collection(shown)
    return shown


def write_in_cells(
    axes: Axes, plan: Plan, values: FloatArray, indices: Indices, norm: Normalize, colours: Colormap
) -> None:
    """Write name and value into the cells of some parameters, unless there are too many to be read."""
    if len(plan.cells) <= NAMED_CELLS:
        for index in indices:
            ink = legible_on(colours(norm(values[index])))
            write_in_cell(axes, plan, int(index), f"{plan.short[index]}\n{brief(values[index])}", ink)


def write_in_cell(axes: Axes, plan: Plan, index: int, text: str, colour: str) -> None:
    """Write *text* into a cell, along it."""
    x, y, width, height = plan.cells[index].tolist()
    upright = height > 1.5 * width
    size = 6.2 if len(plan.cells) <= 80 else 4.4
    written = axes.text(
        x,
        y,
        text,
        ha="center",
        va="center",
        fontsize=size,
        color=colour,
        zorder=5,
        linespacing=0.95,
        rotation=90 * upright,
    )
    written.set_in_layout(False)  # it is within a cell; asking each text for its place takes seconds


def cross_out(axes: Axes, plan: Plan, index: int, colour: str) -> None:
    """Cross a cell out."""
    x, y, width, height = plan.cells[index].tolist()
    xs, ys = [x - width / 2, x + width / 2], [y - height / 2, y + height / 2]
    for course in (ys, ys[::-1]):
        axes.plot(xs, course, color=colour, linewidth=1.0, zorder=4)


def legible_on(colour: Sequence[float]) -> str:
    """Return white or ink, whichever stands out more (WCAG 2.1: relative luminance)."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "white" if luminance < 0.22 else INK


def brief(value: float) -> str:
    """Return a number that fits a cell."""
    if 100.0 <= abs(value) < 10_000.0:
        return f"{value:.0f}"
    return f"{value:.2f}" if 0.01 <= abs(value) < 100.0 else f"{value:.2g}"


def _images(
    axes: Axes, plan: Plan, values: FloatArray, indices: Indices, norm: Normalize, colours: Colormap
) -> ScalarMappable:
    shown = np.full(len(values) + 1, np.nan)  # the last one stands for cells behind the end of a block
    shown[indices] = values[indices]
    for block in plan.blocks:
        top = block.y - 0.5 * block.row_height
        extent = (block.x - 0.5, block.x + block.columns - 0.5, top + block.rows * block.row_height, top)
        axes.imshow(
            shown[block.indices()], extent=extent, cmap=colours, norm=norm, interpolation="nearest", aspect="equal"
        )
    left, top, right, bottom = plan.box
    axes.set_xlim(left - 0.6, right + 0.6)  # an image sets the limits to its own
    axes.set_ylim(bottom + 0.5, top - 0.5)
    return ScalarMappable(norm, colours)
