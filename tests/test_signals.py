"""Signals, faults and hanging parks on a bench that somebody watches: what stays on, what is said, in which order."""

import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ffzero_lab.signals import HANDLED, Interruption, Signals

RESUME = "ffzero-lab train --resume "
WAIT_S = 100.0
SOON_S = 30.0
"""Of what would otherwise take ten minutes; a busy computer takes seconds for anything."""


def ended(process: Any) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=WAIT_S)
    return process.returncode, out, err


def last_line(text: str) -> str:
    return text.rstrip("\n").rpartition("\n")[2]


def resume_command(text: str) -> list[str]:
    assert last_line(text).startswith(RESUME), text
    return shlex.split(last_line(text))[1:]


def state(run: Path) -> dict[str, Any]:
    return json.loads((run / "status.json").read_text())


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, *(pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGINT, signal.SIGHUP))],
)
def test_the_first_signal_lets_the_exchange_finish_then_parks_and_says_how_to_go_on(table: Any, number: int) -> None:
    process = table.started()
    table.fault(exchange_s=0.3)
    table.witness.wait_for("waiting")
    process.send_signal(number)
    sent_s = time.monotonic()
    code, _, err = ended(process)
    assert code == 128 + number
    exchanges = table.witness.whats("exchange", "exchanged")
    assert exchanges == ["exchange", "exchanged"] * (len(exchanges) // 2)
    after = [seen.what for seen in table.witness.seen if seen.at_s >= sent_s]
    assert after.count("exchange") <= 1  # said before the signal, heard after it
    assert after[-2:] == ["parking", "parked"]
    assert table.witness.on == 0
    (run,) = table.runs
    assert state(run)["state"] == "stopped"
    assert f"interrupted by {signal.Signals(number).name}" in state(run)["reason"]
    assert resume_command(err) == ["train", "--resume", str(run.relative_to(table.folder))]


def test_a_second_signal_parks_at_once(table: Any, until: Callable[..., None]) -> None:
    process = table.started()
    table.fault(exchange_s=600.0)
    table.witness.wait_for("waiting")
    process.send_signal(signal.SIGTERM)
    until(lambda: not _is_pending(process.pid, signal.SIGTERM))
    time.sleep(0.2)
    assert process.poll() is None
    assert "parking" not in table.witness.whats()
    sent_s = time.monotonic()
    process.send_signal(signal.SIGINT)
    code, _, err = ended(process)
    assert code == 128 + signal.SIGTERM
    assert table.witness.on == 0
    assert table.witness.off_after(sent_s) < SOON_S
    assert resume_command(err)


def test_further_signals_never_disturb_parking_or_saving(table: Any) -> None:
    process = table.started()
    table.fault(park_s=0.3)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    table.witness.wait_for("parking")
    while process.poll() is None:
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    code, _, err = ended(process)
    assert code == 128 + signal.SIGTERM
    assert table.witness.on == 0
    assert (table.runs[0] / "checkpoint.npz").is_file()
    assert "Traceback" not in err
    assert resume_command(err)


def test_what_was_printed_resumes_the_run_to_its_end(table: Any) -> None:
    table.fault(exchange_s=1.0, **{"from": 40})  # it cannot come to its end before the signal
    process = table.start(*table.train(steps=30))
    table.witness.wait_for("waiting")
    process.send_signal(signal.SIGINT)
    code, _, err = ended(process)
    assert code == 130
    table.fault()
    code, out, err = table.run(*resume_command(err), "--json")
    assert code == 0, err
    assert json.loads(out)["completed"] is True
    rows = [json.loads(line) for line in (table.runs[0] / "metrics.jsonl").read_text().splitlines()]
    assert [(row["event"], row["layer"]) for row in rows if row["event"] == "layer"] == [("layer", 0), ("layer", 1)]
    assert [row["step"] for row in rows if row["event"] == "step"] == [30, 30]
    assert table.witness.on == 0


def test_a_park_that_hangs_is_said_in_time_and_hides_nothing(table: Any, recorded: Any) -> None:
    process = table.started(script=recorded.SHORT_DEADLINES)
    table.fault(park="hang")
    sent_s = time.monotonic()
    process.send_signal(signal.SIGINT)
    line = process.stderr.readline()
    assert time.monotonic() - sent_s < SOON_S  # it hangs for an hour
    assert "parking did not end within 0.4 s" in line
    assert "switch the bench off by hand" in line
    code, _, err = ended(process)
    assert code == 130
    assert "ffzero-lab: interrupted by SIGINT" in err
    assert "the device is parked" not in err
    assert (table.runs[0] / "checkpoint.npz").is_file()
    assert resume_command(err)
    assert table.witness.on > 0


def test_a_park_that_fails_never_hides_the_first_error_and_the_next_start_parks_first(table: Any) -> None:
    process = table.started()
    table.fault(exchange="fail", park="fail")
    code, _, err = ended(process)
    assert code == 3
    told = [line for line in err.splitlines() if line.startswith("ffzero-lab: ")]
    assert told == [
        "ffzero-lab: recorded: no answer to park",
        "ffzero-lab: recorded: the connection broke; check the cable",
    ]
    assert "parking failed as well: recorded: no answer to park" in err
    assert state(table.runs[0])["reason"].startswith("recorded: the connection broke")
    command = resume_command(err)
    table.fault(exchange="fail")
    table.witness.forget()
    table.run(*command)
    assert table.witness.whats()[:3] == ["open", "parking", "parked"]


@pytest.mark.parametrize(("fault", "code"), [pytest.param("fail", 3, marks=pytest.mark.slow), ("bug", 1)])
def test_any_exception_parks_before_the_checkpoint_is_written(table: Any, fault: str, code: int) -> None:
    process = table.started("--set", "run.checkpoint_every=1000")
    table.fault(exchange=fault, park_s=0.3)
    ended_code, _, err = ended(process)
    assert ended_code == code
    assert table.witness.on == 0
    parked_s = next(seen.at_s for seen in table.witness.seen if seen.what == "parked")
    saved_s = (table.runs[0] / "checkpoint.npz").stat().st_mtime - (time.time() - time.monotonic())
    assert saved_s > parked_s - 0.02  # file times are coarse
    assert "the device is parked" in err
    assert state(table.runs[0])["state"] == "failed"
    assert resume_command(err)


def test_standard_output_holds_one_json_document_and_nothing_else(table: Any) -> None:
    process = table.started("--json")
    process.send_signal(signal.SIGTERM)
    code, out, err = ended(process)
    assert code == 143
    error = json.loads(out)["error"]
    assert (error["exit_code"], error["kind"], error["message"]) == (143, "Interruption", "interrupted by SIGTERM")
    assert resume_command("\n".join(error["notes"]))
    assert err == ""


@pytest.mark.parametrize("number", HANDLED)
def test_while_it_starts_a_signal_ends_the_command_at_once(table: Any, until: Callable[..., None], number: int) -> None:
    examples = table.folder / "flowers.csv"
    examples.unlink()
    os.mkfifo(examples)  # it starts until somebody writes there
    process = table.start(*table.train())
    until(lambda: _handles(process.pid, number))
    process.send_signal(number)
    code, out, err = ended(process)
    assert (code, out, err) == (128 + number, "", f"ffzero-lab: interrupted by {signal.Signals(number).name}\n")
    assert table.runs == []
    assert table.witness.seen == []


@pytest.mark.slow
def test_an_evaluation_is_ended_parked_by_a_signal(table: Any) -> None:
    code, out, err = table.run(*table.train("--json", steps=1))
    assert code == 0, err
    table.fault(exchange_s=600.0)
    table.witness.forget()
    process = table.start("evaluate", json.loads(out)["run"])
    table.witness.wait_for("exchange")
    assert table.witness.on > 0
    process.send_signal(signal.SIGTERM)
    code, _, err = ended(process)
    assert (code, last_line(err)) == (143, "ffzero-lab: interrupted by SIGTERM")
    assert table.witness.on == 0


def test_a_terminal_that_goes_away_parks_and_saves(table: Any) -> None:
    terminal, other_end = pty.openpty()
    streams = {"stdin": other_end, "stdout": other_end, "stderr": other_end}
    process = table.start(*table.train(steps=2000), **streams)
    os.close(other_end)
    table.witness.wait_for("exchanged", count=20)
    os.close(terminal)
    process.send_signal(signal.SIGHUP)  # as the kernel sends it to the terminal's session
    assert process.wait(timeout=WAIT_S) == 129
    assert table.witness.on == 0
    assert state(table.runs[0])["state"] == "stopped"
    assert (table.runs[0] / "checkpoint.npz").is_file()


@pytest.mark.parametrize(("dropped", "code"), [("pass", 120), ("given._give_up_what_cannot_be_shown()", 7)])
def test_words_that_a_gone_terminal_never_took_do_not_change_the_exit_code(dropped: str, code: int) -> None:
    terminal, other_end = pty.openpty()
    said = "import sys, ffzero_lab.__main__ as given; sys.stdin.read(); print('words', end='')"
    program, env = f"{said}; {dropped}; sys.exit(7)", {**os.environ, "PYTHONUNBUFFERED": ""}
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=other_end, env=env)
    os.close(other_end)
    os.close(terminal)
    process.communicate(b"gone", timeout=WAIT_S)
    assert process.returncode == code


