"""The metrics are followed while they are written, cut off at a checkpoint, or damaged."""

import json
from pathlib import Path
from typing import Any

import pytest

from ffzero_lab.dashboard.tail import MetricsTail
from ffzero_lab.dashboard.wording import line_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def write(path: Path, rows: list[dict[str, Any]], mode: str = "a") -> None:
    with path.open(mode) as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def losses(tail: MetricsTail, layer: int = 0) -> list[float]:
    return [bucket[4] for bucket in tail.curves[layer, "loss"].since(-1, 0).buckets]


def test_rows_appended_later_are_read_once(path: Path, made: Any) -> None:
    tail = MetricsTail(path)
    tail.refresh()
    assert tail.rows == 0
    for first in (1, 4):
        write(path, [made.step_row(number, loss=float(number)) for number in range(first, first + 3)])
        tail.refresh()
    tail.refresh()
    assert losses(tail) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert tail.last["readings"] == 12


def test_a_row_that_is_half_written_waits_for_its_end(path: Path, made: Any) -> None:
    tail, line = MetricsTail(path), json.dumps(made.step_row(1, loss=1.0)).encode() + b"\n"
    path.write_bytes(line[:40])
    tail.refresh()
    assert tail.rows == 0
    with path.open("ab") as file:
        file.write(line[40:])
    tail.refresh()
    assert losses(tail) == [1.0]


@pytest.mark.parametrize("then", [3, 9], ids=["shorter", "longer again"])
def test_metrics_cut_off_at_a_checkpoint_are_read_anew(path: Path, made: Any, then: int) -> None:
    tail = MetricsTail(path)
    write(path, [made.step_row(number, loss=1.0) for number in range(1, 7)])
    tail.refresh()
    before = tail.epoch
    write(path, [made.step_row(number, loss=1.0 if number < 3 else 2.0) for number in range(1, then)], "w")
    tail.refresh()
    assert tail.epoch == before + 1
    assert losses(tail) == [1.0, 1.0] + [2.0] * (then - 3)


def test_a_damaged_row_is_told_and_the_others_count(path: Path, made: Any) -> None:
    write(path, [made.step_row(1, loss=1.0)])
    with path.open("a") as file:
        file.write('{"event": "step"\n[]\n{"event": "check"}\n')
    write(path, [made.step_row(2, loss=2.0)])
    tail = MetricsTail(path)
    tail.refresh()
    assert losses(tail) == [1.0, 2.0]
    assert [line.level for line in tail.log].count("warning") == 3


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"event": "step", "layer": 0, "loss": NaN}', "NaN is no number of JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("\x00\x01", "cannot be read"),
    ],
)
def test_what_no_browser_could_read_is_told_and_goes_nowhere(path: Path, made: Any, line: str, told: str) -> None:
    write(path, [made.step_row(1, loss=1.0)])
    with path.open("a") as file:
        file.write(line + "\n")
    infinite = made.step_row(2, loss=2.0) | {"device_seconds": 10**400}
    write(path, [infinite, made.step_row(3, loss=3.0), {"event": "note", "step": "a name", "device_seconds": 1.0}])
    tail = MetricsTail(path)
    tail.refresh()
    assert losses(tail) == [1.0, 3.0]
    first, second = (line.text for line in tail.log if line.level == "warning")
    assert told in first
    assert "device_seconds is no number" in second
    assert tail.last["step"] == 3


def test_metrics_that_cannot_be_opened_are_told_once(path: Path) -> None:
    path.mkdir()
    tail = MetricsTail(path)
    for _ in range(2):
        tail.refresh()
    assert [line.text for line in tail.log] == ["the metrics cannot be read: Is a directory"]


def test_the_log_holds_the_last_lines_with_numbers_that_go_on(path: Path) -> None:
    write(path, [{"event": "problem", "message": f"number {n}", "device_seconds": n} for n in range(250)])
    tail = MetricsTail(path)
    tail.refresh()
    assert len(tail.log) == 200
    assert tail.log_since(248) == list(tail.log)[-2:]
    assert tail.log[-1].text == "number 249"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"event": "check", "layer": 1, "step": 50, "validation_score": 0.515}, "layer 1, step 50: validation 51.5%"),
        ({"event": "tap", "layer": 2, "mean": None, "unit": "W"}, "tap 2: mean reading under the detection floor"),
        ({"event": "begin", "step": "warm"}, "warm: begin"),
        ({"event": "failure", "step": "warm", "reason": "too cold"}, "warm failed: too cold"),
    ],
)
def test_rows_are_told_in_words(row: dict[str, Any], told: str) -> None:
    line = line_of(row, "accuracy", every=10)
    assert line is not None
    assert line[1] == told


def test_of_many_steps_a_few_have_a_line(made: Any) -> None:
    told = [line_of(made.step_row(number), "r2", every=10) for number in range(1, 1001)]
    assert len([line for line in told if line is not None]) == 11
    assert "R²" in str(told[0])
