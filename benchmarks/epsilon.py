"""The recommended perturbation and batch: gradient cosine and training, against scans, at every noise level.

``python benchmarks/epsilon.py cosine``, ``… training --seeds 20`` and ``… batch`` print tables. An 8-port chip of the
typical preset whose detector noise is raised 1, 3 and 10 times. ``docs/explanation/step-size.md`` says what the figures
mean.
"""

import argparse
import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from calibration.journal import Journal
from calibration.registry import chosen
from calibration.runner import Runner
from ffzero_lab import open_device
from ffzero_lab.datasets import Dataset, load_dataset
from ffzero_lab.device import DarkBatch, Guarded, LayerDescription, Timing
from ffzero_lab.device.record import Quantity
from ffzero_lab.training import Session, TrainSettings
from ffzero_lab.training.layer import ExactGradient, LayerTrainer
from ffzero_lab.training.progress import Progress
from ffzero_lab.training.scale import TrainedScale
from ffzero_lab.training.trainers import exact_gradient_of, task_of, trainer_of

NOISES = (1.0, 3.0, 10.0)
SCAN = tuple(float(value) for value in np.geomspace(1e-3, 0.5, 13))
GRID = (0.01, 0.02, 0.04, 0.08)
DIRECTIONS = 64
"""Directions of one estimate: with as many as parameters, the cosine shows noise and curvature, not the draw."""
WARM_UP = 0.03
"""Amplitude of the training that goes before a later look."""
BATCHES = (1, 3, 10, 30, 100, 300, 1000, 3000)
CHOSEN_FROM = 100
"""First of the seeds on which the best fixed amplitude is chosen; none of them is compared."""

FloatArray = NDArray[np.float64]


def chip(noise: float, seed: int) -> Guarded:
    """Open one mesh; the range is that of the light, and the offset is left out of the detection floor."""
    detectors = {"thermal_noise": 0.002 * noise, "shot_noise": 0.001 * noise, "full_scale": FULL_SCALE}
    return open_device("twin:photonic", ports=8, layers=1, seed=seed, detectors=detectors)


FULL_SCALE = 2.0
"""Half of the preset's: at ten times the noise, the preset's detection floor (four sigmas) would refuse iris."""


def settings_of(epsilon: Any, seed: int, **others: Any) -> TrainSettings:
    """Return the settings of one short run."""
    given = {"epsilon": epsilon, "seed": seed, "learning_rate": 0.03, "baselines": False}
    return TrainSettings(**(given | others))


def calibrated(noise: float, seed: int) -> dict[str, Quantity]:
    """Return what the procedures of ``ffzero-lab calibrate`` recommend for a chip."""
    with chip(noise, seed) as device:
        runner = Runner(device, chosen(("latency", "epsilon"), ()), Journal(), seed, lambda _: None)
        return dict(runner.run()[0][0].quantities)


@dataclass(frozen=True)
class Seen:
    """Amplitudes recommended by calibration and in training, the cosines there, and those of a scan."""

    calibrated: float
    calibrated_cosine: float
    measured: float
    measured_cosine: float
    scan: list[float]


def cosines(noise: float, seed: int, dataset: Dataset, steps: int, repeats: int) -> Seen:
    """Look after so many *steps* of training; the whole training part is the batch."""
    recommended = float(calibrated(noise, seed)["epsilon.multiple"].array[0])
    with chip(noise, seed) as device:
        trainer, exact = trained_for(device, dataset, seed, steps)
        described, rows = device.description.layers[0], trainer.task.rows
        measured = trainer.choose_amplitude().multiple
        at = [
            _mean_cosine(trainer, described, multiple, exact, rows, repeats)
            for multiple in (recommended, measured, *SCAN)
        ]
        return Seen(recommended, at[0], measured, at[1], at[2:])


def with_drawn_test(dataset: Dataset, count: int) -> Dataset:
    """Return the data set with a test part of *count* patterns of normal classes, as those of the whole set are.

    The 45 flowers that are held back tell accuracies by two points each, which hides what an amplitude does.
    """
    if not count:
        return dataset
    rng = np.random.default_rng(0)
    inputs = np.concatenate([dataset.train_inputs, dataset.test_inputs])
    targets = np.concatenate([dataset.train_labels, dataset.test_labels])
    drawn: list[FloatArray] = []
    wanted = rng.choice(targets, count)
    for target in wanted:
        own = inputs[targets == target]
        drawn.append(rng.multivariate_normal(own.mean(axis=0), np.cov(own.T)))
    limited = np.clip(np.array(drawn), inputs.min(axis=0), inputs.max(axis=0))
    return replace(dataset, test_inputs=limited, test_labels=wanted)


