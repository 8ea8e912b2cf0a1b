"""What watching costs a training on the same computer: turns without and with browsers, and whose processor time it is.

Part of ``python benchmarks/dashboard.py --training``. One training, of one seed, is run in turns: alone, with three
browsers on its page, each page in sight and all of them on this computer, and with three listeners instead, that read
the server's events and discard them: what remains here when the browsers are on other computers. Every other pair has
its turns in the opposite order, so that a slow change of the machine cancels.

The clock is the training's own, ``wall_seconds`` of its rows. *Steady* goes from step ``FROM_STEP`` of the first layer,
by when every page must show the newest loss, to the last step; *whole* from the beginning, and so with the opening of
the pages. Processor seconds are those of the steady part; *other* is what the rest of the machine used meanwhile, which
should be next to nothing.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from served import Served, browser
from wired_bench import environment

Turn = Literal["alone", "browsers", "listeners"]
WATCHERS = 3
FROM_STEP = 1500
LOG_EVERY = 5
LOOK_S = 0.2
PARTIES = ("training", "server", "watchers", "other")
LISTENER = """
import sys, threading, urllib.request
def listen():
    with urllib.request.urlopen(sys.argv[1]) as events:
        while events.read1(65536):
            pass
for _ in range(int(sys.argv[2])):
    threading.Thread(target=listen).start()
print("listening", flush=True)
"""


@dataclass(frozen=True)
class Measured:
    """One turn: wall seconds by the training's clock, and processor seconds of the steady part by party."""

    steady_s: float
    whole_s: float
    processor_s: dict[str, float]


def training(folder: Path, pairs: int, steps: int) -> None:
    """Print what three browsers cost, and what three listeners do."""
    if steps <= FROM_STEP:
        raise SystemExit(
            f"--steps {steps}: at least {FROM_STEP + 1}, for only what comes after step {FROM_STEP} is steady"
        )
    runs = folder / "watched"
    runs.mkdir()
    turns: tuple[Turn, ...] = ("alone", "browsers", "listeners")
    found: dict[Turn, list[Measured]] = {turn: [] for turn in turns}
    with ExitStack() as stack:
        served = stack.enter_context(Served(runs))
        shown = stack.enter_context(browser())
        if shown is None:
            raise SystemExit("no browser: nothing can watch")
        for pair in range(pairs):
            for turn in turns if pair % 2 == 0 else turns[::-1]:
                one = _measured(served, shown, runs, turn, f"pair{pair}-{turn}", steps)
                found[turn].append(one)
                told = ", ".join(f"{party} {one.processor_s[party]:.2f}" for party in PARTIES)
                print(
                    f"pair {pair}, {turn}: steady {one.steady_s:.2f} s, whole {one.whole_s:.2f} s; processor s: {told}"
                )
    for turn, words in (
        ("browsers", f"{WATCHERS} browsers on this computer"),
        ("listeners", f"{WATCHERS} listeners that discard the events (browsers on other computers, emulated)"),
    ):
        beside = list(zip(found[turn], found["alone"], strict=True))
        print(f"{words}: the training is slower by")
        print(f"  steady: {_told([one.steady_s / alone.steady_s for one, alone in beside])}")
        print(f"  whole, with the opening: {_told([one.whole_s / alone.whole_s for one, alone in beside])}")
        for party in ("watchers", "server", "training"):
            rate = statistics.fmean(one.processor_s[party] / one.steady_s for one in found[turn])
            print(f"  {party}: {rate:.3f} processor seconds a second")
    print(f"({pairs} pairs of {steps} steps a layer, steady from step {FROM_STEP} of the first one)")


def _told(ratios: Sequence[float]) -> str:
    error = statistics.stdev(ratios) / len(ratios) ** 0.5 if len(ratios) > 1 else float("nan")
    return (
        f"{statistics.median(ratios) - 1:+.1%} in the median, {statistics.fmean(ratios) - 1:+.1%} in the mean "
        f"(standard error {error:.1%})"
    )


