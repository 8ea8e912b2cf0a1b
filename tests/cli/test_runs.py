"""Listing and showing runs, complete or not."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ffzero_lab.cli.runs_tables import side_by_side

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


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", "3", "{}", '{"settings": 3}', '{"settings": {"dataset": "digits"}, "device": {}}']
)
def test_a_damaged_run_is_listed_as_unreadable_beside_the_others(cli: Command, trained: Path, damage: str) -> None:
    broken = trained.with_name("zz-broken")
    broken.mkdir()
    (broken / "manifest.json").write_text(damage)
    rows = cli("runs", "list", "--json").json["runs"]
    assert [(row["run"], row["state"]) for row in rows] == [(trained.name, "complete"), ("zz-broken", "unreadable")]
    assert "zz-broken" in rows[1]["problem"]
    shown = cli("runs", "list")
    assert shown.code == 0
    assert "unreadable" in shown.out
    assert "problem: runs/zz-broken" in shown.out
    assert cli("runs", "show", broken).code == 2


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (120, ["run", "dataset", "device", "seed", "accuracy", "shots", "state"]),
        (80, ["run", "accuracy", "shots", "state"]),
        (60, ["run", "accuracy", "state"]),
        (32, ["run"]),
        (20, ["run"]),
    ],
)
def test_the_name_of_a_run_stays_whole_on_a_narrow_terminal(
    cli: Command, trained: Path, monkeypatch: pytest.MonkeyPatch, width: int, columns: list[str]
) -> None:
    manifest = json.loads((trained / "manifest.json").read_text())
    manifest["settings"]["dataset"] = "csv:/home/of-somebody/flowers.csv"
    (trained / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setenv("COLUMNS", str(width))
    lines = cli("runs", "list").out.splitlines()
    assert lines[1].replace("┃", " ").split() == columns
    name = "".join(line.split("│")[1].strip() for line in lines if "│" in line)
    assert name == trained.name
    assert all(len(line) <= width for line in lines)


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


@pytest.mark.parametrize("where", [[], ["--data-dir", "."]])
def test_a_run_on_a_relative_path_is_evaluated_from_any_folder(
    cli: Command, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: list[str]
) -> None:
    arguments = ["--dataset", f"csv:{flowers.name}", *where, "--set", "device.ports=8", "--steps", 2]
    run = tmp_path / cli("train", *arguments, "--json").json["run"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    ended = cli("evaluate", run, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["dataset"] == f"csv:{flowers.name}"
    assert cli("evaluate", run, "--data-dir", tmp_path / "nowhere").code == 2


@pytest.fixture
def pair(cli: Command, trained: Path, flowers: Path) -> list[Path]:
    short = ("train", "--dataset", f"csv:{flowers}", "--set", "device.ports=8", "--name", "other", "--json")
    other = cli(*short, "--steps", 20, "--seed", 4, "--preset", "ideal")
    assert other.code == 0, other.err
    return [trained, Path(other.json["run"])]


def test_compare_shows_what_differs_and_nothing_that_does_not(cli: Command, pair: list[Path]) -> None:
    told = cli("runs", "compare", *pair, "--json").json
    assert {name: values for name, values in told["settings"].items() if not name.startswith("device.serial")} == {
        "steps": [200, 20],
        "seed": [0, 4],
        "device.preset": [None, "ideal"],
    }
    summaries = [json.loads((run / "summary.json").read_text()) for run in pair]
    assert told["results"]["test_accuracy.sum"] == [summary["test_accuracy"]["sum"] for summary in summaries]
    assert told["spent"]["shots"] == [summary["shots"] for summary in summaries]
    shown = cli("runs", "compare", *pair).out
    assert "settings that differ" in shown
    assert "device.preset" in shown
    assert "sharpness" not in shown
    assert "no setting differs" in cli("runs", "compare", pair[0], pair[0]).out


def test_compare_takes_an_incomplete_run_and_refuses_one_alone(cli: Command, trained: Path) -> None:
    half = trained.with_name("zz-half")
    half.mkdir()
    (half / "manifest.json").write_bytes((trained / "manifest.json").read_bytes())
    assert "zz-half is not complete" in cli("runs", "compare", trained, half).out
    assert cli("runs", "compare", trained).code == 2
    assert cli("runs", "compare", trained, "nowhere").code == 2


def test_export_writes_a_row_for_each_run_and_tells_of_damaged_ones(cli: Command, pair: list[Path]) -> None:
    broken = pair[0].with_name("zz-broken")
    broken.mkdir()
    (broken / "manifest.json").write_text("{}")
    ended = cli("runs", "export")
    assert ended.code == 0
    assert "problem: runs/zz-broken is damaged" in ended.err
    rows = {row["run"]: row for row in csv.DictReader(io.StringIO(ended.out))}
    assert set(rows) == {run.name for run in pair}
    for run in pair:
        summary = json.loads((run / "summary.json").read_text())
        assert float(rows[run.name]["test_accuracy.sum"]) == summary["test_accuracy"]["sum"]
        assert int(rows[run.name]["counts.training.writes"]) == summary["counts"]["training"]["writes"]
    assert [rows[run.name]["device.preset"] for run in pair] == ["", "ideal"]


def test_export_of_metrics_has_every_row_and_goes_to_a_new_file_only(cli: Command, trained: Path) -> None:
    assert cli("runs", "export", "--metrics", "--output", "all.csv").code == 0
    with Path("all.csv").open() as file:
        rows = list(csv.DictReader(file))
    lines = (trained / "metrics.jsonl").read_text().splitlines()
    assert [row["event"] for row in rows] == [json.loads(line)["event"] for line in lines]
    assert {row["run"] for row in rows} == {trained.name}
    again = cli("runs", "export", "--output", "all.csv", "--json")
    assert again.code == 2
    assert "exists already" in again.json["error"]["message"]


def test_many_runs_are_listed_in_plain_columns(cli: Command, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ffzero_lab.cli.runs.MANY", 0)
    header, row = cli("runs", "list").out.splitlines()
    assert header.split()[0] == "run"
    assert row.split()[0] == trained.name
    assert row.split()[-1] == "complete"


def test_runs_stand_side_by_side_under_letters_and_no_number_is_cut() -> None:
    part = {"test_accuracy.sum": [0.9 + 1e-6 * number for number in range(7)], "shots": [10**9 + 1] * 7}
    tables = side_by_side("results", list("ABCDEFG"), part, 80)
    console = Console(file=io.StringIO(), width=80)
    for table in tables:
        console.print(table)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert shown.count("1,000,000,001") == 7
    assert shown.count("test_accuracy.sum") == len(tables) > 1


def test_the_last_row_of_an_incomplete_run_is_told_in_words(cli: Command, trained: Path) -> None:
    (trained / "summary.json").unlink()
    shown = " ".join(cli("runs", "show", trained).out.split())
    assert "its last row of metrics: layer 1, steps 200, stopped_by steps" in shown
    assert "None" not in shown