def trained_for(
    device: Guarded, dataset: Dataset, seed: int, steps: int, **others: Any
) -> tuple[LayerTrainer, ExactGradient]:
    """Return a trainer that estimates gradients from many directions, at the parameters after so many *steps*."""
    begun = Session(device, dataset, settings_of(WARM_UP, seed, steps=max(1, steps)))
    for _ in begun.run() if steps else ():
        pass
    network = begun.network
    patterns = network.encoder.encode(dataset.train_inputs).patterns
    device.load_inputs(0, patterns)
    settings = settings_of("auto", seed, steps=1, directions_per_step=DIRECTIONS, **others)
    progress = Progress(patterns, np.zeros((1, len(patterns), network.aim.n_prototypes)))
    rows = np.arange(dataset.n_train)
    task = task_of(device, network, progress, settings, task=dataset.task, rows=rows, wanted=begun.wanted)
    trainer = trainer_of(device, network, progress, task, settings, 1)
    return trainer, exact_gradient_of(device, trainer)


def _mean_cosine(
    trainer: LayerTrainer,
    described: LayerDescription,
    multiple: float,
    exact: ExactGradient,
    rows: NDArray[np.intp],
    repeats: int,
) -> float:
    prober, scale = trainer.prober, TrainedScale(described)
    prober.take(multiple)
    found: list[float] = []
    for step in range(repeats):
        look = prober.at(step)
        parameters = scale.box.shrunk(look.headroom).settle(trainer.parameters).values
        truth = exact(parameters, rows)
        estimate = look.estimate(parameters, rows).gradient
        found.append(float(estimate @ truth / np.linalg.norm(estimate) / np.linalg.norm(truth)))
    return statistics.mean(found)


def trained(noise: float, seed: int, epsilon: Any, dataset: Dataset, steps: int) -> float:
    """Return the test accuracy of one run, per cent; NaN where this chip leaves too many patterns in the dark."""
    with suppress(DarkBatch), chip(noise, seed) as device:
        session = Session(device, dataset, settings_of(epsilon, seed, steps=steps))
        for _ in session.run():
            pass
        assert session.trained is not None
        return 100.0 * session.network.aim.scores(session.trained.similarity, session.test_wanted)["sum"]
    return float("nan")


def tell_cosines(seeds: int, dataset: Dataset, noises: Sequence[float], later: int, repeats: int) -> None:
    """Print recommended and best amplitudes, and what share of the best cosine the recommended ones keep."""
    for steps, when in ((0, "before training"), (later, f"after {later} steps")):
        print(
            f"{when}\nnoise  seed  best at  cosine | calibrated  kept   | measured  kept   | kept at 1e-3", flush=True
        )
        for noise in noises:
            kept: list[tuple[float, float]] = []
            for seed in range(seeds):
                try:
                    seen = cosines(noise, seed, dataset, steps, repeats)
                except DarkBatch:
                    print(f"x{noise:<5.0f} {seed:<5d} too many patterns in the dark", flush=True)
                    continue
                best = int(np.argmax(seen.scan))
                largest = seen.scan[best]
                kept.append((seen.calibrated_cosine / largest, seen.measured_cosine / largest))
                print(
                    f"x{noise:<5.0f} {seed:<5d} {SCAN[best]:<8.4f} {largest:<6.4f} | {seen.calibrated:<11.4f} "
                    f"{kept[-1][0]:<6.4f} | {seen.measured:<9.4f} {kept[-1][1]:<6.4f} | {seen.scan[0] / largest:.4f}",
                    flush=True,
                )
            for name, shares in zip(("calibrated", "measured"), np.array(kept).T, strict=True):
                print(f"x{noise:.0f}: {name} keeps at least {shares.min():.4f}, mean {shares.mean():.4f}", flush=True)


