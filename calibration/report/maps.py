"""Maps of a layer: each parameter's cell coloured by a quantity, or by what is wrong with it."""

# Much of what matplotlib takes is of unknown type.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections import Counter

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch, Rectangle
from numpy.typing import NDArray

from calibration.report.health import Health
from ffzero_lab.figures.palette import GREY, INK, ORANGE, PALE, PURPLE, SKY, VALUES, VERMILLION, YELLOW
from ffzero_lab.figures.plan import Plan

FloatArray = NDArray[np.float64]
WORDED = {"open": VERMILLION, "short": PURPLE, "stuck": ORANGE, "dark": INK, "dead": VERMILLION}
OTHERWISE = GREY
LIVE, WARNED, UNKNOWN = SKY, YELLOW, "#FFFFFF"
NAMED_CELLS = 160
"""Cells up to which their names and values stand in them."""
NAMED_FAULTS = 24
TALLEST = 7.0
"""Inches."""
ROBUST = 4.0
"""Robust standard deviations around the median that the colours span: a single outlier may not wash out all others."""


def health_map(plan: Plan, health: Health) -> Figure:
    """Draw what is wrong with which parameter and output."""
    figure, axes = _canvas(plan)
    colours = [LIVE] * len(plan.cells)
    for index in health.warned:
        colours[index] = WARNED
    for index, word in health.dead.items():
        colours[index] = WORDED.get(word, OTHERWISE)
    axes.add_collection(PatchCollection(_rectangles(plan), facecolor=colours, edgecolor=INK, linewidth=0.5, zorder=3))
    if len(plan.cells) <= NAMED_CELLS:
        for index, short in enumerate(plan.short):
            colour = "white" if colours[index] in {VERMILLION, INK, OTHERWISE} else INK
            _write(axes, plan, index, short, colour)
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
    figure, axes = _canvas(plan)
    known = np.isfinite(values)
    low, high = _robust_span(values[known]) if span is None else span
    norm, colour_map = Normalize(low, high), colormaps[VALUES]
    rectangles = _rectangles(plan)
    shown = PatchCollection(
        [rectangle for rectangle, is_known in zip(rectangles, known, strict=True) if is_known],
        cmap=colour_map,
        norm=norm,
        edgecolor=INK,
        linewidth=0.5,
        zorder=3,
    )
    shown.set_array(values[known])
    axes.add_collection(shown)
    unknown = [rectangle for rectangle, is_known in zip(rectangles, known, strict=True) if not is_known]
    axes.add_collection(PatchCollection(unknown, facecolor=UNKNOWN, edgecolor=GREY, linewidth=0.8, zorder=3))
    for index in np.flatnonzero(~known):
        _cross(axes, plan, int(index), VERMILLION if index in health.dead else GREY)
    flagged = [rectangles[index] for index in health.warned]
    axes.add_collection(PatchCollection(flagged, facecolor="none", edgecolor=VERMILLION, linewidth=2.2, zorder=4))
    if len(plan.cells) <= NAMED_CELLS:
        for index in np.flatnonzero(known):
            colour = _legible_on(colour_map(norm(values[index])))
            _write(axes, plan, int(index), f"{plan.short[index]}\n{_brief(values[index])}", colour)
    _outputs(axes, plan, health)
    extend = _extend(values[known], low, high)
    figure.colorbar(shown, ax=axes, label=label, shrink=0.7, aspect=28, pad=0.01, extend=extend)
    return figure


def _canvas(plan: Plan) -> tuple[Figure, Axes]:
    left, top = (plan.cells[:, :2] - plan.cells[:, 2:] / 2).min(axis=0)
    right, bottom = (plan.cells[:, :2] + plan.cells[:, 2:] / 2).max(axis=0)
    places = [(x, y) for x, y, _ in plan.words] + [tuple(place) for place in plan.outputs]
    xs, ys = [left, right] + [x for x, _ in places], [top, bottom] + [y for _, y in places]
    width, height = max(xs) - min(xs) + 1.2, max(ys) - min(ys) + 1.0
    across = min(float(np.clip(0.75 * width, 7.5, 11.5)), TALLEST * width / height)
    figure = Figure(figsize=(across, max(2.5, across * height / width + 0.5)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlim(min(xs) - 0.6, max(xs) + 0.6)
    axes.set_ylim(max(ys) + 0.5, min(ys) - 0.5)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.add_collection(
        LineCollection([*plan.lines, *plan.guides], colors=GREY, linewidths=1.1 if len(plan.cells) < 2000 else 0.4)
    )
    small = 8.0 if len(plan.words) <= 24 else 5.5 if len(plan.words) <= 40 else 3.5
    for x, y, word in plan.words:
        axes.text(x, y, word, ha="center", va="center", fontsize=small).set_in_layout(False)
    return figure, axes


def _rectangles(plan: Plan) -> list[Rectangle]:
    return [Rectangle((x - w / 2, y - h / 2), w, h) for x, y, w, h in plan.cells.tolist()]


def _write(axes: Axes, plan: Plan, index: int, text: str, colour: str) -> None:
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


def _cross(axes: Axes, plan: Plan, index: int, colour: str) -> None:
    x, y, width, height = plan.cells[index].tolist()
    xs, ys = [x - width / 2, x + width / 2], [y - height / 2, y + height / 2]
    for course in (ys, ys[::-1]):
        axes.plot(xs, course, color=colour, linewidth=1.0, zorder=4)


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


def _legible_on(colour: tuple[float, float, float, float]) -> str:
    """Return white or ink, whichever stands out more (WCAG 2.1: relative luminance)."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "white" if luminance < 0.22 else INK


def _brief(value: float) -> str:
    return f"{value:.2f}" if 0.01 <= abs(value) < 100.0 else f"{value:.2g}"
