"""Kills a protocol at random moments, resumes it, and compares each with one that nobody disturbed.

Run with ``python benchmarks/protocol_kills.py``. The protocol calibrates a chip that is driven in volts and drifts,
trains it with a sentinel that calibrates again in the middle of training, holds it, sweeps noise and reports. Every run
is a process of its own, killed by SIGKILL one to four times between its first instruction and its last, also while it
resumes. It is identical when the outcome of every step, the exact state of the twin, the checkpoint, metrics and
summary of the nested training run, and the values of every calibration record are those of the undisturbed run but for
wall-clock fields.
"""

import argparse
import itertools
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from kills import run_in, start

PROTOCOL = """
[protocol]
title = "To be killed"
kind = "photonic"

[device]
name = "twin:photonic"
ports = 4
layers = 1
drive = "volts"
drift = { phase_rad = 0.1, time_s = 20.0 }

[sentinel]
every = "1s"
bound = 0.03
on_drift = "recalibrate"
calibrate = "measure"
most = 2

[[step]]
name = "who"
kind = "identify"

[[step]]
name = "warm"
kind = "warm-up"
every = "1s"
stable = 0.2
longest = "20s"

[[step]]
name = "measure"
kind = "calibrate"
only = ["detectors", "modulators", "electrical", "fringes", "offsets"]

[[step]]
name = "train"
kind = "train"
checkpoint_every = 0.2
settings = { dataset = "iris", steps = %d, batch = 64, log_every = 5 }

[[step]]
name = "hold"
kind = "drift-check"
duration = "20s"
every = "2s"
run_of = "${train.run}"

[[step]]
name = "noise"
kind = "sweep"
setting = "parameter_noise"
values = [0.0, 0.05, 0.2]
of = { kind = "evaluate", run_of = "${train.run}", times = 3 }

[[step]]
name = "report"
kind = "report"
title = "Iris: ${train.score}"
"""
WALL_CLOCK = {
    "wall_seconds", "updated", "started", "began", "ended", "begun", "run_id", "pid", "sha256", "data_dir",
}  # fmt: skip
MOST_KILLS = 4


@dataclass
class Count:
    """What happened to all runs together."""

    runs: int = 0
    """Runs that were resumed at least once; others were begun anew, or killed behind their summary."""
    kills: int = 0
    identical: int = 0
    recalibrations: int = 0
    """In the undisturbed run."""
    by_moment: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


def timeless(content: Any) -> Any:
    """Return *content* without what a clock on the wall, or a fresh identity, decides."""
    if isinstance(content, dict):
        return {key: timeless(value) for key, value in content.items() if key not in WALL_CLOCK}
    return [timeless(value) for value in content] if isinstance(content, list) else content


def moment_of(run: Path | None) -> str:
    """Say where a run was killed."""
    if run is None:
        return "before its folder"
    if (run / "summary.json").exists():
        return "behind its summary"
    manifest = json.loads((run / "manifest.json").read_text())
    under_way = [step["name"] for step in manifest.get("steps", []) if step["state"] == "running"]
    return f"in {under_way[0]}" if under_way else "between steps"


def left_behind(run: Path) -> dict[str, Any]:
    """Return everything that a complete run left, by file."""
    left: dict[str, Any] = {}
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.name in ("summary.json", "manifest.json"):
            left[name] = timeless(json.loads(path.read_text()))
        elif path.name == "metrics.jsonl":
            left[name] = [timeless(json.loads(line)) for line in path.read_text().splitlines()]
        elif path.name == "checkpoint.npz":
            with np.load(path) as archive:
                left[name] = {key: archive[key].tobytes() for key in archive.files if key != "checkpoint"}
                left[f"{name}: plain"] = timeless(json.loads(str(archive["checkpoint"]))["plain"])
        elif path.suffix == ".json" and "calibration" in name and path.name != "status.json":
            left[name] = json.loads(path.read_text())["layers"]
        elif path.suffix == ".html":
            left[name] = path.read_text()
    return left


def differences(run: Path, reference: Path) -> list[str]:
    """Return in what a run differs from the reference."""
    mine, its = left_behind(run), left_behind(reference)
    found = [f"only one of both has {name}" for name in sorted(set(mine) ^ set(its))]
    return found + [name for name in sorted(set(mine) & set(its)) if mine[name] != its[name]]


def disturbed_run(folder: Path, duration_s: float, rng: random.Random, count: Count) -> tuple[Path, bool]:
    """Run, kill at random moments, resume until complete; return the run, and whether it was ever resumed."""
    kills = 1 if rng.random() < 0.5 else rng.randint(2, MOST_KILLS)
    resumed = False
    while True:
        run = run_in(folder)
        resumed |= run is not None
        arguments = ["protocol.toml"] if run is None else ["--resume", str(run)]
        killed = start(folder, arguments, rng.uniform(0.0, duration_s) if kills > 0 else None, "run")
        run = run_in(folder)
        if killed:
            kills -= 1
            count.kills += 1
            count.by_moment[moment_of(run)] += 1
        if run is not None and (run / "summary.json").exists():
            return run, resumed


def main() -> None:
    """Disturb, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="runs that are killed and resumed")
    parser.add_argument("--steps", type=int, default=1500, help="steps of training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rng, count = random.Random(arguments.seed), Count()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)

        def prepared(folder: str) -> Path:
            (home / folder).mkdir()
            (home / folder / "protocol.toml").write_text(PROTOCOL % arguments.steps)
            return home / folder

        began = time.perf_counter()
        start(prepared("reference"), ["protocol.toml"], None, "run")
        duration_s = time.perf_counter() - began
        reference = run_in(home / "reference")
        summary = json.loads((reference / "summary.json").read_text())
        count.recalibrations = summary["sentinel"]["recalibrations"]
        for number in itertools.count():
            if count.runs == arguments.kills:
                break
            folder = prepared(f"run{number}")
            run, resumed = disturbed_run(folder, duration_s, rng, count)
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
    print(f"undisturbed protocol: {duration_s:.1f} s, {count.recalibrations} re-calibrations on the way")
    print("killed: " + ", ".join(f"{number} {moment}" for moment, number in count.by_moment.most_common()))
    print(f"{count.kills} SIGKILLs: {count.identical} of {count.runs} resumed protocols identical")
    print("\n".join(count.differences))


if __name__ == "__main__":
    main()
