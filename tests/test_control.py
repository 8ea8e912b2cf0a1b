"""Requests from another process: pause, continue, stop and status of a run on a bench that somebody watches."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ask = Callable[..., tuple[int, str, str]]
WAIT_S = 100.0
SLOW: dict[str, float] = {"exchange_s": 1.0}
"""So that a short run cannot come to its end before it is asked for something."""


def exchanges(table: Any) -> int:
    return table.witness.whats().count("exchange")


def test_a_paused_run_parks_and_goes_on_to_its_end_when_told(table: Any, ask: Ask) -> None:
    table.fault(**SLOW, **{"from": 20})
    process = table.started(steps=30, readings=19)
    (run,) = table.runs
    code, out, _ = ask("pause", run, "--wait", WAIT_S)
    assert (code, out.partition(": ")[2].partition(",")[0].strip()) == (0, "paused")
    assert table.witness.on == 0
    asleep = exchanges(table)
    assert json.loads(ask("status", run, "--json")[1])["parked"] is True
    assert (run / "checkpoint.npz").is_file()
    time.sleep(0.15)
    assert exchanges(table) == asleep
    table.fault()
    code, out, _ = ask("continue", run, "--wait", WAIT_S)
    assert (code, "running" in out) == (0, True)
    assert process.wait(timeout=WAIT_S) == 0
    assert json.loads((run / "summary.json").read_text())["completed"] is True
    assert json.loads(ask("status", run, "--json")[1])["state"] == "complete"


def test_a_held_pause_leaves_the_outputs_on_and_a_signal_ends_it_parked(table: Any, ask: Ask) -> None:
    process = table.started()
    (run,) = table.runs
    assert ask("pause", run, "--hold", "--wait", WAIT_S)[0] == 0
    assert json.loads(ask("status", run, "--json")[1])["parked"] is False
    assert table.witness.on > 0
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=WAIT_S) == 129
    assert table.witness.on == 0


def test_a_cascade_is_energised_again_after_a_parked_pause(table: Any, ask: Ask) -> None:
    table.fault(**SLOW, **{"from": 70})
    process = table.started("--set", "device.topology=cascaded", "--set", "baselines=false", steps=30, readings=69)
    (run,) = table.runs
    assert ask("pause", run, "--wait", WAIT_S)[0] == 0
    table.fault()
    table.witness.forget()
    assert ask("continue", run, "--wait", WAIT_S)[0] == 0
    assert process.wait(timeout=WAIT_S) == 0
    assert table.witness.layers[0] == 0  # the frozen layer is written before anything is read
    assert table.witness.on == 0


def test_stop_parks_saves_and_ends_with_its_own_exit_code(table: Any, ask: Ask) -> None:
    process = table.started()
    (run,) = table.runs
    code, out, _ = ask("stop", run, "--wait", WAIT_S)
    assert (code, "stopped" in out, "stopped on request" in out) == (0, True, True)
    _, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 143
    assert err.rstrip().endswith(f"train --resume {run.relative_to(table.folder)}")
    assert table.witness.on == 0
    assert (run / "checkpoint.npz").is_file()


def test_a_request_that_cannot_be_understood_stops_the_run(table: Any, ask: Ask) -> None:
    process = table.started()
    (run,) = table.runs
    (run / "control" / "pause.json").write_text("{")
    assert process.wait(timeout=WAIT_S) == 143
    assert table.witness.on == 0
    assert json.loads((run / "status.json").read_text())["reason"] == "stopped on request"


def test_a_finished_run_cannot_be_asked_for_anything(table: Any, ask: Ask) -> None:
    code, _, err = table.run(*table.train(steps=1))
    assert code == 0, err
    (run,) = table.runs
    for name in ("pause", "continue", "stop"):
        code, out, err = ask(name, run)
        assert (code, out) == (2, "")
        assert f"cannot be asked to {name}: it is complete" in err
        assert list((run / "control").iterdir()) == []


def test_a_killed_run_is_called_interrupted_and_cannot_be_asked(table: Any, ask: Ask) -> None:
    process = table.started()
    (run,) = table.runs
    process.kill()
    process.wait()
    code, out, _ = ask("status", run)
    assert (code, "interrupted (its process is gone)" in out) == (0, True)
    code, out, err = ask("stop", run)
    assert (code, "it is interrupted" in err) == (2, True)
    assert json.loads(ask("stop", run, "--json")[1])["error"]["exit_code"] == 2


def test_a_run_that_does_not_answer_or_dies_meanwhile_is_not_waited_for(table: Any, ask: Ask) -> None:
    process = table.started()
    (run,) = table.runs
    process.send_signal(signal.SIGSTOP)
    code, _, err = ask("pause", run, "--wait", 0.2)
    assert (code, "did not answer within 0.2 s" in err) == (1, True)
    process.kill()
    process.wait()
    began_s = time.monotonic()
    assert ask("stop", run, "--wait", WAIT_S)[0] == 2
    assert time.monotonic() - began_s < 0.5 * WAIT_S


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ('{"state": "running"}', "its pid is None"),
        ('{"state": 3, "pid": 1}', "its state is 3"),
        ("[]", "it is no table"),
        ('{"state": "run', "cannot be read"),
    ],
)
def test_a_status_that_no_run_writes_is_one_message(ask: Ask, runs: Path, made: Any, status: str, told: str) -> None:
    made.finished(runs / "run")
    (runs / "run" / "status.json").write_text(status)
    for command in ("status", "stop"):
        code, out, err = ask(command, runs / "run")
        assert (code, out) == (2, "")
        assert "status.json" in err
        assert told in err


def test_what_is_no_run_or_has_told_nothing_is_bad_input(ask: Ask, tmp_path: Path) -> None:
    for name in ("status", "pause", "continue", "stop"):
        code, out, err = ask(name, tmp_path)
        assert (code, out) == (2, "")
        assert "is no run folder" in err
