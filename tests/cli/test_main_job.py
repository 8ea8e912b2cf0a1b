"""The main job as a newcomer runs it; CI runs it at full length and looks at what came out."""

import json
import subprocess
import sys
from pathlib import Path


def test_a_closed_pipe_ends_the_display_and_not_the_run(tmp_path: Path) -> None:
    command = f"{sys.executable} -m ffzero_lab train --steps 30 --layers 1 | head -n 1"
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True, capture_output=True)
    (run,) = (tmp_path / "runs").iterdir()
    assert json.loads((run / "summary.json").read_text())["completed"] is True
