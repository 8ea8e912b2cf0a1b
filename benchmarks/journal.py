"""What keeping a run costs: journal, status, checkpoints, control and interlocks, against the bare session.

Run with ``OPENBLAS_NUM_THREADS=1 python benchmarks/journal.py``, as the command line sets it. Pairs of the same
training session in one process: once driven bare, once by the conductor with a run folder, in changing order. Prints the median
of the pairs' ratios, their spread, and what a step costs more.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from ffzero_lab import open_device
from ffzero_lab.conduct import Conductor
from ffzero_lab.datasets import load_dataset
from ffzero_lab.device import interlocks_for, interlocks_on
from ffzero_lab.manifest import describe_run
from ffzero_lab.runs import RunWriter
from ffzero_lab.signals import Signals
from ffzero_lab.training import Session, TrainSettings

CHECKPOINT_EVERY_S = 30.0


def bare_s(settings: TrainSettings) -> float:
    """Return the wall seconds of a session that nobody writes down."""
    with open_device("twin") as device:
        session = Session(device, load_dataset("digits"), settings)
        began = time.perf_counter()
        for _ in session.run():
            pass
        device.park()
        return time.perf_counter() - began


def conducted_s(settings: TrainSettings, folder: Path) -> float:
    """Return the wall seconds of the same session with everything that a run of the command line keeps."""
    with open_device("twin") as device:
        session = Session(device, load_dataset("digits"), settings)
        manifest = describe_run(
            session,
            name="journal",
            device="twin",
            device_options={},
            interlocks={},
            checkpoint_every_s=CHECKPOINT_EVERY_S,
        )
        with (
            RunWriter.create(folder, manifest) as run,
            interlocks_on(device, interlocks_for(device.description, {})) as interlocks,
            Signals() as signals,
        ):
            began = time.perf_counter()
            Conductor(session, run, lambda event: None, signals, interlocks.check, CHECKPOINT_EVERY_S).conduct()
            return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=800, help="steps of each layer")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    settings = TrainSettings(steps=arguments.steps)
    bare_s(settings.model_copy(update={"steps": 100}))
    ratios, bare, kept = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for pair in range(arguments.pairs):
            if pair % 2:
                kept.append(conducted_s(settings, Path(folder) / str(pair)))
                bare.append(bare_s(settings))
            else:
                bare.append(bare_s(settings))
                kept.append(conducted_s(settings, Path(folder) / str(pair)))
            ratios.append(kept[-1] / bare[-1])
    n_steps = 2 * arguments.steps
    result = {
        "steps": n_steps,
        "pairs": arguments.pairs,
        "bare_s": statistics.median(bare),
        "kept_s": statistics.median(kept),
        "overhead": statistics.median(ratios) - 1.0,
        "overhead_range": [min(ratios) - 1.0, max(ratios) - 1.0],
        "overhead_fastest": min(kept) / min(bare) - 1.0,
        "extra_us_per_step": 1e6 * (min(kept) - min(bare)) / n_steps,
    }
    if arguments.json:
        print(json.dumps(result))
        return
    low, high = result["overhead_range"]
    print(f"{n_steps} steps on twin:photonic, typical, {arguments.pairs} pairs")
    print(f"bare session                    {result['bare_s']:.3f} s")
    print(f"journal, checkpoints, watching  {result['kept_s']:.3f} s")
    print(f"median of the pairs             {result['overhead']:+.2%}  ({low:+.2%} to {high:+.2%})")
    print(f"fastest against fastest         {result['overhead_fastest']:+.2%}")
    print(f"extra time of a step            {result['extra_us_per_step']:.0f} us")


if __name__ == "__main__":
    main()
