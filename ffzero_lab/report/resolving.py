"""The perturbation against what the device can set: an ε near the resolution measures rounding."""

# Much of what matplotlib takes is of unknown type.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from ffzero_lab.figures.drawing import plainly
from ffzero_lab.figures.page import Table
from ffzero_lab.figures.palette import BLUE, INK, ORANGE, VERMILLION
from ffzero_lab.report.amplitudes import Used


def epsilon_table(used: Sequence[Used]) -> Table:
    """Return the amplitudes by layer and group."""
    rows = tuple(
        (
            f"layer {each.layer}",
            each.group,
            ", ".join(f"{epsilon:.3g}" for epsilon in each.epsilon) or "not chosen yet",
            f"{each.resolution:.3g}" if each.resolution else "not stated",
            f"{each.steps:.3g}" if each.resolution and each.epsilon else "",
            each.unit,
        )
        for each in used
    )
    return Table(("layer", "group", "ε (RMS)", "resolution", "ε in steps", "unit"), rows)


def epsilon_figure(used: Sequence[Used]) -> Figure:
    """Draw ε beside resolution, layer by layer and group by group, where a resolution is stated."""
    shown = [each for each in used if each.resolution > 0.0 and each.epsilon]
    figure = Figure(figsize=(9.6, 1.3 + 0.3 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    for place, each in enumerate(shown):
        named = place == 0
        axes.plot(
            [0.5, 1.0], [place, place], color=ORANGE, linewidth=7.0, solid_capstyle="butt",
            label="half a step to one step of the resolution" if named else None,
        )  # fmt: skip
        multiples = [epsilon / each.resolution for epsilon in each.epsilon]
        axes.plot(
            multiples, [place] * len(multiples), linestyle="none", marker="o", color=BLUE, markeredgecolor=INK,
            label="ε, as it was used" if named else None,
        )  # fmt: skip
    axes.axvline(0.5, color=VERMILLION, linestyle="--", linewidth=1.0, label="refused to the left")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(shown)), [plainly(f"layer {each.layer}, {each.group}") for each in shown])
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlabel("RMS amplitude / steps of the resolution")
    figure.legend(loc="outside lower center", ncols=3)
    return figure
