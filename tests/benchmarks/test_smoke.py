"""Every benchmark still runs; what it measures is not judged here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("orchestrator.py", ["--steps", "20", "--json"]),
        ("accuracy.py", ["--seeds", "1", "--json", "--steps", "5"]),
    ],
)
def test_a_benchmark_runs_and_prints_its_figures(script: str, arguments: list[str], tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout)


@pytest.mark.slow  # needs matplotlib, from the extra dev
def test_the_learning_curve_of_a_run_is_drawn(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ffzero_lab", "train", "--steps", "60", "--layers", "1", "--json"]
    run = json.loads(subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout)["run"]
    script = [sys.executable, str(BENCHMARKS / "learning_curve.py"), run, "curve.png"]
    subprocess.run(script, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
