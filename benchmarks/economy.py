"""What a loss evaluation buys: settings compared at an equal number of them, on training images held back.

Run with ``OPENBLAS_NUM_THREADS=1 python benchmarks/economy.py`` (FFZERO_DATA names a folder that holds MNIST). One
thing is changed at a time from the defaults; the test part is not looked at. What came out is told in
``docs/explanation/measurement-economy.md``. Every seed is also the seed of the twin.
"""

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from ffzero_lab import open_device
from ffzero_lab.datasets import load_dataset
from ffzero_lab.rule.directions import DirectionDraw
from ffzero_lab.training import Session, TrainSettings
from ffzero_lab.training.preparation import training_rows

QUICK_EVALUATIONS = 64


@dataclass(frozen=True)
class Base:
    """A task with the settings that are varied."""

    device: str
    dataset: str
    options: dict[str, Any]
    evaluations: int
    batch: int
    train: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Variation:
    """What is changed from a base."""

    name: str
    train: dict[str, Any] = field(default_factory=dict[str, Any])
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    evaluations: float = 1.0
    """Multiple of the base's evaluations."""


def group(directions: int, **settings: Any) -> dict[str, Any]:
    """Return settings that read each of so many directions once."""
    return {"readings": "group", "directions_per_step": directions, **settings}


NORMALISED: dict[str, Any] = {"optimizer": "normalised", "learning_rate": 0.006}
CONVOLUTION = [{"kind": "conv", "channels": 4, "kernel": 6, "pool": 2}]
BASES = {
    "crossbar": Base("twin:crossbar", "mnist", {"preset": "ideal", "sizes": (784, 100, 100)}, 4_700, 256),
    "mesh": Base("twin:photonic", "mnist:8x8", {"preset": "typical", "layers": 2}, 7_504, 128),
    "channels": Base(
        "twin:crossbar",
        "mnist",
        {"preset": "ideal", "inputs": (1, 28, 28), "layers": CONVOLUTION},
        2_000,
        256,
        {"channels": "own", "slopes": "total"},
    ),
}
EVERYWHERE = [
    Variation("the defaults"),
    Variation("loss margin", {"loss": "margin"}),
    Variation("loss cosine", {"loss": "cosine"}),
    Variation("schedule constant", {"schedule": "constant"}),
    Variation("directions gaussian", {"directions": "gaussian"}),
    Variation("directions orthogonal, 4 pairs", {"directions": "orthogonal", "directions_per_step": 4}),
    Variation("directions coordinate", {"directions": "coordinate"}),
    Variation("4 pairs a step", {"directions_per_step": 4}),
    Variation("slopes total", {"slopes": "total"}),
    Variation("each layer for itself", {"accumulate": False}),
    Variation("a quarter of the batch", {"batch": 0.25}),
    Variation("twice the batch", {"batch": 2.0}),
]
VARIATIONS = {
    "crossbar": [
        *EVERYWHERE,
        Variation("learning rate 0.0056", {"learning_rate": 0.0056}),
        Variation("group of 4", group(4, learning_rate=0.0056)),
        Variation("group of 8", group(8, learning_rate=0.0056)),
        Variation("group of 8, sgd", group(8, optimizer="sgd", learning_rate=1.0)),
        Variation("group of 8, momentum", group(8, optimizer="momentum", learning_rate=0.1)),
        Variation("group of 8, normalised", group(8, **NORMALISED)),
        Variation("group of 8, normalised, 100 axes", group(8, **NORMALISED, subspace=100)),
        Variation("group of 8, normalised, total", group(8, **NORMALISED, slopes="total")),
        Variation("group of 8, normalised, total, 40 axes", group(8, **NORMALISED, slopes="total", subspace=40)),
        Variation("group of 8, 100 axes", group(8, learning_rate=0.0056, subspace=100)),
        Variation("group of 8, 40 axes", group(8, learning_rate=0.0056, subspace=40)),
        Variation("group of 8, total", group(8, learning_rate=0.0056, slopes="total")),
        Variation("group of 8, total, 40 axes", group(8, learning_rate=0.0056, slopes="total", subspace=40)),
        Variation("widths 50, 50", options={"sizes": (784, 50, 50)}),
        Variation("widths 200, 200", options={"sizes": (784, 200, 200)}),
        Variation("one layer of 100", options={"sizes": (784, 100)}),
        Variation("three layers of 100", options={"sizes": (784, 100, 100, 100)}),
        Variation("activation tanh", options={"activation": "tanh"}),
    ],
    "mesh": [
        *EVERYWHERE,
        Variation("learning rate 0.014", {"learning_rate": 0.014}),
        Variation("group of 8", group(8, learning_rate=0.02)),
        Variation("group of 8, normalised", group(8, optimizer="normalised", learning_rate=0.02)),
        Variation("group of 8, the input again", group(8, learning_rate=0.02, feed="input")),
        Variation("three meshes", options={"layers": 3}),
    ],
    "channels": [
        Variation("all channels in each reading"),
        Variation("one channel in each reading", {"directions_per_step": 4}),
        Variation("one channel in each reading, four times the evaluations", {"directions_per_step": 4}, {}, 4.0),
    ],
}


