"""What is wrong with a run stands at the top of its report, the worst first."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ffzero_lab.figures.page import Problem
from ffzero_lab.report.account import account_of
from ffzero_lab.report.problems import problems_of
from ffzero_lab.runs import RunReader


@pytest.fixture
def changed(mesh_run: Path, tmp_path: Path) -> Callable[..., tuple[Problem, ...]]:
    """The problems of a copy of a run, some files of which are other ones; None takes one away."""

    def problems(**files: Any) -> tuple[Problem, ...]:
        copy = tmp_path / "run"
        shutil.copytree(mesh_run, copy, dirs_exist_ok=True)
        for name, change in files.items():
            path = copy / f"{name}.json"
            if change is None:
                path.unlink()
                continue
            content = json.loads(path.read_text())
            change(content)
            path.write_text(json.dumps(content))
        return problems_of(account_of(copy))

    return problems


def told(problems: tuple[Problem, ...], where: str) -> Problem:
    (found,) = (problem for problem in problems if problem.where == where)
    return found


def updating(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content.update(values)


def test_a_complete_run_has_no_fault(changed: Callable[..., tuple[Problem, ...]]) -> None:
    assert all(problem.severity != "fault" for problem in changed())


@pytest.mark.parametrize(
    ("status", "severity", "said"),
    [
        ({"state": "tripped", "reason": "heat_0 is 21 W"}, "fault", "--after-trip"),
        ({"state": "failed", "reason": "disk full"}, "fault", "disk full"),
        ({"state": "stopped", "reason": "interrupted by SIGINT"}, "warning", "train --resume"),
        ({"state": "running", "pid": 2**22 + 1}, "warning", "its process is gone"),
        ({"state": "running", "pid": os.getpid()}, "note", "still running"),
        ({"state": "running", "pid": 0}, "warning", "its process is gone"),
        ({"state": "running", "pid": 10**30}, "warning", "its process is gone"),
        ({"state": "paused", "pid": None}, "warning", "incomplete"),
        ({"state": "complete"}, "fault", "no summary can be read"),
    ],
)
def test_how_an_incomplete_run_ended_comes_first(
    changed: Callable[..., tuple[Problem, ...]], status: dict[str, Any], severity: str, said: str
) -> None:
    first = changed(summary=None, status=updating(**status))[0]
    assert first.severity == severity
    assert said in first.what


def test_what_the_operator_was_told_is_repeated(changed: Callable[..., tuple[Problem, ...]]) -> None:
    messages = ["80 readings were at or above the detectors' full scale (layer 1, output 14)", "something else"]
    problems = changed(summary=updating(problems=messages))
    assert told(problems, "saturated readings").what == messages[0]
    assert told(problems, "the run").what == messages[1]


def test_a_result_no_better_than_chance_and_a_time_off_the_plan_are_told(
    changed: Callable[..., tuple[Problem, ...]],
) -> None:
    poor = dict.fromkeys(("sum", "last", "vote"), 0.1)
    problems = changed(
        summary=updating(
            test_accuracy=poor,
            baselines={"untrained_device": dict.fromkeys(poor, 0.3), "linear_classifier": 0.9},
            device_seconds=30.0,
            predicted_seconds=20.0,
        )
    )
    said = [problem.what for problem in problems]
    assert any("no better than the untrained device" in what for what in said)
    assert any("below a linear model" in what for what in said)
    assert "1.50 times the predicted" in told(problems, "device time").what


def test_an_amplitude_near_the_resolution_is_told_with_its_size(
    changed: Callable[..., tuple[Problem, ...]],
) -> None:
    def coarse(manifest: dict[str, Any]) -> None:
        for layer in manifest["device"]["description"]["layers"]:
            layer["groups"][1]["resolution"] = 0.008

    found = told(changed(manifest=coarse), "layer 1, phi")
    assert found.severity == "warning"
    assert "1.2 steps" in found.what


def test_links_that_had_to_ask_again_are_told_and_quiet_ones_are_not(
    changed: Callable[..., tuple[Problem, ...]],
) -> None:
    link = {"exchanges": 5000, "retries": 3, "recoveries": 1}
    quiet = {"exchanges": 10, "retries": 0, "recoveries": 0}
    problems = changed(status=updating(links={"meter": link, "source": quiet}))
    assert told(problems, "link meter").what == "3 retries and 1 recoveries in 5,000 exchanges"
    assert all(problem.where != "link source" for problem in problems)


def test_drift_that_a_protocol_saw_while_it_trained_is_told(mesh_run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(mesh_run, copy)
    checkpoint = RunReader(copy).checkpoint()
    watched = {"notes": ["train: drift: the reference has changed by 4%"], "sentinel": {"recalibrations": 2}}
    replace(checkpoint, plain={**checkpoint.plain, "interlude": watched}).write(copy)
    found = [problem for problem in problems_of(account_of(copy)) if problem.where == "the protocol"]
    assert [problem.severity for problem in found] == ["warning", "warning"]
    assert "4%" in found[0].what
    assert "calibrated again 2 times" in found[1].what


def test_rows_that_a_resume_took_back_are_counted(mesh_run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(mesh_run, copy)
    (copy / "metrics.superseded.jsonl").write_text('{"event": "step"}\n' * 3)
    assert any("3 rows" in problem.what for problem in problems_of(account_of(copy)))


def test_slopes_that_drown_in_noise_and_projected_parameters_are_told(mesh_run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(mesh_run, copy)
    rows = [json.loads(line) for line in (copy / "metrics.jsonl").read_text().splitlines()]
    chosen = {"event": "epsilon", "epsilon": {}}
    rows += [chosen | {"layer": 0, "signal_to_noise": 9.0}, chosen | {"layer": 1, "signal_to_noise": 0.4}]
    rows.append(chosen | {"layer": 0, "signal_to_noise": None})
    for row in rows:
        if row["event"] == "layer":
            row |= {"projected": 5000, "wrapped": 7, "dark": 2, "stopped_by": "budget"}
    (copy / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    problems = problems_of(account_of(copy))
    drowned = [problem for problem in problems if "noise" in problem.what]
    assert [problem.where for problem in drowned] == ["layer 1"]
    said = " ".join(problem.what for problem in problems if problem.where == "layer 0")
    for what in ("5,000 updates", "7 times", "2 patterns", "budget"):
        assert what in said
    severities = [problem.severity for problem in problems]
    assert severities == sorted(severities, key=["fault", "warning", "note"].index)
