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
    """What the authors' code gives: score, evaluations."""

    @property
    def n_layers(self) -> int:
        """Layers of the network."""
        layers = self.options["layers"]
        return layers if isinstance(layers, int) else len(layers)


class Outcome(BaseModel):
    """One seed: scores in percent, readings that training spent, seconds on the clock and on the processor."""

    sum: float
    last: float
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
        options=dense(784, 60),
        train=train("mnist", 18_800, 1, slopes="total", subspace=40, learning_rate=0.0056, sharpness=25.0),
        wanted=88.0,
        authors="80.5, 18,800",
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
        change["steps"] = max(1, QUICK_EVALUATIONS // (task.n_layers * task.train.evaluations_per_step))
    began, began_processor = time.perf_counter(), time.process_time()
    with open_device(task.device, seed=seed, **task.options) as device:
        session = Session(device, dataset, task.train.model_copy(update=change))
        for _ in session.run():
            pass
        evaluations = device.ledger.by_purpose["training"].readings
    wall_s, processor_s = time.perf_counter() - began, time.process_time() - began_processor
    assert session.trained is not None
    scores = session.network.aim.scores(session.trained.similarity, session.test_wanted)
    return Outcome(
        sum=100.0 * scores["sum"],
        last=100.0 * scores["last"],
        evaluations=evaluations,
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
    print("test accuracy or R² in percent, mean ± standard deviation; the recipe's own readout is marked *")
    print(
        f"{'task':16s} {'wanted':>6s} {'sum':>15s} {'last':>15s} {'evaluations':>11s} {'wall':>7s} {'cpu':>7s}  authors"
    )
    for task in TASKS:
        if arguments.task and task.name not in arguments.task:
            continue
        outcomes = [run(task, seed, quick=arguments.quick) for seed in range(arguments.seeds)]
        columns = {name: [getattr(outcome, name) for outcome in outcomes] for name in Outcome.model_fields}
        scores = ("sum", "last")
        figures = [f"{statistics.mean(columns[name]):6.2f} ± {spread(columns[name]):.2f}" for name in scores]
        marked = [
            f"{figure}{'*' if name == task.train.readout else ' '}"
            for name, figure in zip(scores, figures, strict=True)
        ]
        print(
            f"{task.name:16s} {task.wanted:6.1f} {marked[0]:>15s} {marked[1]:>15s} "
            f"{round(statistics.mean(columns['evaluations'])):11,d} {statistics.mean(columns['wall_s']):5.1f} s "
            f"{statistics.mean(columns['processor_s']):5.1f} s  {task.authors}",
            flush=True,
        )


if __name__ == "__main__":
    main()
