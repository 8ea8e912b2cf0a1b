"""The live view's figures: how soon lists and long runs are there, its memory, and what watching costs a training.

Run with ``OPENBLAS_NUM_THREADS=1 python benchmarks/dashboard.py``. The list holds 200 finished runs, read for the
first time and again through the index; the long run has 100,000 rows of metrics. Both are timed in the server's
answer, and in a browser from the click to the drawn page where Chromium is installed. The server's memory is its
resident set after everything was opened. ``--training`` shows instead what takes many minutes on a quiet machine: how
much slower a training is while three browsers on the same computer follow it (``watched.py``).
"""

import argparse
import json
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from made_runs import finished, long
from served import Served, browser
from watched import training


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


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--training", action="store_true", help="what three browsers cost a training, and only that")
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--steps", type=int, default=5000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.training:
            training(Path(folder), arguments.pairs, arguments.steps)
        else:
            figures(Path(folder), arguments.runs, arguments.rows)


if __name__ == "__main__":
    main()
