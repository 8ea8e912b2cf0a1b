"""The live view's figures: how soon lists and long runs are there, its memory, and what watching costs a training.

Run with ``OPENBLAS_NUM_THREADS=1 python benchmarks/dashboard.py``. The list holds 200 finished runs, read for the
first time and again through the index; the long run has 100,000 rows of metrics. Both are timed in the server's
answer, and in a browser from the click to the drawn page where Chromium is installed. The server's memory is its
resident set after everything was opened. ``--training`` adds what takes minutes: the same training in this machine's
quiet, in turns with three browsers on its page and without, and the ratio of the pairs' wall times.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from made_runs import finished, long
from wired_bench import environment

BROWSERS = 3
BROWSER_NAMES = ("chromium", "chromium-browser", "google-chrome")


class Served:
    """``ffzero-lab dashboard`` over a folder of runs, as a context."""

    def __init__(self, runs: Path) -> None:
        command = [sys.executable, "-m", "ffzero_lab", "dashboard", "--run-dir", str(runs), "--port", "0", "--json"]
        self._process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.address = json.loads(self._process.stdout.readline())["address"].rstrip("/")
        self.get("/api/token")

    def get(self, path: str) -> tuple[float, Any]:
        """Return the seconds that an answer took, and what it holds."""
        began_s = time.perf_counter()
        with urllib.request.urlopen(self.address + path) as answer:
            content = json.load(answer)
        return time.perf_counter() - began_s, content

    def resident_mb(self) -> float:
        """Return the memory that the server holds, and its highest mark, in MB."""
        told = Path(f"/proc/{self._process.pid}/status").read_text()
        return float(next(line for line in told.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024

    def cpu_s(self) -> float:
        """Return the processor time that the server took so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(10.0)


@contextmanager
def browser() -> Generator[Any]:
    """Start a browser without a window; None where there is none."""
    found = next(filter(None, map(shutil.which, BROWSER_NAMES)), None)
    if found is None:
        yield None
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        yield playwright.chromium.launch(executable_path=found, args=arguments)


def seconds_until(page: Any, address: str, seen: str) -> float:
    """Return the seconds from asking for a page until *seen* (a selector) is drawn."""
    began_s = time.perf_counter()
    page.goto(address)
    page.wait_for_selector(seen, state="attached")
    return time.perf_counter() - began_s


def figures(folder: Path, n_runs: int, rows: int) -> None:
    """Print how soon everything is there, and what the server holds."""
    runs = folder / "runs"
    for number in range(n_runs):
        finished(runs / f"20260101-{number:06d}-run", 20)
    long(runs / "20260102-000000-long", rows)
    with ExitStack() as stack:
        served = stack.enter_context(Served(runs))
        first_s, listed = served.get(f"/api/runs?most={n_runs + 1}")
        again_s, _ = served.get(f"/api/runs?most={n_runs + 1}")
        print(f"{listed['total']} runs listed: {first_s:.3f} s the first time, {again_s:.3f} s again")
        before_s = served.cpu_s()
        opened_s, told = served.get("/api/run/20260102-000000-long")
        points = sum(len(curve["buckets"]) for curve in told["curves"])
        print(
            f"a run of {rows:,} rows opened: {opened_s:.3f} s ({served.cpu_s() - before_s:.2f} s of processor), "
            f"{points:,} buckets, {len(json.dumps(told)):,} bytes"
        )
    with ExitStack() as stack:
        served = stack.enter_context(Served(runs))
        shown = stack.enter_context(browser())
        if shown is None:
            print("no browser: pages are not timed")
            return
        page = shown.new_page()
        page.goto("about:blank")
        listed_s = seconds_until(page, f"{served.address}/", f"tbody tr:nth-child({min(200, n_runs)})")
        print(f"in a browser: the list {listed_s:.2f} s", end=", ")
        long_s = seconds_until(page, f"{served.address}/run/20260102-000000-long", "#newest tr:nth-child(2)")
        print(f"the long run {long_s:.2f} s")
        for number in range(min(20, n_runs)):
            page.goto(f"{served.address}/run/20260101-{number:06d}-run")
            page.wait_for_selector("#newest tr", state="attached")
        print(f"memory of the server at most {served.resident_mb():.0f} MB")


def train(folder: Path, name: str, steps: int, seed: int) -> tuple[subprocess.Popen[str], Path]:
    """Start a training run on the twin and return its process and folder."""
    command = [sys.executable, "-m", "ffzero_lab", "train", "--device", "twin", "--steps", str(steps), "--json"]
    command += ["--name", name, "--run-dir", str(folder), "--seed", str(seed), "--set", "log_every=5"]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
    while not (runs := list(folder.glob(f"*-{name}"))):
        time.sleep(0.05)
    return process, runs[0]


def training(folder: Path, pairs: int, steps: int) -> None:
    """Print what three browsers cost: pairs of the same training with and without them, in turns."""
    runs = folder / "watched"
    runs.mkdir()
    ratios: list[float] = []
    with ExitStack() as stack:
        served = stack.enter_context(Served(runs))
        shown = stack.enter_context(browser())
        if shown is None:
            raise SystemExit("no browser: nothing can watch")
        for pair in range(pairs):
            seconds: dict[bool, float] = {}
            for watched in (False, True) if pair % 2 else (True, False):
                pages = [shown.new_context().new_page() for _ in range(BROWSERS if watched else 0)]
                for page in pages:
                    page.goto(served.address)
                process, run = train(runs, f"pair{pair}-{'watched' if watched else 'alone'}", steps, pair)
                for page in pages:
                    page.goto(f"{served.address}/run/{run.name}")
                before_s = served.cpu_s()
                told, _ = process.communicate()
                seconds[watched] = json.loads(told)["wall_seconds"]
                server_s = served.cpu_s() - before_s
                for page in pages:
                    page.context.close()
                print(f"pair {pair}, {len(pages)} browsers: {seconds[watched]:.2f} s, the server {server_s:.2f} s")
            ratios.append(seconds[True] / seconds[False])
    spread = statistics.stdev(ratios) / len(ratios) ** 0.5 if len(ratios) > 1 else float("nan")
    print(
        f"with {BROWSERS} browsers {statistics.mean(ratios) - 1:+.1%} of wall time (standard error {spread:.1%}, "
        f"median {statistics.median(ratios) - 1:+.1%}, {len(ratios)} pairs of {steps} steps a layer)"
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--training", action="store_true", help="also what three browsers cost a training")
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--steps", type=int, default=1500)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures(Path(folder), arguments.runs, arguments.rows)
        if arguments.training:
            training(Path(folder), arguments.pairs, arguments.steps)


if __name__ == "__main__":
    main()
