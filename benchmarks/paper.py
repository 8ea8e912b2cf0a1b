"""The tasks of the method's paper beside what the authors' code reaches, in loss evaluations.

Run with ``OPENBLAS_NUM_THREADS=1 python benchmarks/paper.py`` (FFZERO_DATA names a folder that holds MNIST). One loss
evaluation is one reading of one batch at one parameter setting, all layers together. The recipes were chosen on
training images held back; the test part is measured once, after training. Every seed is also the seed of the twin.
"""

import argparse
import statistics
import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ffzero_lab import open_device
from ffzero_lab.datasets import load_dataset
from ffzero_lab.training import Session, TrainSettings

QUICK_EVALUATIONS = 96


class Task(BaseModel):
    """One row of the table: a device, what is trained on it, and what it is compared with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    device: Literal["twin:crossbar", "twin:photonic"] = "twin:crossbar"
    options: dict[str, Any]
    train: TrainSettings
    wanted: float
    """Score to reach, in percent."""
    authors: str
    """What the authors' code gives: score, evaluations or epochs."""

    @property
    def n_trained(self) -> int:
        """What is trained one after the other: the layers, or all of them at once."""
        layers = self.options["layers"]
        n_layers = layers if isinstance(layers, int) else len(layers)
        return self.train.trained_in_turn(n_layers)


class Outcome(BaseModel):
    """One seed: scores in percent by readout, evaluations spent on training, seconds on the clock and the processor."""

    scores: dict[str, float]
    evaluations: int
    wall_s: float
    processor_s: float


def train(dataset: str, evaluations: int, layers: int, directions: int = 8, **settings: Any) -> TrainSettings:
    """Return settings that spend *evaluations*, in groups of *directions* that are each read once."""
    steps = evaluations // (layers * directions)
    chosen = {"readings": "group", "directions_per_step": directions, "batch": 256, "baselines": False} | settings
    return TrainSettings(dataset=dataset, steps=steps, **chosen)


def dense(inputs: int, *outputs: int, activation: str = "relu") -> dict[str, Any]:
    """Return a network of dense layers; the last one has no activation."""
    activations = [activation] * (len(outputs) - 1) + ["none"] if len(outputs) > 1 else [activation]
    layers = [{"kind": "dense", "outputs": n, "activation": f} for n, f in zip(outputs, activations, strict=True)]
    return {"preset": "ideal", "inputs": inputs, "layers": layers}


CNN: dict[str, Any] = {
    "preset": "ideal",
    "inputs": (1, 28, 28),
    "layers": [
        {"kind": "conv", "channels": 4, "kernel": 6, "pool": 2},
        {"kind": "conv", "channels": 4, "kernel": 6, "pool": 2, "padding": 2},  # 3 × 3 values hold no ten prototypes
        {"kind": "dense", "outputs": 10, "activation": "none"},
    ],
}
MESHES: dict[str, Any] = {"preset": "typical", "layers": 2}
MLP = (784, 100, 100, 100, 10)
OF_1, OF_2 = (2, 100, 100, 100, 10), (5, 100, 100, 100, 10)
MESH_RULE: dict[str, Any] = {"batch": 128, "learning_rate": 0.02, "feed": "input"}
LINEAR = dense(*MLP, activation="none") | {"topology": "cascaded"}
"""The paper's network has nothing between its layers; reinjection would normalise each pattern there."""
BENT = dense(*MLP, activation="tanh") | {"topology": "cascaded"}
FIVE_EPOCHS: dict[str, Any] = {"dataset": "mnist", "batch": 256, "steps": 5 * 235, "baselines": False}
"""Exact gradients: 235 batches of 256 make an epoch; the learning rate is the default one."""

