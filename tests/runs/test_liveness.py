"""A process that wrote a status is told from a later one of the same number, and from one of another computer."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ffzero_lab.errors import InputError
from ffzero_lab.runs.control import ControlRequest
from ffzero_lab.runs.liveness import birth_of, is_alive, is_written, writer
from ffzero_lab.runs.standing import ask_running, describe_state, state_of

GONE = 2**22 + 1


def test_the_process_that_writes_is_there() -> None:
    assert is_written(writer())
    assert writer()["pid"] == os.getpid()
    assert is_written({"pid": os.getpid()}), "as versions before this one told it"


@pytest.mark.parametrize("pid", [GONE, 0, -1, 10**30])
def test_what_is_no_process_of_its_own_is_gone(pid: int) -> None:
    assert not is_alive(pid)
    assert not is_written(writer() | {"pid": pid})


def test_a_later_process_of_the_same_number_is_another_one() -> None:
    own = writer()
    if own["born"] is None:
        return  # this system does not say
    boot, ticks = own["born"].split()
    assert not is_written(own | {"born": f"{boot} {int(ticks) - 1}"})
    assert not is_written(own | {"born": f"another-start {ticks}"})
    assert state_of({"state": "running", **own, "born": f"another-start {ticks}"}) == "interrupted"


def test_a_process_that_ended_unasked_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as child:
        born = birth_of(child.pid)
        status = {"pid": child.pid, "host": socket.gethostname(), "born": born}
        assert is_written(status)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is still listed
        assert is_alive(child.pid)
        assert born is None or not is_written(status)


def test_of_another_computer_the_status_is_believed_and_the_request_put_there(runs: Path, made: Any) -> None:
    elsewhere = {"pid": GONE, "host": "bench-7.example", "born": "x 1"}
    with made.begun(runs / "run") as run:
        run.status(made.status("running", 3, **elsewhere))
        told = ask_running(runs / "run", ControlRequest("pause"))
        assert (state_of(told), describe_state(told)) == ("running", "running on bench-7.example")
        assert (runs / "run" / "control" / "pause.json").is_file()
        run.status(made.status("stopped", 3, **elsewhere))
        with pytest.raises(InputError, match=r"it is stopped$"):
            ask_running(runs / "run", ControlRequest("pause"))
