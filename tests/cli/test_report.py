"""``ffzero-lab report``, and the report at the end of a run: never in the way of the result."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ffzero_lab.cli.report
import ffzero_lab.report

Command = Callable[..., Any]
SHORT = ("train", "--set", "device.ports=5", "--dataset", "iris", "--steps", 2, "--name", "short")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The runs whose report was asked for; nothing is drawn."""
    asked: list[Path] = []

    def write(run: Path) -> Path:
        asked.append(run)
        return run / "report.html"

    monkeypatch.setattr(ffzero_lab.report, "write_report", write)
    return asked


def test_the_page_of_a_run_is_written_into_its_folder(cli: Command, trained: Path) -> None:
    ended = cli("report", trained, "--json")
    assert ended.code == 0
    written = {"page": str(trained / "report.html"), "figures": str(trained / "figures")}
    assert ended.json == {"run": str(trained), "reports": [written]}
    assert (trained / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert len(list((trained / "figures").glob("*.svg"))) == len(list((trained / "figures").glob("*.png"))) == 10


def test_what_is_no_run_is_bad_input_in_one_message(cli: Command, tmp_path: Path) -> None:
    for arguments in ((tmp_path / "nothing",), (tmp_path,)):
        ended = cli("report", *arguments)
        assert ended.code == 2
        assert "is no run folder" in ended.err
        assert "Traceback" not in ended.err
    ended = cli("report", tmp_path, "--json")
    assert (ended.code, ended.json["error"]["exit_code"]) == (2, 2)


def test_a_report_ends_a_run_unless_told_otherwise(
    cli: Command, drawn: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli(*SHORT, "--no-report")
    assert drawn == []
    ended = cli(*SHORT, "--report", "--run-dir", "told")
    assert ended.code == 0
    assert [run.parent.name for run in drawn] == ["told"]
    assert ended.out.rstrip().endswith(f"report: {drawn[0]}/report.html")
    monkeypatch.delenv("FFZERO_REPORT")
    assert cli(*SHORT, "--run-dir", "default", "--json").json["completed"] is True
    assert [run.parent.name for run in drawn] == ["told", "default"]


def test_a_report_is_drawn_when_the_run_is_complete_and_its_device_closed(
    cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ffzero_lab.device import Guarded

    happened: list[str] = []
    close = Guarded.close

    def closed(self: Guarded) -> None:
        close(self)
        happened.append("closed")

    def write(run: Path) -> Path:
        happened.append("drawn" if (run / "summary.json").exists() else "too early")
        return run

    monkeypatch.setattr(Guarded, "close", closed)
    monkeypatch.setattr(ffzero_lab.report, "write_report", write)
    cli(*SHORT, "--report")
    assert happened == ["closed", "drawn"]


@pytest.mark.parametrize("error", [RuntimeError("no such font"), OSError("disk full"), MemoryError()])
def test_a_failure_to_draw_is_told_and_changes_nothing(
    cli: Command, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(run: Path) -> Path:
        raise error

    monkeypatch.setattr(ffzero_lab.report, "write_report", fails)
    ended = cli(*SHORT, "--report", "--json")
    assert ended.code == 0
    (run,) = Path("runs").glob("*-short")
    assert {key: value for key, value in ended.json.items() if key != "run"} == json.loads(
        (run / "summary.json").read_text()
    )
    assert f"{type(error).__name__}: {error}" in ended.err
    assert f"ffzero-lab report {run}" in ended.err


def test_a_signal_ends_the_drawing_and_leaves_the_result(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(run: Path) -> Path:
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the drawing went on")

    monkeypatch.setattr(ffzero_lab.report, "write_report", interrupted)
    ended = cli(*SHORT, "--report")
    assert ended.code == 0
    assert "interrupted by SIGINT" in ended.err
    assert "ffzero-lab report" in ended.err


def test_without_matplotlib_one_line_names_the_extra(
    cli: Command, drawn: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffzero_lab.cli.report, "find_spec", lambda name: None)
    ended = cli(*SHORT, "--report")
    assert ended.code == 0
    assert ended.out.rstrip().splitlines()[-1].endswith('pip install "ffzero-lab[report]"')
    assert ended.err == ""
    assert drawn == []


def test_a_resumed_run_ends_with_its_report(cli: Command, drawn: list[Path], trained: Path) -> None:
    (trained / "summary.json").unlink()
    ended = cli("train", "--resume", trained, "--report")
    assert ended.code == 0, ended.err
    assert drawn == [trained]
