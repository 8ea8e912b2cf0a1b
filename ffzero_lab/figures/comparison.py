"""Draws a comparison of rules: the score on the validation part against loss evaluations."""

# Much of what matplotlib takes is of unknown type.
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ffzero_lab.figures.drawing import plainly

LABELS = {
    "ffzero": "ffzero: a loss for each layer, measured slopes",
    "bp-dd": "bp-dd: one loss at the end, measured slopes",
    "ff-ad": "ff-ad: a loss for each layer, slopes of the model",
    "bp-ad": "bp-ad: one loss at the end, slopes of the model",
}
COLOURS = {"ffzero": "#0072B2", "bp-dd": "#D55E00", "ff-ad": "#56B4E9", "bp-ad": "#E69F00"}
"""Of Okabe and Ito's palette, which the colour-blind can tell apart; local losses are blue, global ones orange."""
SCORES = {"accuracy": "accuracy", "r2": "R²"}


def draw(told: Mapping[str, Any], path: Path) -> None:
    """Write the figure of a comparison to *path* (PNG).

    Lines are means over the seeds on the part held back, bands reach from the lowest to the highest seed; points at
    the right are means on the test part.
    """
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.add_subplot()
    for rule, result in told["rules"].items():
        colour, style = COLOURS[rule], "--" if rule.endswith("ad") else "-"
        runs = result["runs"]
        evaluations = np.array([point[0] for point in runs[0]["curve"]])
        scores = np.array([[point[1] for point in run["curve"]] for run in runs])
        axes.plot(evaluations, scores.mean(axis=0), style, color=colour, label=LABELS[rule])
        axes.fill_between(evaluations, scores.min(axis=0), scores.max(axis=0), color=colour, alpha=0.15, linewidth=0)
        spent = runs[0]["evaluations"]
        axes.errorbar(spent, result["mean"], result["deviation"], marker="o", color=colour, capsize=3, clip_on=False)
    axes.set_xlabel("loss evaluations (an exact gradient counts as two)")
    axes.set_ylabel(f"{SCORES[told['measure']]} on the part held back; points: on the test part")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.set_title(plainly(f"{told['dataset']} on {told['device']}"), loc="left", fontsize="medium")
    axes.legend(fontsize="small", loc="lower right")
    figure.savefig(path, dpi=150)
