"""A sweep by one worker and by two, and one whose workers are killed all the time: time, completion, equality.

``python benchmarks/sweep.py --points 40`` sweeps the seeds of a short training of the 64-port twin. Wall times are of
the whole command, start of the processes included. With ``--kill-every 5`` one of the two worker processes, in turn,
gets SIGKILL every 5 s until the sweep is complete. Each point is compared, bit by bit, with its solo run by
``ffzero-lab train``: parameters, prototypes, rows of metrics, counts and scores.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from ffzero_lab.runs import RunReader

LAB = (sys.executable, "-m", "ffzero_lab")
TABLES = """
[device]
ports = {ports}
[train]
dataset = "{dataset}"
steps = {steps}
[run]
checkpoint_every = 1
"""
SWEEP = """
[sweep.settings]
seed = {seeds}
"""


def main() -> None:
    """Measure and print."""
    options = read_options()
    os.environ["FFZERO_REPORT"] = "0"  # a point writes none, and the solo runs need none
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        numbers = measure(options, Path(folder))
    if options.json:
        print(json.dumps(numbers))
        return
    for name, number in numbers.items():
        print(f"{name:28s}{number:>12.4g}")


def read_options() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=40)
    parser.add_argument("--ports", type=int, default=64)
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--kill-every", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--most-kills", type=int, default=10_000, help="then the workers are left in peace")
    parser.add_argument("--skip-times", action="store_true", help="only the sweep whose workers are killed")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def measure(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Return seconds of one and two workers, and what became of the points of a disturbed sweep."""
    tables = TABLES.format(ports=options.ports, dataset=options.dataset, steps=options.steps)
    (folder / "solo.toml").write_text(tables)
    (folder / "sweep.toml").write_text(tables + SWEEP.format(seeds=list(range(options.points))))
    numbers: dict[str, float] = {}
    if not options.skip_times:
        subprocess.run([*LAB, "train", "--config", "solo.toml", "--name", "warm"], check=True, capture_output=True)
        seconds = [swept(f"by{workers}", workers) for workers in (1, 2)]
        numbers |= {"seconds_one_worker": seconds[0], "seconds_two_workers": seconds[1]}
        numbers["ratio"] = seconds[0] / seconds[1]
    seconds, kills, path = disturbed(options.kill_every, options.most_kills)
    numbers |= {"seconds_disturbed": seconds, "kills": kills, "points": options.points}
    runs = sorted(path.glob("point-*"))
    numbers["complete"] = sum(RunReader(run).summary is not None for run in runs)
    numbers["equal"] = sum(left_behind(run) == left_behind(solo(seed)) for seed, run in enumerate(runs))
    return numbers


def swept(name: str, workers: int) -> float:
    """Sweep undisturbed; returns wall seconds."""
    began_s = time.perf_counter()
    command = [*LAB, "sweep", "sweep.toml", "--name", name, "--workers", str(workers)]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began_s


def disturbed(every_s: float, most: int) -> tuple[float, int, Path]:
    """Sweep with two workers, one of which is killed every so often; returns wall seconds, kills and the folder."""
    began_s, kills = time.perf_counter(), 0
    sweep = subprocess.Popen(
        [*LAB, "sweep", "sweep.toml", "--name", "disturbed"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while True:
        try:
            sweep.wait(every_s)
            break
        except subprocess.TimeoutExpired:
            workers = workers_of(sweep.pid)
            if workers and kills < most:
                victim = workers[0]  # the oldest: each of two in turn
                os.kill(victim, signal.SIGKILL)
                kills += 1
    told = sweep.stdout.read() if sweep.stdout else ""
    if sweep.returncode != 0:
        print(told, file=sys.stderr)
        raise SystemExit(f"the sweep ended with {sweep.returncode}")
    (path,) = Path("runs").glob("*-disturbed")
    return time.perf_counter() - began_s, kills, path


def workers_of(pid: int) -> list[int]:
    """Return the worker processes of a sweep that carry out a point or are about to, the oldest first."""
    try:
        children = psutil.Process(pid).children()
        spawned = [child for child in children if any("ffzero_lab.sweeps.worker" in part for part in child.cmdline())]
        return [child.pid for child in sorted(spawned, key=lambda child: child.create_time())]
    except psutil.NoSuchProcess:
        return []


def solo(seed: int) -> Path:
    """Train one point alone, as anybody would; returns its run folder."""
    name = f"solo{seed}"
    command = [*LAB, "train", "--config", "solo.toml", "--seed", str(seed), "--name", name]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = Path("runs").glob(f"*-{name}")
    return path


def left_behind(run: Path) -> dict:
    """Return what a complete run left, without wall-clock fields."""
    reader = RunReader(run)
    checkpoint = reader.checkpoint()
    return {
        **{name: values.tobytes() for name, values in checkpoint.arrays.items()},
        "summary": {**(reader.summary or {}), "wall_seconds": None},
        "metrics": [{**row, "wall_seconds": None} for row in reader.metrics()],
    }


if __name__ == "__main__":
    main()
