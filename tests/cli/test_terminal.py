"""The progress of a run on a real terminal: a pseudo-terminal, and a process of its own at it."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
LONG = ("train", "--layers", "1", "--dataset", "wine", "--steps", "200000", "--name", "long")


class Session:
    """A command at a terminal of 60 columns."""

    def __init__(self, folder: Path, arguments: tuple[str, ...], **environ: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 60, 0, 0))
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ffzero_lab", *arguments],
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**kept, "TERM": "xterm-256color", **environ},
            start_new_session=True,
        )
        os.close(slave)
        self.told = ""

    def until(self, pattern: str, within_s: float = 100.0) -> None:
        deadline = time.monotonic() + within_s
        while not re.search(pattern, self.told):
            assert time.monotonic() < deadline, self.told[-2000:]
            assert self._read(), self.told[-2000:]

    def end(self, within_s: float = 100.0) -> int:
        while self._read():
            pass
        return self.process.wait(within_s)

    def _read(self) -> bool:
        if not select.select([self.master], [], [], 100.0)[0]:
            return False
        try:
            read = os.read(self.master, 65536)
        except OSError:  # the other end is closed
            return False
        self.told += read.decode()
        return bool(read)


@pytest.fixture
def at_terminal(tmp_path: Path) -> Generator[Callable[..., Session]]:
    begun: list[Session] = []

    def begin(*arguments: str, **environ: str) -> Session:
        begun.append(Session(tmp_path, arguments, **environ))
        return begun[-1]

    yield begin
    for session in begun:
        if session.process.poll() is None:
            session.process.kill()
            session.process.wait()
        os.close(session.master)


def test_after_an_interruption_the_terminal_is_as_it_was_and_the_resume_command_last(
    at_terminal: Callable[..., Session],
) -> None:
    session = at_terminal(*LONG, NO_COLOR="1")
    session.until("slope/noise")
    session.process.send_signal(signal.SIGINT)
    assert session.end() == 130
    told = session.told
    assert told.rindex("\x1b[?25h") > told.rindex("\x1b[?25l")  # the cursor is back
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", told)  # no colour was asked for
    last = told.rstrip().splitlines()[-1]
    assert re.fullmatch(r"ffzero-lab train --resume runs/\d{8}-\d{6}-long", last)


@pytest.mark.slow
def test_a_pause_from_another_shell_is_shown_and_a_dumb_terminal_gets_plain_lines(
    at_terminal: Callable[..., Session], cli: Command, tmp_path: Path
) -> None:
    session = at_terminal(*LONG)
    session.until("slope/noise")
    (run,) = (tmp_path / "runs").iterdir()
    assert cli("pause", run).code == 0
    session.until("paused, parked; to go on: ffzero-lab continue runs/")
    session.until(r"of 200,000  paused, parked|paused, parked\x1b")
    assert cli("continue", run).code == 0
    session.until("going on")
    assert cli("stop", run).code == 0
    assert session.end() == 143
    dumb = at_terminal("train", "--layers", "1", "--dataset", "wine", "--steps", "50", TERM="dumb")
    assert dumb.end() == 0
    assert "\x1b" not in dumb.told
    assert all(len(line) <= 60 for line in dumb.told.splitlines())


def test_a_display_that_fails_ends_no_run_and_says_so_once(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr("ffzero_lab.cli.following.Follower.note", fails)
    ended = cli("train", "--layers", 1, "--dataset", "wine", "--steps", 5)
    assert ended.code == 0
    assert ended.err.count("the display failed and rests, the run goes on: a mistake") == 1


def test_beside_json_nothing_is_shown_anywhere(cli: Command) -> None:
    ended = cli("train", "--layers", 1, "--dataset", "wine", "--steps", 5, "--json")
    assert json.loads(ended.out)["completed"] is True
    assert ended.err == ""