def test_signals_are_noted_between_exchanges_and_raised_once() -> None:
    with Signals() as signals:
        signals.finish_exchanges()
        signals.heed()
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Interruption, match="interrupted by SIGTERM") as caught:
            signals.heed()
        assert caught.value.exit_code == 143
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGHUP)


def test_the_second_signal_is_raised_where_the_program_is_and_none_while_parking() -> None:
    with Signals() as signals:
        signals.finish_exchanges()
        signal.raise_signal(signal.SIGHUP)
        with pytest.raises(Interruption, match="SIGHUP"):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    with Signals() as signals:
        signals.parking()
        for number in HANDLED:
            signal.raise_signal(number)


def test_the_first_signal_is_raised_at_once_while_nothing_is_switched_on() -> None:
    with Signals(), pytest.raises(Interruption, match="SIGINT") as caught:
        signal.raise_signal(signal.SIGINT)
    assert caught.value.exit_code == 130


def test_ignored_signals_stay_ignored_and_what_stood_before_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {number: signal.getsignal(number) for number in HANDLED}
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with Signals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not before[signal.SIGTERM]
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) == before[signal.SIGTERM]
        with Signals(last=True):
            pass
        assert all(signal.getsignal(number) is signal.SIG_IGN for number in HANDLED)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _handles(pid: int, number: int) -> bool:
    return all(_stands_in(pid, "SigCgt", each) for each in (signal.SIGTERM, number))


def _is_pending(pid: int, number: int) -> bool:
    return any(_stands_in(pid, signals, number) for signals in ("SigPnd", "ShdPnd"))


def _stands_in(pid: int, signals: str, number: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    mask = int(next(line for line in status.splitlines() if line.startswith(f"{signals}:")).split()[1], 16)
    return bool(mask & (1 << (number - 1)))