def _measured(served: Served, shown: Any, runs: Path, turn: Turn, name: str, steps: int) -> Measured:
    with _train(runs, name, steps) as (process, run), _watched(served, shown, run.name, turn) as pages:
        rows = _Rows(run / "metrics.jsonl")
        while not rows.reached(0, FROM_STEP):
            time.sleep(LOOK_S)
        late = [page for page in pages if not page.locator("#newest tr").count()]
        if late:
            raise SystemExit(
                f"{name}: {len(late)} pages showed nothing yet at step {FROM_STEP}; the machine is too busy"
            )
        before = _processor_s(process.pid, served.process_id)
        while not rows.reached(1, steps):
            if process.poll() is not None:
                raise SystemExit(f"{name}: the training ended with {process.returncode} before its last step")
            time.sleep(LOOK_S)
        after = _processor_s(process.pid, served.process_id)
    return Measured(
        rows.wall_s[1, steps] - rows.wall_s[0, FROM_STEP],
        rows.wall_s[1, steps],
        {party: after[party] - before[party] for party in PARTIES},
    )


class _Rows:
    """The rows of a training as they are written."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0
        self.wall_s: dict[tuple[int, int], float] = {}
        """By layer and step."""

    def reached(self, layer: int, step: int) -> bool:
        """Tell whether the row of that step is written."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0]
        self._read += len(whole) + 1 if whole else 0
        for line in whole.splitlines():
            row = json.loads(line)
            if row["event"] == "step":
                self.wall_s[row["layer"], row["step"]] = row["wall_seconds"]
        return (layer, step) in self.wall_s


@contextmanager
def _train(runs: Path, name: str, steps: int) -> Generator[tuple["subprocess.Popen[str]", Path]]:
    """Start a training on the twin; what it does after its last step is not waited for."""
    command = [sys.executable, "-m", "ffzero_lab", "train", "--device", "twin", "--steps", str(steps), "--no-report"]
    command += ["--name", name, "--run-dir", str(runs), "--set", f"log_every={LOG_EVERY}"]
    one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # of two processors it shall use one
    process = subprocess.Popen(command, env=environment() | one_thread, stdout=subprocess.DEVNULL, text=True)
    try:
        while not (found := list(runs.glob(f"*-{name}/metrics.jsonl"))):
            if process.poll() is not None:
                raise SystemExit(f"{name}: the training ended with {process.returncode} before it began")
            time.sleep(0.05)
        yield process, found[0].parent
    finally:
        process.terminate()
        process.wait(30.0)


@contextmanager
def _watched(served: Served, shown: Any, run: str, turn: Turn) -> Generator[list[Any]]:
    """Watch a run; yields the pages of browsers."""
    if turn == "listeners":
        command = [sys.executable, "-c", LISTENER, f"{served.address}/api/events/{run}", str(WATCHERS)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                yield []
            finally:
                process.kill()
        return
    pages = [shown.new_context().new_page() for _ in range(WATCHERS if turn == "browsers" else 0)]
    for page in pages:
        page.goto(f"{served.address}/run/{run}")
    try:
        yield pages
    finally:
        for page in pages:
            page.context.close()


def _processor_s(training_id: int, server_id: int) -> dict[str, float]:
    """Return the processor seconds so far of training, server, all else that this process started, and the rest."""
    tick = os.sysconf("SC_CLK_TCK")
    children: defaultdict[int, list[int]] = defaultdict(list)
    used: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        children[int(fields[1])].append(int(path.parent.name))
        used[int(path.parent.name)] = (int(fields[11]) + int(fields[12])) / tick
    own, todo = [os.getpid()], [os.getpid()]
    while todo:
        own += (more := children[todo.pop()])
        todo += more
    watchers = set(own) - {os.getpid(), training_id, server_id}
    busy = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    all_s = (
        sum(int(ticks) for place, ticks in enumerate(busy) if place not in (3, 4)) / tick
    )  # without idle and waiting
    told = {"training": used[training_id], "server": used[server_id], "watchers": sum(used[one] for one in watchers)}
    return told | {"other": all_s - sum(told.values())}
