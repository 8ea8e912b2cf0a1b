"""Training in place on imperfect chips, against deploying phases that were trained on an ideal one.

Run with ``python benchmarks/robustness.py --data-dir FOLDER`` (a folder that holds MNIST in IDX files, or its parent).
The grid is that of Zheng et al. (dual adaptive training, 2023): 64 ports, three meshes, splitters and phases off by
0.06 rad. Their inputs are complex Fourier amplitudes (``--dataset mnist:fourier8x8``); ``mnist:8x8`` are average-pooled
pixels. The settings were chosen on training images held back; the test images are looked at once, after training.
``docs/explanation/robustness.md`` says what is compared.
"""

import argparse
import csv
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ffzero_lab import open_device
from ffzero_lab.datasets import Dataset, load_dataset
from ffzero_lab.device import Guarded
from ffzero_lab.training import Network, Session, StepDone, TrainSettings

ERROR_RAD = 0.06
DIRECTIONS = 16
RECIPE: dict[str, Any] = {
    "readings": "group",
    "directions_per_step": DIRECTIONS,
    "feed": "input",
    "epsilon": 0.005,
    "learning_rate": 0.03,
    "sharpness": 20.0,
    "baselines": False,
}
NOISE = {"thermal_noise": 0.002, "shot_noise": 0.001, "adc_bits": 14}
"""The readout of the typical preset."""
Curve = list[tuple[int, float]]


def chips(seed: int, dataset: str, errors: float, *, noisy: bool) -> Guarded:
    """Open three meshes that are ideal but for splitter and phase errors of so many rad, and for the readout."""
    return open_device(
        "twin:photonic",
        preset="ideal",
        layers=3,
        seed=seed,
        mesh={"splitter_error_rad": errors, "phase_error_rad": errors},
        detectors=NOISE if noisy else {},
        modulators={"kind": "iq" if "fourier" in dataset else "amplitude"},
    )


def trained(device: Guarded, dataset: Dataset, settings: TrainSettings) -> tuple[Network, float, Curve]:
    """Train in place; returns the network, its test accuracy, and the accuracy on the batches against readings."""
    session = Session(device, dataset, settings)
    curve = list(_smoothed(session))
    assert session.trained is not None
    return session.network, session.network.aim.scores(session.trained.similarity, session.test_wanted)["sum"], curve


def _smoothed(session: Session, together: int = 25) -> Iterator[tuple[int, float]]:
    scores: list[float] = []
    readings = 0
    for moment in session.run():
        for event in moment:
            if isinstance(event, StepDone):
                readings += session.settings.evaluations_per_step
                scores.append(event.score)
                if len(scores) == together:
                    yield readings, statistics.mean(scores)
                    scores = []


def deployed(network: Network, device: Guarded, dataset: Dataset) -> float:
    """Write a network that was trained elsewhere to *device* and return its test accuracy there."""
    measured = network.measure(device, network.encoder.encode(dataset.test_inputs).patterns)
    return network.aim.scores(measured.similarity, network.aim.wanted(dataset)[1])["sum"]


def main() -> None:
    """Run the seeds one after the other and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--dataset", default="mnist:8x8")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--readings", type=int, default=60_000, help="batch readings of all three layers together")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--noisy", action="store_true", help="with the typical preset's noise and converter")
    parser.add_argument("--curve", type=Path, help="write accuracy against readings to this CSV file")
    arguments = parser.parse_args()
    dataset = load_dataset(arguments.dataset, arguments.data_dir)
    rows: dict[str, list[float]] = {
        "trained in place, on the imperfect chips": [],
        "trained on ideal chips, measured there": [],
        "the same phases, deployed on the imperfect chips": [],
    }
    curves: list[tuple[int, int, float]] = []
    for seed in range(arguments.seeds):
        steps = max(1, arguments.readings // (3 * DIRECTIONS))
        settings = TrainSettings(seed=seed, steps=steps, batch=arguments.batch, **RECIPE)
        with chips(seed, arguments.dataset, ERROR_RAD, noisy=arguments.noisy) as imperfect:
            _, in_place, curve = trained(imperfect, dataset, settings)
            curves += [(seed, readings, score) for readings, score in curve]
            with chips(seed, arguments.dataset, 0.0, noisy=arguments.noisy) as ideal:
                network, at_home, _ = trained(ideal, dataset, settings)
            found = in_place, at_home, deployed(network, imperfect, dataset)
        for values, accuracy in zip(rows.values(), found, strict=True):
            values.append(100.0 * accuracy)
        print(f"seed {seed}: " + ", ".join(f"{values[-1]:.2f} %" for values in rows.values()), flush=True)
    spread = statistics.stdev if arguments.seeds > 1 else lambda _: 0.0
    print(f"{arguments.dataset}, {3 * steps * DIRECTIONS:,} readings of {arguments.batch} patterns, test accuracy:")
    for name, values in rows.items():
        print(f"{name:50s} {statistics.mean(values):6.2f} ± {spread(values):.2f} %")
    if arguments.curve is not None:
        with arguments.curve.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([("seed", "readings", "batch_accuracy"), *curves])


if __name__ == "__main__":
    main()