def tell_training(seeds: int, dataset: Dataset, noises: Sequence[float], steps: int) -> None:
    """Print how much the best fixed amplitude is better than the measured one, seed by seed.

    The best one is chosen on chips and seeds of its own.
    """
    print(f"{dataset.name}: {dataset.n_train} patterns to train, {dataset.n_test} to test; {steps} steps", flush=True)
    for noise in noises:
        others = range(CHOSEN_FROM, CHOSEN_FROM + max(1, seeds // 4))
        means = {e: float(np.nanmean([trained(noise, seed, e, dataset, steps) for seed in others])) for e in GRID}
        best = max(means, key=lambda epsilon: means[epsilon])
        told = ", ".join(f"{epsilon:g}: {mean:.2f}" for epsilon, mean in means.items())
        lit, measured = _lit(noise, seeds, dataset, steps)
        print(
            f"x{noise:.0f}: auto {measured.mean():.2f} % (standard deviation {measured.std(ddof=1):.2f}) on the first "
            f"{seeds} chips that are not too dark, seeds to {lit[-1]}; fixed, on the other seeds, {told}",
            flush=True,
        )
        for name, epsilon in ((f"best fixed {best:g}", best), ("fixed 0.001", 1e-3)):
            short = np.array([trained(noise, seed, epsilon, dataset, steps) for seed in lit]) - measured
            short = short[np.isfinite(short)]
            half = float(t.ppf(0.975, len(short) - 1)) * float(short.std(ddof=1)) / len(short) ** 0.5
            print(
                f"x{noise:.0f}: {name} less auto {short.mean():+.2f} points, 95 % "
                f"[{short.mean() - half:+.2f}, {short.mean() + half:+.2f}], {len(short)} seeds",
                flush=True,
            )


def _lit(noise: float, count: int, dataset: Dataset, steps: int) -> tuple[list[int], FloatArray]:
    """Return the first *count* seeds whose chips are bright enough, and what they reach with the measured amplitude."""
    lit: list[int] = []
    reached: list[float] = []
    for seed in range(CHOSEN_FROM):
        score = trained(noise, seed, "auto", dataset, steps)
        if np.isfinite(score):
            lit.append(seed)
            reached.append(score)
        if len(lit) == count:
            break
    return lit, np.array(reached)


@dataclass(frozen=True)
class Economy:
    """What a slope of the total loss is worth at one point of training, and what it costs.

    The estimate from K ≪ P directions has the squared cosine K/P·r² with the gradient, r the correlation of measured
    and true slopes, and takes 2 K (τp + B τx): what counts is r² by time, whatever K.
    """

    trainer: LayerTrainer
    exact: ExactGradient
    timing: Timing
    seed: int
    count: int
    """Slopes that are measured for each batch."""

    def slopes(self, batch: int) -> tuple[FloatArray, FloatArray]:
        """Return slopes (S,) measured each along a direction and on a batch of its own, and the true ones of all."""
        trainer, rng = self.trainer, np.random.default_rng([self.seed, batch])
        truth = self.exact(trainer.parameters, trainer.task.rows)
        directions = rng.choice((-1.0, 1.0), (self.count, len(truth)))
        measured = [
            trainer.prober.slopes_along(
                own[np.newaxis], trainer.multiple or WARM_UP, trainer.parameters, rng.choice(trainer.task.rows, batch)
            )[0]
            for own in directions
        ]
        return np.array(measured), directions @ truth

    def value_per_s(self, batch: int) -> float:
        """Return r² by device time, 1/s, less what chance alone gives."""
        measured, true = self.slopes(batch)
        squared = float(measured @ true) ** 2 / float(measured @ measured) / float(true @ true)
        share = squared - (1.0 - squared) / (self.count - 1)
        return share / (2.0 * (self.timing.write_s + batch * self.timing.shot_s))

    def best_batch(self) -> float:
        """Return √(ρ (1 + ν) τp/τx), from slopes of single patterns and the true ones of all."""
        measured, true = self.slopes(1)
        variance = float(np.square(measured - true).sum() / np.square(true).sum())
        return float(np.sqrt(variance * self.timing.write_s / self.timing.shot_s))


def tell_batches(seeds: int, dataset: Dataset, noises: Sequence[float], later: int, slopes: int) -> None:
    """Print r² by device time over batches, as shares of the largest, and what the formula's batch keeps of it."""
    print(f"kept of the largest r² by device time, by batch: {', '.join(map(str, BATCHES))}", flush=True)
    for steps, when in ((0, "before training"), (later, f"after {later} steps")):
        for noise in noises:
            for seed in range(seeds):
                recommended = float(calibrated(noise, seed)["epsilon.batch"].array[0])
                with suppress(DarkBatch), chip(noise, seed) as device:
                    trainer, exact = trained_for(device, dataset, seed, steps, slopes="total")
                    trainer.choose_amplitude()
                    economy = Economy(trainer, exact, device.description.timing, seed, slopes)
                    found = np.array([economy.value_per_s(batch) for batch in BATCHES])
                    told = [
                        f"{name} {batch:.0f} keeps {economy.value_per_s(max(1, round(batch))) / found.max():.2f}"
                        for name, batch in (("formula", economy.best_batch()), ("calibrated", recommended))
                    ]
                    shares = " ".join(f"{share:.2f}" for share in found / found.max())
                    print(f"{when}, x{noise:.0f}, seed {seed}: {shares}; {', '.join(told)}", flush=True)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("cosine", "training", "batch"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--dataset", default="iris")
    parser.add_argument("--noise", type=float, action="append", help="1, 3 and 10 when left out")
    parser.add_argument("--steps", type=int, default=2000, help="of training")
    parser.add_argument("--drawn", type=int, default=3000, help="patterns of the test part; 0: those of the data set")
    parser.add_argument("--later", type=int, default=300, help="steps before the later look at cosines and batches")
    parser.add_argument("--repeats", type=int, default=4, help="estimates of 64 directions for each cosine")
    parser.add_argument("--slopes", type=int, default=300, help="measured for each batch")
    given = parser.parse_args()
    dataset, noises = load_dataset(given.dataset, None), given.noise or NOISES
    if given.part == "cosine":
        tell_cosines(given.seeds, dataset, noises, given.later, given.repeats)
    elif given.part == "training":
        tell_training(given.seeds, with_drawn_test(dataset, given.drawn), noises, given.steps)
    else:
        tell_batches(given.seeds, dataset, noises, given.later, given.slopes)


if __name__ == "__main__":
    main()
