"""Sweeps by real processes: lost, interrupted, orphaned, and those of an existing scheduler."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from ffzero_lab.sweeps.folder import SweepFolder

LAB = [sys.executable, "-m", "ffzero_lab"]
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "sweep.py"
FILE = """
[device]
ports = 8
[train]
dataset = "iris"
steps = {steps}
[run]
checkpoint_every = 0.2
[sweep]
settings.seed = [0, 1, 2]
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def wait_until(true: Callable[[], Any], seconds: float = 100.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.05)


def state_of(run: Path) -> str:
    try:
        return json.loads((run / "status.json").read_text())["state"]
    except (OSError, ValueError):
        return ""


class Begun:
    """A sweep of long points in a process of its own, both workers at one."""

    def __init__(self, folder: Path) -> None:
        (folder / "sweep.toml").write_text(FILE.format(steps=200_000))
        self.process = subprocess.Popen(
            [*LAB, "sweep", "sweep.toml"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        wait_until(lambda: len(list(folder.glob("runs/*/sweep.json"))) == 1)
        (self.path,) = folder.glob("runs/*-sweep")
        wait_until(lambda: len(self.running()) == 2 and len(list(self.path.glob("*/checkpoint.npz"))) == 2)
        self.workers = psutil.Process(self.process.pid).children()

    def running(self) -> list[Path]:
        return [run for run in self.path.glob("point-*") if state_of(run) == "running"]

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()
        for worker in self.workers:
            if worker.is_running():
                worker.kill()


@pytest.fixture
def begun(tmp_path: Path) -> Any:
    sweep = Begun(tmp_path)
    yield sweep
    sweep.end()


def test_a_sweep_whose_workers_are_killed_completes_each_point_equal_to_its_solo_run(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, BENCHMARK, "--points", "2", "--ports", "8", "--dataset", "iris", "--steps", "400",
         "--kill-every", "2", "--most-kills", "2", "--skip-times", "--json"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    counted = json.loads(ended.stdout)
    assert counted["kills"] >= 1, counted
    assert (counted["complete"], counted["equal"]) == (2, 2), counted


def test_ctrl_c_parks_and_saves_the_points_and_says_what_goes_on(begun: Begun) -> None:
    os.killpg(begun.process.pid, signal.SIGINT)
    _, told = begun.process.communicate(timeout=200)
    assert begun.process.returncode == 130
    assert told.splitlines()[-1] == f"ffzero-lab sweep --resume {begun.path.relative_to(begun.path.parents[1])}"
    assert sorted(state_of(run) for run in begun.path.glob("point-*")) == ["stopped", "stopped"]
    assert all((run / "checkpoint.npz").exists() for run in begun.path.glob("point-*"))
    wait_until(lambda: not any(worker.is_running() for worker in begun.workers))
    assert SweepFolder(begun.path).is_stopping


def test_workers_park_their_points_and_end_when_the_sweep_is_killed(begun: Begun) -> None:
    begun.process.kill()
    begun.process.communicate()
    wait_until(lambda: not any(worker.is_running() for worker in begun.workers))
    assert sorted(state_of(run) for run in begun.path.glob("point-*")) == ["stopped", "stopped"]


def test_a_worker_that_is_told_to_go_parks_its_point_and_another_takes_it_up(begun: Begun) -> None:
    begun.workers[0].send_signal(signal.SIGTERM)
    wait_until(lambda: sorted(state_of(run) for run in begun.path.glob("point-*")) == ["running", "stopped"])
    begun.workers[0].wait(100.0)
    wait_until(lambda: len(begun.running()) == 2)
    assert begun.process.poll() is None


def test_an_existing_scheduler_carries_out_a_sweep_and_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(FILE.format(steps=5))
    nobody = subprocess.run(
        [*LAB, "sweep", "sweep.toml", "--scheduler", "nonsense://127.0.0.1:9"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert nobody.returncode == 2
    assert "no scheduler answers at nonsense://127.0.0.1:9" in nobody.stderr
    serve = (
        "import sys; from distributed import LocalCluster\n"
        "if __name__ == '__main__':\n"
        "    where = {'protocol': 'tcp', 'host': '127.0.0.1', 'dashboard_address': None}\n"
        "    with LocalCluster(n_workers=1, processes=False, **where) as cluster:\n"
        "        print(cluster.scheduler_address, flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", serve], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        address = address if address.startswith("tcp") else ""
        if not address:
            server.kill()
        assert address, "the server told no tcp address"
        ended = subprocess.run(
            [*LAB, "sweep", "sweep.toml", "--scheduler", address, "--json"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        server.communicate("")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["complete"] == 3
