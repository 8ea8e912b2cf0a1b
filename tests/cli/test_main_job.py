"""The main job at full length, as a newcomer runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def test_a_closed_pipe_ends_the_display_and_not_the_run(tmp_path: Path) -> None:
    command = f"{sys.executable} -m ffzero_lab train --steps 30 --layers 1 | head -n 1"
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True, capture_output=True)
    (run,) = (tmp_path / "runs").iterdir()
    assert json.loads((run / "summary.json").read_text())["completed"] is True


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_default_run_reaches_94_percent_as_predicted_in_time(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ffzero_lab", "train", "--device", "twin", "--json"]
    another = ["--seed", "1", "--set", "device.seed=1"]  # CI runs the README's main job as well, on the first chip
    ended = subprocess.run([*command, *another], cwd=tmp_path, capture_output=True, text=True, check=True)
    summary = json.loads(ended.stdout)
    assert summary["test_accuracy"][summary["readout"]] >= 0.94
    assert summary["device_seconds"] == pytest.approx(summary["predicted_seconds"], rel=0.1)
    assert summary["baselines"]["untrained_device"]["sum"] < 0.25
