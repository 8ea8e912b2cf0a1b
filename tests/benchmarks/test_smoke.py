"""Every benchmark still runs; what it measures is not judged here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
BRIEF = ("--seeds", "2", "--noise", "3", "--later", "4")


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("orchestrator.py", ["--steps", "20", "--json"]),
        ("accuracy.py", ["--seeds", "1", "--json", "--steps", "5"]),
        pytest.param("links.py", ["--times", "20", "--json"], marks=pytest.mark.slow),
    ],
)
def test_a_benchmark_runs_and_prints_its_figures(script: str, arguments: list[str], tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "arguments", "told"),
    [
        ("crossbar.py", ["--repetitions", "1"], "784"),
        ("dashboard.py", ["--runs", "3", "--rows", "500"], "a run of 500 rows opened"),
        ("epsilon.py", [*BRIEF, "cosine", "--repeats", "1"], "calibrated keeps at least"),
        ("epsilon.py", [*BRIEF, "training", "--steps", "4"], "best fixed"),
        ("epsilon.py", [*BRIEF, "batch", "--slopes", "10"], "formula"),
        ("imperfections.py", ["--seeds", "2", "--steps", "2"], "95 % interval of the loss"),
        ("lattice.py", ["--repetitions", "2", "--sides", "6", "--factorised", "6"], "by pattern"),
        ("mesh.py", ["--help"], "usage"),
        ("paper.py", ["--quick", "--seeds", "1", "--task", "function1", "--task", "function2-tanh"], "93.2, 19,200"),
        (
            "qontrol.py",
            ["--seeds", "0", "--times", "3", "--timed-steps", "1", "--bauds", "2000000", "--forms", "binary"],
            "vectors, 2,000,000",
        ),
        ("step_cost.py", ["--steps", "20"], "x ideal"),
        ("wire.py", ["--seeds", "1", "--steps", "2", "--presets", "ideal"], "its bytes over bare sockets"),
    ],
)
def test_a_comparison_runs_and_tells(script: str, arguments: list[str], told: str, tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told in ended.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "arguments", "told"),
    [
        ("paper.py", ["--task", "cnn", "--task", "mesh-cropped"], "58.0, 33,840"),
        ("economy.py", ["--task", "channels"], "one channel in each reading, four times"),
    ],
)
def test_a_study_on_images_runs(script: str, arguments: list[str], told: str, tmp_path: Path) -> None:
    if "FFZERO_DATA" not in os.environ:
        pytest.skip("no MNIST: FFZERO_DATA names no folder")
    command = [sys.executable, str(BENCHMARKS / script), "--quick", "--seeds", "1", *arguments]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told in ended.stdout


@pytest.mark.slow
def test_the_robustness_study_runs(tmp_path: Path) -> None:
    if "FFZERO_DATA" not in os.environ:
        pytest.skip("no MNIST: FFZERO_DATA names no folder")
    arguments = ["--seeds", "1", "--readings", "480", "--batch", "128", "--curve", "curve.csv"]
    command = [sys.executable, str(BENCHMARKS / "robustness.py"), *arguments]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "deployed on the imperfect chips" in ended.stdout
    assert (tmp_path / "curve.csv").read_text().startswith("seed,readings,batch_accuracy")


@pytest.mark.slow  # needs matplotlib, from the extra dev
def test_the_learning_curve_of_a_run_is_drawn(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ffzero_lab", "train", "--steps", "10", "--layers", "1", "--json"]
    run = json.loads(subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout)["run"]
    script = [sys.executable, str(BENCHMARKS / "learning_curve.py"), run, "curve.png"]
    subprocess.run(script, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
