"""Draws the learning curves of a finished run: ``python benchmarks/learning_curve.py RUN PICTURE``."""

import argparse
from itertools import groupby
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

from ffzero_lab.runs import RunReader

LAYER_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # Okabe and Ito: told apart by colour-blind readers


def draw(run: RunReader, picture: Path) -> None:
    """Draw accuracy and loss on the batch against training readings, one colour a layer."""
    summary = run.summary
    if summary is None:
        raise SystemExit(f"{run.path} is not complete")
    mpl.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure, (above, below) = plt.subplots(2, 1, figsize=(7.5, 5.2), sharex=True, height_ratios=(3, 2))
    steps = [row for row in run.metrics() if row["event"] == "step"]
    for layer, rows in groupby(steps, key=lambda row: row["layer"]):
        points = list(rows)
        readings = [row["readings"] / 1000 for row in points]
        colour = LAYER_COLOURS[layer % len(LAYER_COLOURS)]
        above.plot(readings, [row["score"] for row in points], color=colour, lw=1.2, label=f"training layer {layer}")
        below.plot(readings, [row["loss"] for row in points], color=colour, lw=1.2)
    result = summary["test_accuracy"][summary["readout"]]
    linear = summary["baselines"]["linear_classifier"]
    untrained = summary["baselines"]["untrained_device"][summary["readout"]]
    above.axhline(result, color="black", lw=1.0, label=f"test, both layers summed: {result:.1%}")
    above.axhline(linear, color="grey", lw=1.0, ls="--", label=f"test, linear classifier on the pixels: {linear:.1%}")
    above.axhline(untrained, color="grey", lw=1.0, ls=":", label=f"test, untrained device: {untrained:.1%}")
    above.set(ylabel="accuracy on the batch", ylim=(0.0, 1.02))
    above.legend(loc="center right", frameon=False, fontsize=9)
    below.set(ylabel="local loss", xlabel="readings of a batch of 512 patterns, in thousands", yscale="log")
    figure.suptitle(f"{summary['dataset']} on {summary['device']}, seed {summary['seed']}", x=0.02, ha="left")
    figure.tight_layout()
    figure.savefig(picture, dpi=150)


def main() -> None:
    """Read the arguments and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    draw(RunReader(arguments.run), arguments.picture)


if __name__ == "__main__":
    main()
