"""Times one probe of the crossbar twin against a plain loop over the settings, side by side on one core.

Run `python benchmarks/crossbar.py [--json] [--repetitions 15]`. The plain loop does for each setting what the twin's
physics says, in NumPy and double precision: fetch the rows, program, multiply (convolutions patch by patch, all patches
side by side), pool, add exact Gaussian noise, convert. Both sides take turns in one process, and processor time is
counted: a busy machine disturbs less.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # one core; read when NumPy is imported
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["VECLIB_MAXIMUM_THREADS"] = "1"

import argparse
import json
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np

from drivers.twin.crossbar import CrossbarConfig, CrossbarTwin
from drivers.twin.crossbar.convolution import convolve
from drivers.twin.truth import crossbar_truth

BATCH, STAGED = 256, 10_000
FIRST = {"kind": "conv", "channels": 4, "kernel": 6, "pool": 2}
LAYERS: dict[str, dict[str, Any]] = {
    "dense 784-100": {"sizes": [784, 100]},
    "dense 100-100": {"sizes": [100, 100]},
    "conv 1x28x28, 4 of 6x6": {"inputs": [1, 28, 28], "layers": [FIRST]},
    "conv 4x11x11, 4 of 6x6": {"inputs": [4, 11, 11], "layers": [FIRST]},
}
READINGS = {"+ -": ([1, -1], 1), "+ - - +": ([1, -1, -1, 1], 1), "8 x + -": ([1, -1], 8)}
"""Signs of the readings of a direction, and directions measured together."""


class Case:
    """A layer, a batch, and settings around one centre."""

    def __init__(self, layer: str, preset: str, readings: str) -> None:
        rng = np.random.default_rng(0)
        self.config = CrossbarConfig.model_validate({"preset": preset, "activation": "relu", **LAYERS[layer]})
        self.device = CrossbarTwin.open(self.config)
        described = self.device.description.layers[0]
        self.limit = described.groups[0].upper
        signs, directions = READINGS[readings]
        moves = 0.04 * self.limit * rng.choice([-1.0, 1.0], (directions, 1, described.n_parameters))
        centre = rng.uniform(-0.25, 0.25, described.n_parameters) * self.limit
        self.settings = (centre + moves * np.array(signs)[:, np.newaxis]).reshape(-1, described.n_parameters)
        self.patterns = rng.uniform(0.0, 1.0, (STAGED, described.n_inputs)).astype(np.float32)
        self.rows = rng.choice(STAGED, BATCH, replace=False)
        self.device.load_inputs(0, self.patterns)
        self.truth, self.rng = crossbar_truth(self.device, 0), rng

    def twin(self) -> np.ndarray:
        """Measure the settings as the twin does."""
        return self.device.probe(0, self.settings, self.rows)

    def plain_loop(self) -> np.ndarray:
        """Measure them one after the other, each from its definition."""
        return np.stack([self._read(self._programmed(values)) for values in self.settings])

    def _programmed(self, values: np.ndarray) -> np.ndarray:
        if self.config.preset == "ideal":
            return values
        cells, truth = self.config.cells, self.truth.cells
        step = self.limit / (2**cells.bits - 1)
        asked = np.rint(values / step) * step
        deviation = cells.programming_error * self.limit + cells.relative_error * np.abs(asked)
        reached = truth.gain * asked + deviation * self.rng.standard_normal(len(asked))
        return np.clip(reached, truth.lower * self.limit, truth.upper * self.limit)

    def _read(self, conductances: np.ndarray) -> np.ndarray:
        shape, readout = self.config.shapes()[0], self.config.readout
        ideal = self.config.preset == "ideal"
        driven = self.patterns[self.rows].astype(np.float64)
        if not ideal:
            driven = np.rint(driven * 127.0) / 127.0
        weights = conductances[: shape.n_weights].reshape(shape.weights_shape)
        bias = conductances[shape.n_weights :]
        if shape.patches is None:
            added = driven @ weights + bias
        else:
            pooled = np.empty((BATCH, *shape.output_shape))
            convolve(driven.reshape(BATCH, *shape.input_shape), weights, shape.patches, pooled)
            added = (pooled + bias[:, np.newaxis, np.newaxis]).reshape(BATCH, -1)
        if ideal:
            return np.maximum(added, 0.0)
        per_column = shape.n_outputs // shape.columns
        columns = self.truth.columns
        outputs = np.maximum(added * np.repeat(columns.gain, per_column) + np.repeat(columns.offset, per_column), 0.0)
        outputs += readout.noise * readout.full_scale * self.rng.standard_normal(outputs.shape)
        step = readout.full_scale / 2**readout.adc_bits
        return np.clip(np.rint(outputs / step) * step, -readout.full_scale / 64, readout.full_scale)


def time_in_turns(calls: Sequence[Callable[[], object]], repetitions: int) -> list[float]:
    """Return the median processor seconds of each call; the calls take turns, short ones in bundles of about 5 ms."""
    bundles: list[int] = []
    for call in calls:
        call()  # compile, allocate
        start = time.process_time()
        call()
        bundles.append(max(1, round(0.005 / (time.process_time() - start))))
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(repetitions):
        for call, bundle, samples in zip(calls, bundles, seconds, strict=True):
            start = time.process_time()
            for _ in range(bundle):
                call()
            samples.append((time.process_time() - start) / bundle)
    return [median(samples) for samples in seconds]


def compare(layer: str, readings: str, repetitions: int) -> dict[str, Any]:
    """Time a probe on the ideal and the typical twin, and the plain loop beside each."""
    cases = [Case(layer, preset, readings) for preset in ("ideal", "typical")]
    np.testing.assert_allclose(cases[0].twin(), cases[0].plain_loop(), atol=1e-12)
    noise = cases[1].twin() - cases[1].plain_loop()
    assert abs(noise.mean()) < 0.02 > abs(noise.std() - 0.05) - 0.05, "the two are not the same device"
    timed = time_in_turns([call for case in cases for call in (case.twin, case.plain_loop)], repetitions)
    row: dict[str, Any] = {"layer": layer, "readings": readings, "batch": BATCH}
    for preset, twin_s, loop_s in zip(("ideal", "typical"), timed[::2], timed[1::2], strict=True):
        row |= {f"{preset}_s": twin_s, f"{preset}_loop_s": loop_s, f"{preset}_ratio": loop_s / twin_s}
    return row


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument("--repetitions", type=int, default=15, help="repetitions per median (15)")
    arguments = parser.parse_args()

    chosen = [(layer, "+ -") for layer in LAYERS] + [("dense 784-100", readings) for readings in list(READINGS)[1:]]
    rows = [compare(layer, readings, arguments.repetitions) for layer, readings in chosen]
    if arguments.json:
        print(json.dumps({"comparisons": rows}))
        return
    print(f"One probe of a batch of {BATCH}: milliseconds of the twin, of a plain loop, and their ratio.\n")
    print(
        f"{'layer':24s}{'readings':10s}{'ideal':>8s}{'loop':>9s}{'ratio':>7s}{'typical':>10s}{'loop':>9s}{'ratio':>7s}"
    )
    for row in rows:
        line = f"{row['layer']:24s}{row['readings']:10s}"
        for preset, width in (("ideal", 8), ("typical", 10)):
            twin_ms, loop_ms = row[f"{preset}_s"] * 1e3, row[f"{preset}_loop_s"] * 1e3
            line += f"{twin_ms:{width}.2f}{loop_ms:9.2f}{row[f'{preset}_ratio']:6.1f}x"
        print(line)


if __name__ == "__main__":
    main()
