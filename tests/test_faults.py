"""Reduced forms of ``benchmarks/faults.py``: short runs over the wire, each under a random plan of faults."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FAULTS = Path(__file__).parent.parent / "benchmarks" / "faults.py"


ONCE_WRONG = (17, 117)
"""Light left on behind answers that were all refused; half a pattern taken for a whole one."""


def campaign(plans: int, first: int, *also: int, bench: str = "scpi") -> dict[str, object]:
    ended = subprocess.run(
        [
            sys.executable,
            FAULTS,
            "--bench",
            bench,
            "--plans",
            str(plans),
            "--first",
            str(first),
            "--times",
            "3",
            "--json",
            "--also",
            *map(str, also),
        ],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode in (0, 1), ended.stderr
    return json.loads(ended.stdout)


def assert_clean(counted: dict[str, object]) -> None:
    told = counted["told"]
    assert counted["wrong_values_accepted"] == 0, told
    assert counted["out_of_limits"] == 0, told
    assert counted["hangs"] == 0, told
    assert counted["left_on"] == 0, told
    assert counted["anything_else"] == 0, told
    ends = ("completed_with_the_same_bits", "completed_telling_saturation", "ended_parked_naming_the_fault")
    assert sum(int(str(counted[end])) for end in ends) == counted["plans"]


@pytest.mark.slow
def test_no_fault_of_a_qontrol_rack_makes_a_wrong_value_a_hang_or_an_output_left_on() -> None:
    counted = campaign(12, 2000, bench="qontrol")
    assert_clean(counted)
    assert int(str(counted["completed_with_the_same_bits"])) >= 3
    assert int(str(counted["ended_parked_naming_the_fault"])) >= 3


@pytest.mark.slow
def test_no_fault_makes_a_wrong_value_a_hang_or_an_output_left_on() -> None:
    counted = campaign(20, 1000, *ONCE_WRONG)
    assert_clean(counted)
    assert int(str(counted["completed_with_the_same_bits"])) >= 6
    assert int(str(counted["ended_parked_naming_the_fault"])) >= 3
