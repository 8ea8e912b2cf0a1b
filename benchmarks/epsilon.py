"""The recommended perturbation: gradient cosine and training, against a scan of fixed amplitudes at every noise level.

``python benchmarks/epsilon.py cosine`` and ``python benchmarks/epsilon.py training --seeds 20`` print tables. An 8-port
chip of the typical preset whose detector noise is raised 1, 3 and 10 times. ``docs/explanation/step-size.md`` says what
the figures mean.
"""

import argparse
import statistics
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from ffzero_lab import open_device
from ffzero_lab.datasets import Dataset, load_dataset
from ffzero_lab.device import Guarded, LayerDescription
from ffzero_lab.training import Session, TrainSettings
from ffzero_lab.training.layer import ExactGradient, LayerTrainer
from ffzero_lab.training.progress import Progress
from ffzero_lab.training.scale import TrainedScale
from ffzero_lab.training.trainers import exact_gradient_of, task_of, trainer_of

NOISES = (1.0, 3.0, 10.0)
SCAN = tuple(float(value) for value in np.geomspace(1e-3, 0.5, 15))
GRID = (1e-3, 0.003, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3)
DIRECTIONS = 64
"""Directions of one estimate: with as many as parameters, the cosine shows noise and curvature, not the draw."""
REPEATS = 8
STEPS = 400

FloatArray = NDArray[np.float64]


def chip(noise: float, seed: int) -> Guarded:
    """Open one mesh; the range is that of the light, and the offset is left out of the detection floor."""
    detectors = {"thermal_noise": 0.002 * noise, "shot_noise": 0.001 * noise, "full_scale": FULL_SCALE}
    return open_device("twin:photonic", ports=8, layers=1, seed=seed, detectors=detectors)


FULL_SCALE = 2.0
"""Half of the preset's: at ten times the noise, the preset's detection floor (four sigmas) would refuse iris."""


def settings_of(epsilon: Any, seed: int, **others: Any) -> TrainSettings:
    """Return the settings of one short run."""
    given = {"epsilon": epsilon, "seed": seed, "steps": STEPS, "learning_rate": 0.03, "baselines": False}
    return TrainSettings(**(given | others))


def cosines(noise: float, seed: int, dataset: Dataset) -> tuple[float, float, list[float]]:
    """Return the recommended amplitude, the mean cosine there, and those of the scan."""
    settings = settings_of("auto", seed, steps=1, directions_per_step=DIRECTIONS)
    with chip(noise, seed) as device:
        session = Session(device, dataset, settings)
        next(session.run())
        patterns = session.network.encoder.encode(dataset.train_inputs).patterns
        device.load_inputs(0, patterns)
        rows = np.arange(dataset.n_train)
        progress = Progress(patterns, np.zeros((1, len(patterns), session.network.aim.n_prototypes)))
        task = task_of(device, session.network, progress, settings, task=dataset.task, rows=rows, wanted=session.wanted)
        trainer = trainer_of(device, session.network, progress, task, settings, 1)
        exact = exact_gradient_of(device, trainer)
        chosen = trainer.choose_amplitude().multiple
        return (
            chosen,
            _mean_cosine(trainer, device.description.layers[0], chosen, exact, rows),
            [_mean_cosine(trainer, device.description.layers[0], multiple, exact, rows) for multiple in SCAN],
        )


def _mean_cosine(
    trainer: LayerTrainer, described: LayerDescription, multiple: float, exact: ExactGradient, rows: NDArray[np.intp]
) -> float:
    prober, scale = trainer.prober, TrainedScale(described)
    prober.take(multiple)
    found: list[float] = []
    for step in range(REPEATS):
        look = prober.at(step)
        parameters = scale.box.shrunk(look.headroom).settle(trainer.parameters).values
        truth = exact(parameters, rows)
        estimate = look.estimate(parameters, rows).gradient
        found.append(float(estimate @ truth / np.linalg.norm(estimate) / np.linalg.norm(truth)))
    return statistics.mean(found)


def trained(noise: float, seed: int, epsilon: Any, dataset: Dataset) -> float:
    """Return the test accuracy of one run, per cent."""
    with chip(noise, seed) as device:
        session = Session(device, dataset, settings_of(epsilon, seed))
        for _ in session.run():
            pass
        assert session.trained is not None
        return 100.0 * session.network.aim.scores(session.trained.similarity, session.test_wanted)["sum"]


def tell_cosines(seeds: int, dataset: Dataset) -> None:
    """Print chosen and best amplitude, and what share of the best cosine the chosen one keeps."""
    print("noise  seed  chosen   cosine   best at   cosine   kept     at 1e-3")
    for noise in NOISES:
        kept: list[float] = []
        for seed in range(seeds):
            chosen, here, scan = cosines(noise, seed, dataset)
            best = int(np.argmax(scan))
            kept.append(here / scan[best])
            print(
                f"x{noise:<5.0f} {seed:<5d} {chosen:<8.4f} {here:<8.4f} {SCAN[best]:<9.4f} {scan[best]:<8.4f} "
                f"{kept[-1]:<8.4f} {scan[0]:.4f}",
                flush=True,
            )
        print(f"x{noise:.0f}: kept at least {min(kept):.4f}, mean {statistics.mean(kept):.4f}", flush=True)


def tell_training(seeds: int, dataset: Dataset) -> None:
    """Print accuracies, and how much the best fixed amplitude is better than the measured one, seed by seed."""
    for noise in NOISES:
        rows = {epsilon: [trained(noise, seed, epsilon, dataset) for seed in range(seeds)] for epsilon in GRID}
        measured = [trained(noise, seed, "auto", dataset) for seed in range(seeds)]
        best = max(rows, key=lambda epsilon: statistics.mean(rows[epsilon]))
        told = ", ".join(f"{epsilon:g}: {statistics.mean(values):.2f}" for epsilon, values in rows.items())
        print(f"x{noise:.0f}: auto {statistics.mean(measured):.2f} %; fixed {told}")
        for name, other in ((f"best fixed {best:g}", rows[best]), ("fixed 0.001", rows[1e-3])):
            short = np.array(other) - np.array(measured)
            half = float(t.ppf(0.975, seeds - 1)) * float(short.std(ddof=1)) / seeds**0.5
            print(
                f"x{noise:.0f}: {name} less auto {short.mean():+.2f} points, 95 % "
                f"[{short.mean() - half:+.2f}, {short.mean() + half:+.2f}], {seeds} seeds",
                flush=True,
            )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("cosine", "training"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--dataset", default="iris")
    arguments = parser.parse_args()
    dataset = load_dataset(arguments.dataset, None)
    (tell_cosines if arguments.part == "cosine" else tell_training)(arguments.seeds, dataset)


if __name__ == "__main__":
    main()
