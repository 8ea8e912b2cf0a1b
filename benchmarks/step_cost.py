"""What a training step costs on a twin with imperfections, against one on the ideal twin.

Run with ``OPENBLAS_NUM_THREADS=1 python benchmarks/step_cost.py``. The sessions take their steps in turn, so that
whatever else the machine does meets all of them; the ratio is that of the median processor times.
"""

import argparse
import statistics
import time
from collections.abc import Iterator

from ffzero_lab.datasets import load_dataset
from ffzero_lab.opening import open_device
from ffzero_lab.training import Session, StepDone, TrainSettings


def steps(preset: str, count: int) -> Iterator[float]:
    """Yield the processor seconds of each training step of a default run on the twin of *preset*."""
    device = open_device("twin:photonic", preset=preset)
    settings = TrainSettings(steps=count, baselines=False)
    with device:
        session = Session(device, load_dataset(settings.dataset), settings).run()
        while True:
            began = time.process_time()
            events = next(session)
            spent = time.process_time() - began
            if any(isinstance(event, StepDone) for event in events):
                yield spent


def main() -> None:
    """Time the presets side by side and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=600)
    count = parser.parse_args().steps
    presets = ("ideal", "typical", "harsh")
    running = [steps(preset, count + 50) for preset in presets]
    timed = [[next(session) for session in running] for _ in range(count)][min(50, count // 2) :]
    ideal, *_ = medians = [statistics.median(column) for column in zip(*timed, strict=True)]
    for preset, median in zip(presets, medians, strict=True):
        print(f"{preset:8s} {1e3 * median:6.2f} ms a step, {median / ideal:.2f} x ideal")


if __name__ == "__main__":
    main()