TASKS = [
    Task(
        name="mlp",
        options=dense(*MLP),
        train=train("mnist", 18_800, 4, learning_rate=0.0056),
        wanted=91.0,
        authors="80.5, 18,800",
    ),
    Task(
        name="mlp-total",
        options=dense(*MLP),
        train=train("mnist", 18_800, 4, slopes="total", subspace=40, learning_rate=0.0056),
        wanted=84.0,
        authors="80.5, 18,800",
    ),
    Task(
        name="one-layer-total",
        options=dense(784, 40),
        train=train("mnist", 18_800, 1, slopes="total", subspace=40, learning_rate=0.0056, sharpness=25.0),
        wanted=88.0,
        authors="80.5, 18,800",
    ),
    Task(
        name="mlp-short",
        options=dense(*MLP),
        train=train("mnist", 4_700, 4, learning_rate=0.0056),
        wanted=55.6,
        authors="(bp-dd) 55.6, 4,700",
    ),
    Task(
        name="total-short",
        options=dense(784, 40),
        train=train("mnist", 4_700, 1, slopes="total", subspace=40, learning_rate=0.0056, sharpness=25.0),
        wanted=55.6,
        authors="(bp-dd) 55.6, 4,700",
    ),
    Task(
        name="mlp-short-total",
        options=dense(*MLP),
        train=train("mnist", 4_700, 4, slopes="total", subspace=40, learning_rate=0.0056),
        wanted=55.6,
        authors="(bp-dd) 55.6, 4,700",
    ),
    Task(
        name="bp-dd",
        options=dense(*MLP, activation="none"),
        train=train("mnist", 4_700, 1, rule="bp-dd", slopes="total", learning_rate=0.0056),
        wanted=55.6,
        authors="55.6, 4,700",
    ),
    Task(
        name="bp-dd-attributed",
        options=dense(*MLP, activation="none"),
        train=train("mnist", 4_700, 1, rule="bp-dd", learning_rate=0.02),
        wanted=55.6,
        authors="55.6, 4,700",
    ),
    Task(
        name="ff-ad",
        options=LINEAR,
        train=TrainSettings(rule="ff-ad", loss="margin", accumulate=False, readout="vote", **FIVE_EPOCHS),
        wanted=91.8,
        authors="91.8, 5 epochs",
    ),
    Task(
        name="ff-ad-tanh",
        options=BENT,
        train=TrainSettings(rule="ff-ad", **FIVE_EPOCHS),
        wanted=91.8,
        authors="(linear) 91.8, 5 epochs",
    ),
    Task(
        name="bp-ad",
        options=LINEAR,
        train=TrainSettings(rule="bp-ad", **FIVE_EPOCHS),
        wanted=92.4,
        authors="92.4, 5 epochs",
    ),
    Task(
        name="bp-ad-tanh",
        options=BENT,
        train=TrainSettings(rule="bp-ad", **FIVE_EPOCHS),
        wanted=92.4,
        authors="(linear) 92.4, 5 epochs",
    ),
    Task(
        name="mlp-long",
        options=dense(*MLP),
        train=train("mnist", 94_000, 4, directions=16),
        wanted=95.0,
        authors="88.0, 188,000",
    ),
    Task(
        name="cnn",
        options=CNN,
        train=train("mnist", 22_560, 3, learning_rate=0.02, accumulate=False, readout="last"),
        wanted=90.0,
        authors="58.0, 33,840",
    ),
    Task(
        name="function1",
        options=dense(*OF_1, activation="none"),
        train=train("function1", 9_600, 4),
        wanted=93.3,
        authors="93.2, 19,200",
    ),
    Task(
        name="function1-tanh",
        options=dense(*OF_1, activation="tanh"),
        train=train("function1", 9_600, 4),
        wanted=93.3,
        authors="93.2, 19,200",
    ),
    Task(
        name="function2",
        options=dense(*OF_2, activation="none"),
        train=train("function2", 12_800, 4),
        wanted=83.0,
        authors="76.4, 12,800",
    ),
    Task(
        name="function2-tanh",
        options=dense(*OF_2, activation="tanh"),
        train=train("function2", 12_800, 4),
        wanted=95.0,
        authors="76.4, 12,800",
    ),
    Task(
        name="mesh-cropped",
        device="twin:photonic",
        options=MESHES,
        train=train("mnist:crop8x8", 7_504, 2, **MESH_RULE),
        wanted=50.0,
        authors="17.9, 7,504",
    ),
    Task(
        name="mesh-pooled",
        device="twin:photonic",
        options=MESHES,
        train=train("mnist:8x8", 7_504, 2, **MESH_RULE),
        wanted=75.0,
        authors="",
    ),
]


def run(task: Task, seed: int, *, quick: bool = False) -> Outcome:
    """Train on the whole training part and measure the test part once."""
    dataset = load_dataset(task.train.dataset, task.train.data_dir)
    change: dict[str, Any] = {"seed": seed}
    if quick:
        change["steps"] = max(1, QUICK_EVALUATIONS // (task.n_trained * task.train.equivalent_evaluations))
    began, began_processor = time.perf_counter(), time.process_time()
    with open_device(task.device, seed=seed, **task.options) as device:
        session = Session(device, dataset, task.train.model_copy(update=change))
        for _ in session.run():
            pass
    wall_s, processor_s = time.perf_counter() - began, time.process_time() - began_processor
    assert session.trained is not None
    scores = session.network.aim.scores(session.trained.similarity, session.test_wanted)
    return Outcome(
        scores={name: 100.0 * score for name, score in scores.items()},
        evaluations=task.n_trained * session.plan.steps * task.train.equivalent_evaluations,
        wall_s=wall_s,
        processor_s=processor_s,
    )


def main() -> None:
    """Run the tasks one after the other and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", action="append", choices=[task.name for task in TASKS], help="default: all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that everything runs")
    arguments = parser.parse_args()
    spread = statistics.stdev if arguments.seeds > 1 else lambda _: 0.0
    print("test accuracy or R² in percent, mean ± standard deviation over seeds; the recipe's own readout is marked *")
    head = " ".join(f"{readout:>16s}" for readout in ("sum", "last", "vote"))
    print(f"{'task':17s} {'wanted':>6s} {head} {'evaluations':>11s} {'wall':>7s} {'processor':>9s} authors")
    for task in TASKS:
        if arguments.task and task.name not in arguments.task:
            continue
        outcomes = [run(task, seed, quick=arguments.quick) for seed in range(arguments.seeds)]
        cells: list[str] = []
        for readout in ("sum", "last", "vote"):
            scores = [outcome.scores[readout] for outcome in outcomes if readout in outcome.scores]
            figure = f"{statistics.mean(scores):.2f} ± {spread(scores):.2f}" if scores else "-"
            cells.append(f"{figure}{'*' if readout == task.train.readout else ' '}")
        wall_s = statistics.mean(outcome.wall_s for outcome in outcomes)
        processor_s = statistics.mean(outcome.processor_s for outcome in outcomes)
        columns = " ".join(f"{cell:>16s}" for cell in cells)
        spent = f"{outcomes[0].evaluations:11,d} {wall_s:5.1f} s {processor_s:7.1f} s"
        print(f"{task.name:17s} {task.wanted:6.1f} {columns} {spent} {task.authors}", flush=True)


if __name__ == "__main__":
    main()
