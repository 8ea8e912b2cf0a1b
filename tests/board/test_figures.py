"""Reduced forms of ``benchmarks/board.py`` and of the campaign of faults."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.emulator.board_firmware import compiler

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def fuzz(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("board_fuzz")


def figures(script: str, *arguments: str) -> dict[str, Any]:
    ended = subprocess.run(
        [sys.executable, BENCHMARKS / script, *arguments],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode in (0, 1), ended.stderr
    return json.loads(ended.stdout)


def assert_unharmed(verdict: Any) -> None:
    assert verdict.setpoints_from_damage == verdict.readings_from_damage == 0
    assert verdict.good_writes_obeyed == verdict.good_writes > 0


@pytest.mark.slow
def test_no_setpoint_comes_from_a_damaged_frame(fuzz: Any, program: Callable[[str], Path], tmp_path: Path) -> None:
    given = list(fuzz.records(1_000_000, 4_000))  # a seed that the benchmark does not draw
    assert_unharmed(fuzz.fed_to_emulation(given))
    firmware = fuzz.fed_to_firmware(program("board-feed"), given, tmp_path)
    assert_unharmed(firmware)


def test_emulation_and_firmware_make_the_same_of_every_frame(
    fuzz: Any, program: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = list(fuzz.records(1_000_001, 3_000))
    kept: list[bytes] = []
    judged = fuzz.judged
    monkeypatch.setattr(fuzz, "judged", lambda records, counts: kept.append(counts) or judged(records, counts))
    fuzz.fed_to_emulation(given)
    fuzz.fed_to_firmware(program("board-feed"), given, tmp_path)
    differing = [number for number in range(len(given)) if kept[0][3 * number :][:3] != kept[1][3 * number :][:3]]
    assert not differing, given[differing[0]]


def test_the_judge_of_damage_sees_a_board_that_obeys_it(fuzz: Any) -> None:
    record = fuzz.Record(fuzz.Kind.DAMAGED, b"")
    assert not fuzz.judged([record], bytes((1, 0, 1))).clean
    assert not fuzz.judged([fuzz.Record(fuzz.Kind.GOOD, b"", 1)], bytes((0, 0, 0))).clean


@pytest.mark.slow
def test_a_host_that_is_killed_leaves_nothing_on() -> None:
    if compiler() is None:
        pytest.skip("no C++ compiler")
    found = figures("board.py", "kills", "--count", "3")
    assert found["everything_off"] == len(found["silence_ms"]) == found["kills"] == 3, found
    assert found["parked_in_time"] >= 1, found  # a computer that stands still makes the board late


@pytest.mark.slow
def test_no_fault_on_the_line_makes_a_wrong_value_or_an_output_left_on() -> None:
    counted = figures("faults.py", "--bench", "board", "--plans", "14", "--first", "2000", "--times", "3", "--json")
    for what in ("wrong_values_accepted", "out_of_limits", "left_on", "anything_else"):
        assert counted[what] == 0, counted["told"]
    assert counted["completed_with_the_same_bits"] >= 5
