"""Writes to standard output from a thread of its own, so that a slow or vanished terminal never holds up a run."""

import os
import queue
import shutil
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, cast

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from ffzero_lab.cli.layout import fitting, wrapped

REFRESH_S = 0.25
LINE_EVERY_S = 5.0
CLOSE_S = 5.0
"""Longest wait for what is still to be written when a run is over."""


class _Ascii:
    """A stream that can take nothing but ASCII, given text that is brought into it."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(fitting(text, ascii_only=True))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _Console(Console):
    """A console that lets a closed pipe be handled like any other failure to display."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError("standard output was closed")


class Screen:
    """Shows lines that stay, and below them, on a terminal, the lines of *panel*; elsewhere now and then *line*.

    Only its own thread writes. Whatever goes wrong there is told once on standard error; the screen then rests.

    Parameters
    ----------
    panel
        Returns the lines of the live part for a width and whether only ASCII can be shown; empty: nothing to show.
    line
        Returns the same as one plain line; empty: nothing to show.
    console
        Where to write; None: standard output as it is.
    clock
        Monotonic seconds.
    """

    def __init__(
        self,
        panel: Callable[[int, bool], list[Text]],
        line: Callable[[bool], str],
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.console = _Console() if console is None else console
        self.ascii_only = self.console.options.ascii_only
        if self.ascii_only:
            self.console.file = cast("IO[str]", _Ascii(self.console.file))
        self._on_terminal = self.console.file.isatty()
        self.is_live = self._on_terminal and not self.console.is_dumb_terminal
        self._panel, self._line, self._clock = panel, line, clock
        self._waiting: queue.SimpleQueue[RenderableType | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="display", daemon=True)
        self._live: Live | None = None
        self._shown: list[Text] = []
        self._line_s = clock()
        self._has_failed = False
        self.holds = False
        """Whether the live part is hidden, because somebody types below it."""

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def show(self, renderable: RenderableType) -> None:
        """Let something be written that stays; returns at once.

        A Text is wrapped between words on a terminal; a plain string never is, so that a command in it can be copied.
        """
        if not self._has_failed:
            self._waiting.put(renderable)

    def fail(self, error: Exception) -> None:
        """Tell once, on standard error, that something could not be shown."""
        if self._has_failed:
            return
        self._has_failed = True
        with suppress(OSError, ValueError):
            print(f"ffzero-lab: the display failed and rests, the run goes on: {error}", file=sys.stderr)  # noqa: T201

    def close(self, within_s: float = CLOSE_S) -> None:
        """Write what is still waiting, take the live part away, and give the terminal back; calling it again is fine.

        A terminal that takes nothing is left behind after *within_s*.
        """
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join(within_s)

    def _write(self) -> None:
        try:
            while self._next():
                pass
        except Exception as error:  # noqa: BLE001 - a failure to display never ends a run
            self._rest(error)
        finally:
            with suppress(Exception):
                self._hide()

    def _next(self) -> bool:
        """Write what comes next, or refresh when it is time; returns whether to go on."""
        try:
            wanted = self._waiting.get(timeout=REFRESH_S)
        except queue.Empty:
            self._refresh()
            return True
        if wanted is None:
            return False
        self._print(wanted)
        if self._live is not None:
            self._refresh()  # what stays below must not contradict what was just told
        return True

    def _refresh(self) -> None:
        if not self.is_live:
            self._refresh_line()
        elif self.holds:
            self._hide()
        else:
            lines = self._panel(self.console.width, self.ascii_only)
            if lines and (self._live is None or lines != self._shown):
                self._shown = lines
                self._begin_live().update(Group(*lines), refresh=True)

    def _refresh_line(self) -> None:
        if self._clock() - self._line_s >= LINE_EVERY_S:
            self._line_s = self._clock()
            if told := self._line(self.ascii_only):
                self._print(Text(told))

    def _print(self, wanted: RenderableType) -> None:
        if isinstance(wanted, Text) and self._on_terminal:
            dumb = self.console.is_dumb_terminal  # of which rich believes that it has 80 columns
            width = shutil.get_terminal_size().columns if dumb else self.console.width
            wanted = Text(wrapped(wanted.plain, width), style=wanted.style)
        self.console.print(wanted, soft_wrap=isinstance(wanted, str | Text), markup=False, highlight=False)

    def _begin_live(self) -> Live:
        if self._live is None:
            on_terminal = sys.stderr.isatty()
            self._live = Live(console=self.console, auto_refresh=False, transient=True, redirect_stderr=on_terminal)
            self._live.start()
        return self._live

    def _hide(self) -> None:
        """Take the live part away, and show the cursor."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _rest(self, error: Exception) -> None:
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what Python flushes at its end must not fail as well
        with suppress(Exception):
            self._hide()
        self.fail(error)
