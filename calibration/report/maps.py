"""Maps of a layer: each parameter's cell coloured by a quantity, or by what is wrong with it."""

# Much of what matplotlib takes is of unknown type.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections import Counter

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch
from numpy.typing import NDArray

from calibration.report.health import Health
from ffzero_lab.figures.chip_map import (
    NAMED_CELLS,
    canvas,
    cells_of,
    coloured_cells,
    cross_out,
    write_in_cell,
    write_in_cells,
)
from ffzero_lab.figures.palette import GREY, INK, ORANGE, PALE, PURPLE, SKY, VALUES, VERMILLION, YELLOW
from ffzero_lab.figures.plan import Plan

FloatArray = NDArray[np.float64]
WORDED = {"open": VERMILLION, "short": PURPLE, "stuck": ORANGE, "dark": INK, "dead": VERMILLION}
OTHERWISE = GREY
LIVE, WARNED, UNKNOWN = SKY, YELLOW, "#FFFFFF"
NAMED_FAULTS = 24
ROBUST = 4.0
"""Robust standard deviations around the median that the colours span: a single outlier may not wash out all others."""


def health_map(plan: Plan, health: Health) -> Figure:
    """Draw what is wrong with which parameter and output."""
    figure, axes = canvas(plan)
    colours = [LIVE] * len(plan.cells)
    for index in health.warned:
        colours[index] = WARNED
    for index, word in health.dead.items():
        colours[index] = WORDED.get(word, OTHERWISE)
    axes.add_collection(cells_of(plan, range(len(colours)), facecolor=colours, edgecolor=INK, linewidth=0.5, zorder=3))
    if len(plan.cells) <= NAMED_CELLS:
        for index, short in enumerate(plan.short):
            colour = "white" if colours[index] in {VERMILLION, INK, OTHERWISE} else INK
            write_in_cell(axes, plan, index, short, colour)
    _outputs(axes, plan, health)
    _callouts(axes, plan, health)
    counted = Counter(health.dead.values())
    handles = [
        Patch(facecolor=LIVE, edgecolor=INK, label=f"moves ({len(plan.cells) - len(health.dead) - len(health.warned)})")
    ]
    if health.warned:
        handles.append(Patch(facecolor=WARNED, edgecolor=INK, label=f"out of family ({len(health.warned)})"))
    handles += [
        Patch(facecolor=WORDED.get(word, OTHERWISE), edgecolor=INK, label=f"{word} ({count})")
        for word, count in sorted(counted.items())
    ]
    if health.dead_outputs:
        handles.append(
            Patch(facecolor=WORDED["dead"], edgecolor=INK, label=f"dead outputs ({len(health.dead_outputs)})")
        )
    figure.legend(handles=handles, loc="outside lower left", ncols=min(7, len(handles)), fontsize=9)
    return figure


def value_map(
    plan: Plan, values: FloatArray, health: Health, label: str, *, span: tuple[float, float] | None = None
) -> Figure:
    """Draw *values* (P,), NaN where unknown, over the range *span* or a robust one; dead cells are crossed out."""
    figure, axes = canvas(plan)
    known = np.isfinite(values)
    low, high = _robust_span(values[known]) if span is None else span
    norm, colour_map = Normalize(low, high), colormaps[VALUES]
    seen = np.flatnonzero(known)
    shown = coloured_cells(axes, plan, values, seen, norm, colour_map)
    unknown = np.flatnonzero(~known)
    axes.add_collection(cells_of(plan, unknown, facecolor=UNKNOWN, edgecolor=GREY, linewidth=0.8, zorder=3))
    for index in unknown.tolist():
        cross_out(axes, plan, index, VERMILLION if index in health.dead else GREY)
    flagged = list(health.warned)
    axes.add_collection(cells_of(plan, flagged, facecolor="none", edgecolor=VERMILLION, linewidth=2.2, zorder=4))
    write_in_cells(axes, plan, values, seen, norm, colour_map)
    _outputs(axes, plan, health)
    extend = _extend(values[known], low, high)
    figure.colorbar(shown, ax=axes, label=label, shrink=0.7, aspect=28, pad=0.01, extend=extend)
    return figure


def _outputs(axes: Axes, plan: Plan, health: Health) -> None:
    for output, (x, y) in enumerate(plan.outputs.tolist()):
        dead, warned = output in health.dead_outputs, output in health.warned_outputs
        colour = WORDED["dead"] if dead else WARNED if warned else PALE
        axes.add_patch(Circle((x, y), 0.17, facecolor=colour, edgecolor=INK, linewidth=0.6, zorder=4))
        if dead:
            _cross_at(axes, x, y)


def _cross_at(axes: Axes, x: float, y: float) -> None:
    axes.plot([x - 0.12, x + 0.12], [y - 0.12, y + 0.12], color="white", linewidth=1.2, zorder=5)
    axes.plot([x - 0.12, x + 0.12], [y + 0.12, y - 0.12], color="white", linewidth=1.2, zorder=5)


def _callouts(axes: Axes, plan: Plan, health: Health) -> None:
    """Write beside the worst what is wrong, as long as there are few."""
    told = {**health.dead, **dict.fromkeys(health.warned, "out of family")}
    if len(told) > NAMED_FAULTS:
        return
    for index, word in told.items():
        x, y, _, height = plan.cells[index].tolist()
        axes.text(
            x,
            y - height / 2 - 0.07,
            f"{plan.short[index]} {word}",
            ha="center",
            va="bottom",
            fontsize=7.5,
            weight="bold",
            color=VERMILLION if index in health.dead else INK,
            zorder=6,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.6},
        )


def _robust_span(values: FloatArray) -> tuple[float, float]:
    """Return the range of *values*, but no farther from the median than `ROBUST` robust standard deviations."""
    if values.size == 0:
        return 0.0, 1.0
    median = float(np.median(values))
    reach = ROBUST * 1.4826 * float(np.median(np.abs(values - median)))
    low, high = max(float(values.min()), median - reach), min(float(values.max()), median + reach)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _extend(values: FloatArray, low: float, high: float) -> str:
    below, above = bool((values < low).any()), bool((values > high).any())
    return "both" if below and above else "min" if below else "max" if above else "neither"
