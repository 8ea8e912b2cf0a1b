"""A reduced form of ``benchmarks/kills.py``: real SIGKILLs, at moments of its choosing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SMALL = ("--dataset", "iris", "--ports", "8")
KILLS = Path(__file__).parent.parent / "benchmarks" / "kills.py"


@pytest.mark.slow
def test_runs_killed_at_random_moments_go_on_to_the_same_bits_and_lose_no_row() -> None:
    ended = subprocess.run(
        [sys.executable, KILLS, "--kills", "2", "--steps", "200", "--seed", "5", *SMALL, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    counted = json.loads(ended.stdout)
    assert counted["kills"] >= counted["runs"] == counted["identical"] == 2, counted
    assert counted["rows_acknowledged"] > 0
    assert (counted["rows_lost"], counted["rows_doubled"]) == (0, 0)
