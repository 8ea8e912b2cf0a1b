"""Draws fringes: a gallery with fits and residuals, and all of them laid upon one another."""

# Much of what matplotlib takes is of unknown type.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calibration.report.fringe_choice import Background, Swept
from ffzero_lab.figures.palette import BLUE, CYCLE, GREY, INK, ORANGE, VERMILLION

ACROSS = 6
LEAST_RESIDUAL = 5.0
"""The residuals' axis reaches so many standard deviations of the noise at least."""


def gallery(swept: Sequence[Swept], unit: str, output_unit: str) -> Figure:
    """Draw each fringe's first background with its fit, later ones fainter, and below what the fits leave."""
    across = min(ACROSS, len(swept))
    down = -(-len(swept) // across)
    width, height = max(4.0, 1.95 * across), 2.0 * down + 0.45
    figure = Figure(figsize=(width, height))  # placed by hand: to find room for all these axes takes seconds
    edges = {"left": 0.55 / width, "right": 1.0 - 0.08 / width, "bottom": 0.42 / height, "top": 1.0 - 0.22 / height}
    heights = [*[3.0, 0.95, 0.95] * (down - 1), 3.0, 0.95]  # the third of each row is the space before the next
    grid = figure.add_gridspec(len(heights), across, height_ratios=heights, wspace=0.24, hspace=0.1, **edges)
    for place, each in enumerate(swept):
        row, column = divmod(place, across)
        above, below = figure.add_subplot(grid[3 * row, column]), figure.add_subplot(grid[3 * row + 1, column])
        _fringe(above, each)
        _residuals(below, each)
        below.sharex(above)
        above.locator_params(nbins=4)
        below.locator_params(axis="x", nbins=4)
        above.tick_params(labelbottom=False, labelsize=6.5, length=2, pad=1.5)
        below.tick_params(labelsize=6.5, length=2, pad=1.5)
        if place + across >= len(swept):
            below.set_xlabel(f"s / {unit}", fontsize=8)
        if column == 0:
            above.set_ylabel(output_unit, fontsize=8)
            below.set_ylabel("left / σ", fontsize=7)
    return figure


def collapse(swept: Sequence[Swept], groups: Sequence[str]) -> Figure:
    """Draw all readings of all fringes, (z − a)/b over κ s + c: they lie on one cosine as far as fits are right."""
    figure = Figure(figsize=(8.5, 3.4), layout="constrained")
    axes = figure.add_subplot()
    turn = np.linspace(0.0, 2.0, 200)
    axes.plot(turn, np.cos(np.pi * turn), color=INK, linewidth=1.0, zorder=3)
    for colour, group in zip(CYCLE, dict.fromkeys(groups), strict=False):
        parts = [
            (each.kappa, part)
            for each, own in zip(swept, groups, strict=True)
            if own == group and np.isfinite(each.kappa)
            for part in each.backgrounds
            if part.amplitude > 0.0
        ]
        if parts:
            x = np.concatenate([(kappa * part.s + part.phase) / np.pi % 2.0 for kappa, part in parts])
            y = np.concatenate([(part.readings - part.offset) / part.amplitude for _, part in parts])
            axes.plot(x, y, ".", color=colour, markersize=3.0, alpha=0.6, label=group)
    axes.set_xlabel("phase of the fringe / π")
    axes.set_ylabel("(intensity − offset) / amplitude")
    axes.set_xlim(0.0, 2.0)
    figure.legend(loc="outside right upper", markerscale=2.5)
    return figure


def _fringe(axes: Axes, each: Swept) -> None:
    dark = not np.isfinite(each.kappa)
    for number, part in reversed(list(enumerate(each.backgrounds))):
        first = number == 0
        colour = VERMILLION if dark else BLUE
        if not dark:
            s = np.linspace(float(part.s.min()), float(part.s.max()), 120)
            fit = part.offset + part.amplitude * np.cos(each.kappa * s + part.phase)
            axes.plot(s, fit, color=ORANGE if first else "#CBD2D9", linewidth=1.3 if first else 0.7)
        axes.plot(part.s, part.readings, ".", color=colour if first else "#9AA5B1", markersize=5 if first else 2.5)
    told = "dark" if dark else f"V {each.visibility:.2f}"
    axes.set_title(f"{each.name}  {told}", fontsize=7.5, color=VERMILLION if dark else INK, pad=2)
    first = each.backgrounds[0]
    reach = [] if dark else [first.offset - first.amplitude, first.offset + first.amplitude]
    seen = np.concatenate([*(part.readings for part in each.backgrounds), reach])
    room = 0.08 * float(np.ptp(seen)) or 1.0
    axes.set_ylim(min(0.0, float(seen.min())) - room, float(seen.max()) + room)


def _residuals(axes: Axes, each: Swept) -> None:
    axes.axhline(0.0, color=GREY, linewidth=0.6)
    reach = LEAST_RESIDUAL
    for number, part in reversed(list(enumerate(each.backgrounds))):
        left = _left(each, part)
        if left.size:
            reach = max(reach, float(np.abs(left).max()) * 1.15)
        axes.plot(
            part.s[: left.size],
            left,
            ".",
            color=BLUE if number == 0 else "#9AA5B1",
            markersize=4 if number == 0 else 2.5,
        )
    axes.set_ylim(-reach, reach)
    axes.set_yticks([-LEAST_RESIDUAL, 0.0, LEAST_RESIDUAL])
    if not np.isfinite(each.kappa):
        axes.text(0.5, 0.5, "no fit", transform=axes.transAxes, ha="center", va="center", fontsize=7, color=GREY)


def _left(each: Swept, part: Background) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    if not np.isfinite(each.kappa) or part.noise <= 0.0:
        return np.empty(0)
    return (part.readings - part.offset - part.amplitude * np.cos(each.kappa * part.s + part.phase)) / part.noise
