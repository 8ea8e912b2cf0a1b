"""When a run cannot be written down: it stops parked with one clear message, and what was kept goes on later."""

import json
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.twin.photonic import PhotonicTwin
from ffzero_lab.runs import RunReader
from ffzero_lab.signals import Signals

Command = Callable[..., Any]
SETTINGS = ["--set", "device.ports=8", "--set", "log_every=1", "--set", "run.checkpoint_every=0.02", "--steps", "40"]


@pytest.fixture
def parked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether all heaters were off after each parking."""
    seen: list[bool] = []
    park = PhotonicTwin.park

    def watched(self: PhotonicTwin) -> None:
        park(self)
        seen.append(not any(self.read_parameters(layer).any() for layer in range(len(self.description.layers))))

    monkeypatch.setattr(PhotonicTwin, "park", watched)
    return seen


def act_before(exchange: int, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something to the folder between two exchanges with the device."""
    seen = 0

    def heed(_: Signals) -> None:
        nonlocal seen
        seen += 1
        if seen == exchange:
            act()

    monkeypatch.setattr(Signals, "heed", heed)


def the_run(home: Path) -> Path:
    (run,) = (home / "runs").iterdir()
    return run


def left_behind(run: Path) -> dict[str, Any]:
    reader = RunReader(run)
    assert reader.summary is not None
    return {
        **{name: values.tobytes() for name, values in reader.checkpoint().arrays.items()},
        "summary": {**reader.summary, "wall_seconds": None},
        "metrics": [{**row, "wall_seconds": None} for row in reader.metrics()],
    }


@pytest.mark.parametrize("limit_bytes", [12_000, 30_000], ids=["a checkpoint does not fit", "rows do not fit"])
def test_a_run_that_fills_the_disk_stops_parked_and_goes_on_once_there_is_room(
    cli: Command, flowers: Path, tmp_path: Path, limit_bytes: int
) -> None:
    """The size that a file may have stands for the room on the disk: a write beyond it comes short, then fails."""
    command = ["train", "--dataset", f"csv:{flowers}", "--set", "device.kernel=numpy", *SETTINGS[:-1], "80"]
    ended = subprocess.run(
        [sys.executable, "-m", "ffzero_lab", *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes)),
    )
    run = the_run(tmp_path)
    assert ended.returncode == 1
    said = ended.stderr.splitlines()
    assert "Traceback" not in ended.stderr
    missed = "checkpoint.npz" if limit_bytes < 20_000 else "metrics.jsonl"
    assert re.search(rf"File too large: '.*{missed}'", said[0])
    assert "the device is parked" in said
    assert said[-1].startswith("ffzero-lab train --resume ")
    assert not list(run.glob(".*.partial"))
    status = json.loads((run / "status.json").read_text())
    assert (status["state"], "File too large" in status["reason"]) == ("failed", True)
    whole = [line for line in (run / "metrics.jsonl").read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    assert cli("train", "--resume", run).code == 0
    undisturbed = Path(cli(*command, "--name", "undisturbed", "--json").json["run"])
    assert left_behind(run) == left_behind(undisturbed)
    superseded = run / "metrics.superseded.jsonl"
    kept = (run / "metrics.jsonl").read_bytes() + (superseded.read_bytes() if superseded.exists() else b"")
    assert all(line in kept for line in whole)


def test_a_folder_deleted_while_running_stops_the_run_parked(
    cli: Command, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parked: list[bool]
) -> None:
    act_before(20, lambda: shutil.rmtree(the_run(tmp_path)), monkeypatch)
    ended = cli("train", "--dataset", f"csv:{flowers}", *SETTINGS)
    assert ended.code == 1
    assert "metrics.jsonl was deleted while the run was writing it" in ended.err
    assert "--resume" not in ended.err
    assert parked[0] is True


def test_a_folder_that_takes_no_new_files_stops_the_run_parked_and_the_run_goes_on_later(
    cli: Command, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parked: list[bool]
) -> None:
    with monkeypatch.context() as patch:
        act_before(20, lambda: (the_run(tmp_path) / ".checkpoint.npz.partial").mkdir(), patch)
        ended = cli("train", "--dataset", f"csv:{flowers}", *SETTINGS)
    assert ended.code == 1
    assert ".checkpoint.npz.partial" in ended.err
    assert "ffzero-lab train --resume" in ended.err
    assert parked[0] is True
    run = the_run(tmp_path)
    (run / ".checkpoint.npz.partial").rmdir()
    assert cli("train", "--resume", run).code == 0


@pytest.mark.parametrize("place", ["/proc/nowhere", "a file"])
def test_a_place_where_no_folder_can_be_made_is_named_before_anything_runs(
    cli: Command, flowers: Path, tmp_path: Path, place: str
) -> None:
    (tmp_path / "a file").write_text("")
    ended = cli("train", "--dataset", f"csv:{flowers}", "--run-dir", place, *SETTINGS)
    assert ended.code == 2
    assert ended.err.startswith(f"ffzero-lab: the run folder {place}/")
    assert "cannot be made" in ended.err


def test_a_clock_on_the_wall_that_is_stepped_back_changes_nothing(
    cli: Command, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["train", "--dataset", f"csv:{flowers}", *SETTINGS, "--json"]
    undisturbed = Path(cli(*arguments, "--name", "undisturbed").json["run"])

    def step_back() -> None:
        strftime, now_s = time.strftime, time.time
        monkeypatch.setattr(time, "time", lambda: now_s() - 1e8)
        monkeypatch.setattr(time, "strftime", lambda form, *_: strftime(form, time.gmtime(0)))

    act_before(20, step_back, monkeypatch)
    ended = cli(*arguments, "--name", "stepped")
    assert ended.code == 0
    assert left_behind(Path(ended.json["run"])) == left_behind(undisturbed)
    wall_s = [row["wall_seconds"] for row in RunReader(Path(ended.json["run"])).metrics()]
    assert wall_s == sorted(wall_s)
    assert wall_s[0] >= 0.0
