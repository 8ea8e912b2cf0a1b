"""What the engine itself costs: a training step on a device whose own work is free.

Run with ``OPENBLAS_NUM_THREADS=1 python benchmarks/orchestrator.py``, as the command line sets it. Prints the median
time of a step of 4,096 parameters and a batch of 512 on a null device, and beside it, in the same process, a whole step
on the photonic twin.
"""

import argparse
import json
import statistics
import time

import numpy as np

from ffzero_lab import open_device
from ffzero_lab.datasets import load_dataset
from ffzero_lab.device import Device, DeviceDescription, Guarded, VirtualClock
from ffzero_lab.training import Session, StepDone, TrainSettings


class NullDevice(Device):
    """Answers at once with numbers drawn beforehand."""

    def __init__(self, description: DeviceDescription, seed: int = 0) -> None:
        self.description, self.clock = description, VirtualClock()
        n_out = description.layers[0].n_outputs
        self._outputs = np.random.default_rng(seed).exponential(0.25, (2, 2000, n_out))

    def load_inputs(self, layer, patterns) -> None:
        """Stage nothing."""

    def write_parameters(self, layer, values) -> None:
        """Write nothing."""

    def read_outputs(self, layer, rows):
        """Return prepared numbers."""
        return self._outputs[0, : len(rows)]

    def probe(self, layer, settings, rows):
        """Return prepared numbers."""
        return self._outputs[: len(settings), : len(rows)]

    def park(self) -> None:
        """Nothing stands anywhere."""

    def close(self) -> None:
        """Nothing to release."""


def step_times_ms(device: Guarded, settings: TrainSettings) -> list[float]:
    """Return the wall time of every step of a session, in milliseconds."""
    times_ms, began = [], time.perf_counter()
    for moment in Session(device, load_dataset("digits"), settings).run():
        now = time.perf_counter()
        if any(isinstance(event, StepDone) for event in moment):
            times_ms.append(1e3 * (now - began))
        began = now
    return times_ms[len(times_ms) // 10 :]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    settings = TrainSettings(steps=arguments.steps, batch=512, baselines=False)
    with open_device("twin", layers=1) as twin:
        null = Guarded(NullDevice(twin.description))
        result = {
            "parameters": twin.description.layers[0].n_parameters,
            "batch": settings.batch,
            "engine_ms": statistics.median(step_times_ms(null, settings)),
            "twin_step_ms": statistics.median(step_times_ms(twin, settings)),
        }
    result["engine_share"] = result["engine_ms"] / result["twin_step_ms"]
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"{result['parameters']} parameters, batch {result['batch']}")
    print(f"a step on the null device (the engine alone)  {result['engine_ms']:.3f} ms")
    print(f"a step on twin:photonic, typical              {result['twin_step_ms']:.3f} ms")
    print(f"the engine's share of a step                  {result['engine_share']:.0%}")


if __name__ == "__main__":
    main()
