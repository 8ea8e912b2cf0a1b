"""Listing and showing runs, complete or not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

Command = Callable[..., Any]


def test_list_tells_complete_from_incomplete(cli: Command, trained: Path) -> None:
    half = trained.with_name("zz-half")
    half.mkdir()
    for name in ("manifest.json", "metrics.jsonl"):
        (half / name).write_bytes((trained / name).read_bytes())
    (trained.parent / "no-run").mkdir()
    rows = cli("runs", "list", "--json").json["runs"]
    assert [(row["run"], row["completed"]) for row in rows] == [(trained.name, True), (half.name, False)]
    assert rows[0]["test_accuracy"] > 0.5
    assert "incomplete" in cli("runs", "list").out


def test_show_gives_the_result_of_a_complete_run(cli: Command, trained: Path) -> None:
    ended = cli("runs", "show", trained)
    assert ended.code == 0
    assert "layer 1: train" in ended.out
    assert "untrained device" in ended.out


def test_show_tells_how_far_an_incomplete_run_came_even_with_a_cut_last_line(cli: Command, trained: Path) -> None:
    (trained / "summary.json").unlink()
    metrics = trained / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes() + b'{"event": "st')
    ended = cli("runs", "show", trained, "--json")
    assert ended.json["summary"] is None
    assert ended.json["last_row"]["event"] == "layer"
    assert "incomplete" in cli("runs", "show", trained).out


def test_an_empty_folder_has_no_runs(cli: Command, tmp_path: Path) -> None:
    assert "no runs" in cli("runs", "list", "--run-dir", tmp_path / "none").out