class OneChannelAtATime(DirectionDraw):
    """The authors' way: as many directions as channels, each of which moves one channel alone."""

    @property
    def second_moment(self) -> float:
        """One of K directions moves a parameter."""
        return 0.25

    def draw(self, step: int, n_directions: int) -> NDArray[np.float64]:
        """Return the parts (K, P) of one direction, channel by channel."""
        whole = super().draw(step, 1)
        channel = np.concatenate([np.arange(len(own)) * n_directions // len(own) for own in self.groups])
        return np.where(channel == np.arange(n_directions)[:, np.newaxis], whole, 0.0)


def validation_accuracy(base: Base, changed: Variation, seed: int, *, quick: bool = False) -> float:
    """Return the percentage of held-back training images that all layers together tell right."""
    train = {"batch": 1.0, **base.train, **changed.train}
    train["batch"] = round(train["batch"] * base.batch)
    settings = TrainSettings(
        dataset=base.dataset, seed=seed, validation=0.1, check_every=10**12, baselines=False, **train
    )
    evaluations = QUICK_EVALUATIONS if quick else round(changed.evaluations * base.evaluations)
    dataset = load_dataset(base.dataset)
    with open_device(base.device, seed=seed, **base.options | changed.options) as device:
        steps = max(1, evaluations // (len(device.description.layers) * settings.evaluations_per_step))
        session = Session(device, dataset, settings.model_copy(update={"steps": steps}))
        for _ in session.run():
            pass
    assert session.progress is not None
    _, held_back = training_rows(dataset, settings)
    similarity = session.progress.similarity.sum(axis=0)
    return 100.0 * session.network.aim.score(similarity[held_back], session.wanted[held_back])


def main() -> None:
    """Print one row for every variation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", action="append", choices=list(BASES), help="default: all")
    parser.add_argument("--only", action="append", help="names of variations")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that everything runs")
    arguments = parser.parse_args()
    spread = statistics.stdev if arguments.seeds > 1 else lambda _: 0.0
    for task, base in BASES.items():
        if arguments.task and task not in arguments.task:
            continue
        print(f"{task}: {base.evaluations:,} loss evaluations of {base.batch} patterns, {base.dataset}, accuracy in %")
        for changed in VARIATIONS[task]:
            if arguments.only and changed.name not in arguments.only:
                continue
            measure: Callable[[int], float] = partial(validation_accuracy, base, changed, quick=arguments.quick)
            if changed.name.startswith("one channel"):
                with patch("ffzero_lab.training.probing.DirectionDraw", OneChannelAtATime):
                    found = [measure(seed) for seed in range(arguments.seeds)]
            else:
                found = [measure(seed) for seed in range(arguments.seeds)]
            print(f"{changed.name:56s} {statistics.mean(found):6.2f} ± {spread(found):.2f}", flush=True)


if __name__ == "__main__":
    main()
