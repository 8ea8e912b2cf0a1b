"""The main job as a newcomer runs it; CI runs it at full length and looks at what came out."""

import json
import subprocess
import sys
from pathlib import Path


def listed(redirected: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = f"exec {sys.executable} -m ffzero_lab runs list {redirected}"
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)


def test_streams_that_are_closed_are_no_failure(tmp_path: Path) -> None:
    assert listed(">&- 2>&- <&-", tmp_path).returncode == 0


def test_a_document_that_a_full_disk_does_not_take_is_told_otherwise(tmp_path: Path) -> None:
    ended = listed("--json > /dev/full", tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith("ffzero-lab: ")
    assert "No space left on device" in ended.stderr


def test_a_closed_pipe_ends_the_display_and_not_the_run(tmp_path: Path) -> None:
    command = f"{sys.executable} -m ffzero_lab train --steps 30 --layers 1 | head -n 1"
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True, capture_output=True)
    (run,) = (tmp_path / "runs").iterdir()
    assert json.loads((run / "summary.json").read_text())["completed"] is True
