"""How the defaults compare with their neighbours, on a validation part of the digits' training data.

Run with ``OPENBLAS_NUM_THREADS=1 python benchmarks/defaults.py``. The test part is not looked at. Every seed is also
the seed of the twin.
"""

import argparse
import statistics
from typing import Any

from ffzero_lab import open_device
from ffzero_lab.datasets import load_dataset
from ffzero_lab.training import Checked, Session, TrainSettings

VARIANTS: list[dict[str, Any]] = [
    {},
    {"epsilon": 0.003},
    {"epsilon": 0.005},
    {"epsilon": 0.02},
    {"learning_rate": 0.01},
    {"directions": "orthogonal"},
    {"sharpness": 12.0},
    {"batch": 1024, "steps": 4000},
    {"directions_per_step": 2, "steps": 3000},
    {"slopes": "total"},
]


def validation_accuracies(changed: dict[str, Any], seed: int) -> list[float]:
    """Return the validation accuracy of the sum over the layers so far, at each layer's end."""
    settings = TrainSettings(**{"steps": 6000, **changed}, seed=seed, validation=0.25, baselines=False)
    settings = settings.model_copy(update={"check_every": settings.steps})
    with open_device("twin", seed=seed) as device:
        moments = Session(device, load_dataset("digits"), settings).run()
        return [event.validation_score for moment in moments for event in moment if isinstance(event, Checked)]


def main() -> None:
    """Print one row for every variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"validation accuracy, mean and standard deviation over {arguments.seeds} seeds")
    for changed in VARIANTS:
        by_layer = zip(*(validation_accuracies(changed, seed) for seed in range(arguments.seeds)), strict=True)
        figures = [f"{statistics.mean(layer):.3f} ± {statistics.stdev(layer):.3f}" for layer in by_layer]
        named = ", ".join(f"{key} {value}" for key, value in changed.items()) or "the defaults"
        print(f"{named:40s} first layer {figures[0]}   both summed {figures[-1]}", flush=True)


if __name__ == "__main__":
    main()
