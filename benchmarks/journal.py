"""What keeping a run costs: journal, status, control, interlocks and checkpoints, against the bare session.

Run with ``OPENBLAS_NUM_THREADS=1 python benchmarks/journal.py``, as the command line sets it. In one training run every
other step is kept as the command line keeps it, so that a busy machine slows both of a pair alike. Moments in memory,
rows of metrics, the status and checkpoints come less often: they are timed one by one, and counted as in a default run.
"""

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ffzero_lab import open_device
from ffzero_lab.bench_file import choose_device
from ffzero_lab.conduct import MARK_EVERY_S, STATUS_EVERY_S, Conductor
from ffzero_lab.datasets import load_dataset
from ffzero_lab.device import interlocks_for, interlocks_on
from ffzero_lab.manifest import describe_run
from ffzero_lab.runs import ControlFolder, RunWriter
from ffzero_lab.signals import Signals
from ffzero_lab.training import Event, Session, TrainSettings

CHECKPOINT_EVERY_S = 30.0
LAYERS = 2
TIMES = 15
Moments = Iterator[tuple[Event, ...]]


class Alternating(Conductor):
    """Conducts one step of a run, or lets the session take it alone."""

    def begin(self) -> None:
        """Start as a run does."""
        self._control = ControlFolder(self.run.path)

    def step_s(self, moments: Moments, *, kept: bool) -> float:
        """Return the wall seconds of one step."""
        self._told_s = self._marked_s = math.inf  # timed by themselves
        self.session.device.before_exchange = self._heed_between_exchanges if kept else None
        began = time.perf_counter()
        moment = next(moments)
        if kept:
            self._keep(moment)
            self._heed_requests()
        return time.perf_counter() - began

    def rare_s(self) -> dict[str, float]:
        """Return the median wall seconds of what is not done at every step."""

        def mark() -> None:
            self._marked = False
            self._mark()

        rare = {
            "moment": mark,
            "row": lambda: self.run.append(self._row(self._last)),
            "status": lambda: self._tell("running"),
            "checkpoint": self._save_last,
        }
        return {name: statistics.median(timed_s(call) for _ in range(TIMES)) for name, call in rare.items()}


def timed_s(call: Callable[[], None]) -> float:
    """Return the wall seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def measure(folder: Path, steps: int) -> tuple[list[float], list[float], dict[str, float]]:
    """Return the seconds of bare steps, of kept steps in pairs with them, and of what is done less often."""
    settings = TrainSettings(steps=steps, baselines=False, log_every=steps)
    with open_device("twin") as device:
        session = Session(device, load_dataset("digits"), settings)
        manifest = describe_run(
            session,
            name="journal",
            device=choose_device("twin", {}),
            interlocks={},
            checkpoint_every_s=CHECKPOINT_EVERY_S,
        )
        with (
            RunWriter.create(folder, manifest) as run,
            interlocks_on(device, interlocks_for(device.description, {})) as interlocks,
            Signals() as signals,
        ):
            conductor = Alternating(session, run, lambda event: None, signals, interlocks.check, math.inf)
            conductor.begin()
            moments = session.run()
            for _ in range(20):  # compiles, fills caches
                conductor.step_s(moments, kept=True)
            seconds = {True: [], False: []}
            for pair in range((steps - 20) // 2):
                for kept in (True, False) if pair % 2 else (False, True):
                    seconds[kept].append(conductor.step_s(moments, kept=kept))
            return seconds[False], seconds[True], conductor.rare_s()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6000, help="steps of the layer that is measured")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    defaults = TrainSettings()
    with tempfile.TemporaryDirectory() as folder:
        bare, kept, rare = measure(Path(folder) / "run", arguments.steps)
    ratios = [of_kept / of_bare for of_kept, of_bare in zip(kept, bare, strict=True)]
    step_s = statistics.median(bare)
    run_s = LAYERS * defaults.steps * step_s
    every_s = {
        "moment": MARK_EVERY_S,
        "row": defaults.log_every * step_s,
        "status": STATUS_EVERY_S,
        "checkpoint": run_s / (LAYERS + 1 + run_s // CHECKPOINT_EVERY_S),
    }
    shares = {name: seconds / every_s[name] for name, seconds in rare.items()}
    low, middle, high = statistics.quantiles(ratios, n=4)
    result = {
        "pairs": len(ratios),
        "bare_step_ms": 1e3 * step_s,
        "step": middle - 1.0,
        "step_quartiles": [low - 1.0, high - 1.0],
        "step_fastest_tenth": statistics.quantiles(kept, n=10)[0] / statistics.quantiles(bare, n=10)[0] - 1.0,
        **shares,
        "milliseconds": {name: 1e3 * seconds for name, seconds in rare.items()},
        "overhead": middle - 1.0 + sum(shares.values()),
    }
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"twin:photonic, typical; {len(ratios)} pairs of steps, {result['bare_step_ms']:.2f} ms bare")
    print(
        f"state, control, interlocks, at every step  {middle - 1.0:+.2%}  (quartiles {low - 1:+.2%} to {high - 1:+.2%})"
    )
    for name, share in shares.items():
        print(f"{name:10s} {1e3 * rare[name]:6.2f} ms every {every_s[name]:5.2f} s        {share:+.2%}")
    print(f"together                                   {result['overhead']:+.2%}")


if __name__ == "__main__":
    main()
