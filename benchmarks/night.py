"""A night of 24 hours on the virtual clock: how much a trained network loses with the sentinel, and without it.

``python benchmarks/night.py --seeds 20``: a chip of 8 ports, driven in volts, preset typical (phases drift as an
Ornstein-Uhlenbeck walk of 0.02 rad and 1 h), is calibrated and trained on iris in the evening, and held for 24 hours.
The sentinel reads its reference every 12 hours and has the chip calibrated again when it has changed. In the morning
the test part is measured through the newest record, and beside it through that of the evening, on the same chip at the
same time: that is the night without the sentinel. Every seed is another chip, with other noise and another training.
With ``--dataset digits --layers 2`` two such meshes tell six digits apart.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from scipy.stats import t as students_t

from ffzero_lab.datasets import load_dataset

CLASSES = 6
PROTOCOL = """
[protocol]
title = "A night"
kind = "photonic"

[device]
name = "twin:photonic"
ports = 8
layers = {layers}
drive = "volts"
preset = "typical"
seed = {seed}

[sentinel]
every = "12h"
bound = {bound}
on_drift = "recalibrate"
calibrate = "measure"
most = 2
begin_at = "hold"

[[step]]
name = "measure"
kind = "calibrate"
only = ["detectors", "modulators", "electrical", "fringes", "offsets"]
seed = {seed}

[[step]]
name = "train"
kind = "train"
settings = {{ dataset = "{dataset}", steps = {steps}, batch = 128, seed = {seed}, baselines = false }}

[[step]]
name = "evening"
kind = "evaluate"
run_of = "${{train.run}}"
times = {times}

[[step]]
name = "hold"
kind = "drift-check"
duration = "24h"
every = "4h"

[[step]]
name = "morning"
kind = "evaluate"
run_of = "${{train.run}}"
times = {times}

[[step]]
name = "without"
kind = "evaluate"
run_of = "${{train.run}}"
record = "${{measure.record}}"
times = {times}
"""


def write_digits(path: Path) -> None:
    """Write six of the ten digits, averaged to 2 x 4 cells: eight numbers for eight ports."""
    digits = load_dataset("digits")

    def cells(images: Any) -> Any:
        return images.reshape(-1, 4, 2, 2, 4).mean(axis=(2, 4)).reshape(-1, 8)

    parts = {}
    for name, inputs, labels in (
        ("", digits.train_inputs, digits.train_labels),
        ("_test", digits.test_inputs, digits.test_labels),
    ):
        own = labels < CLASSES
        parts |= {f"x{name}": cells(inputs[own]), f"y{name}": labels[own].astype(str)}
    np.savez(path, **parts)


def night(seed: int, *, dataset: str, layers: int, steps: int, times: int, bound: float) -> dict[str, Any]:
    """Carry out one night; returns what was found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_digits(folder / "digits.npz")
        told = "npz:digits.npz" if dataset == "digits" else dataset
        content = PROTOCOL.format(seed=seed, dataset=told, layers=layers, steps=steps, times=times, bound=bound)
        (folder / "night.toml").write_text(content)
        command = [sys.executable, "-m", "ffzero_lab", "run", "night.toml", "--json"]
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise SystemExit(f"seed {seed} ended with {ended.returncode}: {ended.stdout[-2000:]}{ended.stderr[-2000:]}")
        summary = json.loads(ended.stdout)
    found = {step["name"]: step["results"] for step in summary["steps"]}
    return {
        "seed": seed,
        **{name: found[name]["score"] for name in ("evening", "morning", "without")},
        "change": found["hold"]["last_change"],
        "recalibrations": summary["sentinel"]["recalibrations"],
        "device_hours": summary["device_seconds"] / 3600.0,
    }


def interval(losses: list[float]) -> tuple[float, float]:
    """Return mean and half width of the 95 % interval of a mean, by Student's t."""
    if len(losses) < 2:
        return losses[0], float("nan")
    half = float(students_t.ppf(0.975, len(losses) - 1)) * stdev(losses) / len(losses) ** 0.5
    return fmean(losses), half


def main() -> None:
    """Carry out the nights and print the losses in points."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--dataset", default="iris", help="iris, or digits: six of them, averaged to eight numbers")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2000, help="steps of training in each layer")
    parser.add_argument("--times", type=int, default=10, help="measurements of the test part each time")
    parser.add_argument("--bound", type=float, default=0.01, help="change of the reference that is calibrated again")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    nights: list[dict[str, Any]] = []
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        nights.append(
            night(
                seed,
                dataset=arguments.dataset,
                layers=arguments.layers,
                steps=arguments.steps,
                times=arguments.times,
                bound=arguments.bound,
            )
        )
        if not arguments.json:
            each = nights[-1]
            print(
                f"seed {seed}: evening {each['evening']:.1%}, morning {each['morning']:.1%} "
                f"({each['recalibrations']} re-calibrations), without {each['without']:.1%}; "
                f"reference changed by {each['change']:.1%}",
                flush=True,
            )
    told = {}
    for arm in ("morning", "without"):
        mean, half = interval([100.0 * (each["evening"] - each[arm]) for each in nights])
        told[arm] = {"loss_points": mean, "half_width": half, "upper_end": mean + half}
    if arguments.json:
        print(json.dumps({"nights": nights, **told}, indent=2))
        return
    for arm, name in (("morning", "with the sentinel"), ("without", "without it")):
        each = told[arm]
        print(
            f"{name}: loss {each['loss_points']:.2f} ± {each['half_width']:.2f} points, upper end of the 95 % interval "
            f"{each['upper_end']:.2f} (asked for with the sentinel: at most 1)"
        )


if __name__ == "__main__":
    main()
