"""Kills runs at random moments, resumes them, and compares each with one that nobody disturbed.

Run with ``python benchmarks/kills.py``. Every run is a process of its own, killed by SIGKILL one to four times between
its first instruction and its last, also while it resumes. A run is identical when the arrays of its checkpoint
(parameters, optimizer, state of the twin), its summary and its metrics, row by row, are those of the undisturbed run
but for wall-clock fields. A row is lost when it stood whole in ``metrics.jsonl`` at a kill and stands neither there nor
among the superseded rows at the end.
"""

import argparse
import itertools
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

SETTINGS = shlex.split(
    "--preset typical --layers 2 --batch 128 --set log_every=1 --set validation=0.2 --set check_every=20 "
    "--set run.checkpoint_every=0.2"
)
WALL_CLOCK = ("wall_seconds", "updated", "started")
MOST_KILLS = 4


@dataclass
class Count:
    """What happened to all runs together."""

    runs: int = 0
    """Runs that were resumed at least once; others were begun anew, or killed behind their summary."""
    kills: int = 0
    identical: int = 0
    rows_acknowledged: int = 0
    rows_lost: int = 0
    rows_doubled: int = 0
    begun_anew: int = 0
    by_moment: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


def start(folder: Path, arguments: list[str], kill_after_s: float | None, command: str = "train") -> bool:
    """Run ``ffzero-lab`` *command* in *folder*; return whether it was killed before it came to its end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ffzero_lab", command, *arguments, "--json"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        process.wait(kill_after_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    _, said = process.communicate()
    if process.returncode not in (0, -signal.SIGKILL):
        raise SystemExit(f"a run ended with {process.returncode}: {said.decode()}")
    return process.returncode != 0


def run_in(folder: Path) -> Path | None:
    """Return the run below *folder* that has a manifest, or None."""
    manifests = sorted(folder.glob("runs/*/manifest.json"))
    return manifests[-1].parent if manifests else None


def rows_of(path: Path) -> list[str]:
    """Return the whole rows of a file of metrics, without their wall-clock fields."""
    if not path.exists():
        return []
    whole = [line for line in path.read_bytes().split(b"\n")[:-1] if line.startswith(b"{") and line.endswith(b"}")]
    return [json.dumps(timeless(json.loads(line))) for line in whole]


def timeless(content: dict[str, Any]) -> dict[str, Any]:
    """Return *content* without what a clock on the wall decides."""
    return {key: value for key, value in content.items() if key not in WALL_CLOCK}


def moment_of(run: Path | None) -> str:
    """Say where a run was killed."""
    if run is None:
        return "before its folder"
    if (run / "summary.json").exists():
        return "behind its summary"
    if not (run / "checkpoint.npz").exists():
        return "before its first checkpoint"
    rows = [json.loads(row) for row in rows_of(run / "metrics.jsonl")]
    done = sum(row["event"] == "layer" for row in rows)
    return f"in layer {done}" if done < 2 else "while it is tested"


def differences(run: Path, reference: Path) -> list[str]:
    """Return in what a run differs from the reference."""
    found: list[str] = []
    with np.load(run / "checkpoint.npz") as mine, np.load(reference / "checkpoint.npz") as its:
        if set(mine.files) != set(its.files):
            found.append("names of arrays")
        for name in set(mine.files) & set(its.files) - {"checkpoint"}:
            a, b = mine[name], its[name]
            if a.dtype != b.dtype or a.shape != b.shape or a.tobytes() != b.tobytes():
                found.append(f"array {name}")
        heads = [json.loads(str(archive["checkpoint"])) for archive in (mine, its)]
    if len({json.dumps(head["plain"]["session"]) for head in heads}) != 1:
        found.append("plain values of the checkpoint")
    summaries = [timeless(json.loads((folder / "summary.json").read_text())) for folder in (run, reference)]
    found += [f"summary: {key}" for key in summaries[1] if summaries[0].get(key) != summaries[1][key]]
    if rows_of(run / "metrics.jsonl") != rows_of(reference / "metrics.jsonl"):
        found.append("metrics")
    return found


def disturbed_run(
    folder: Path, settings: list[str], duration_s: float, rng: random.Random, count: Count
) -> tuple[Path, bool]:
    """Run, kill at random moments, resume until complete; return the run, and whether it was ever resumed."""
    kills, acknowledged = 1 if rng.random() < 0.6 else rng.randint(2, MOST_KILLS), set[str]()
    near_the_end = rng.random() < 0.25
    resumed = False
    while True:
        run = run_in(folder)
        resumed |= run is not None
        arguments = settings if run is None else ["--resume", str(run)]
        first_s = 0.85 * duration_s if near_the_end and run is None else 0.0
        killed = start(folder, arguments, rng.uniform(first_s, duration_s) if kills > 0 else None)
        run = run_in(folder)
        if killed:
            kills -= 1
            count.kills += 1
            count.by_moment[moment_of(run)] += 1
            count.begun_anew += run is None
            if run is not None:
                acknowledged |= set(rows_of(run / "metrics.jsonl"))
        if run is not None and (run / "summary.json").exists():
            break
    standing = rows_of(run / "metrics.jsonl")
    count.rows_acknowledged += len(acknowledged)
    count.rows_lost += len(acknowledged - set(standing) - set(rows_of(run / "metrics.superseded.jsonl")))
    count.rows_doubled += len(standing) - len(set(standing))
    return run, resumed


def main() -> None:
    """Disturb, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="runs that are killed and resumed")
    parser.add_argument("--steps", type=int, default=1200, help="steps of each layer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--ports", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    of = ["--dataset", arguments.dataset, "--set", f"device.ports={arguments.ports}"]
    settings = [*SETTINGS, *of, "--steps", str(arguments.steps)]
    rng, count = random.Random(arguments.seed), Count()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "reference").mkdir()
        began = time.perf_counter()
        start(home / "reference", settings, None)
        duration_s = time.perf_counter() - began
        reference = run_in(home / "reference")
        for number in itertools.count():
            if count.runs == arguments.kills:
                break
            folder = home / f"run{number}"
            folder.mkdir()
            run, resumed = disturbed_run(folder, settings, duration_s, rng, count)
            found = differences(run, reference)
            count.differences += [f"run {number}: {what}" for what in found]
            count.runs += resumed
            count.identical += resumed and not found
            shutil.rmtree(folder)
            print(f"{count.runs}/{arguments.kills} runs, {count.kills} kills", end="\r", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    if arguments.json:
        print(json.dumps({"undisturbed_s": duration_s, "seed": arguments.seed, **vars(count)}, indent=2))
        return
    print(f"undisturbed run: {duration_s:.1f} s, {arguments.steps} steps in each of 2 layers")
    print("killed: " + ", ".join(f"{number} {moment}" for moment, number in count.by_moment.most_common()))
    print(
        f"{count.kills} SIGKILLs: {count.identical} of {count.runs} resumed runs identical; "
        f"{count.rows_lost} of {count.rows_acknowledged} acknowledged rows lost, {count.rows_doubled} doubled"
    )
    print("\n".join(count.differences))


if __name__ == "__main__":
    main()
