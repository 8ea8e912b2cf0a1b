"""All shipped protocols run on their twins in their short form."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ffzero_lab.runs import RunReader
from protocols.reading import shipped

KILLS = Path(__file__).parents[2] / "benchmarks" / "protocol_kills.py"
NIGHT = Path(__file__).parents[2] / "benchmarks" / "night.py"


def write_vowels(path: Path) -> None:
    """Six vowels with the documented columns: formant-like numbers around six centres."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(300.0, 2500.0, (6, 6))
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["f1", "f2", "f3", "f4", "f5", "f6", "label"])
        for number in range(120):
            vowel = number % 6
            table.writerow([*(centres[vowel] + rng.normal(0.0, 60.0, 6)).round(1), "aeiouy"[vowel]])


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_shipped_protocol_runs_on_its_twin_in_its_short_form(
    name: str, ask: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    write_vowels(tmp_path / "vowels.csv")
    code, out, _ = ask("run", name, "--short", "--yes", "--json")
    assert code == 0, out
    summary = json.loads(out)
    assert summary["completed"]
    assert [step["state"] for step in summary["steps"]] == ["done"] * len(summary["steps"])
    page = Path(summary["run"]) / "report.html"
    assert page.exists()
    device = RunReader(Path(summary["run"])).manifest["device"]["description"]
    assert device["serial_number"] in page.read_text()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_protocol_killed_at_random_moments_goes_on_to_the_same_result() -> None:
    command = [sys.executable, str(KILLS), "--kills", "1", "--steps", "150", "--seed", "5", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    counted = json.loads(ended.stdout)
    assert counted["identical"] == counted["runs"] == 1, counted["differences"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_night_is_watched_and_calibrated_again(tmp_path: Path) -> None:
    command = [sys.executable, str(NIGHT), "--seeds", "1", "--steps", "100", "--times", "1", "--json"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    night = json.loads(ended.stdout)["nights"][0]
    assert 1 <= night["recalibrations"] <= 2
    assert night["device_hours"] > 24.0
