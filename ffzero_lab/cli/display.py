"""What a person sees while a run goes on: a live line on a terminal, plain lines elsewhere, nothing with ``--json``."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ffzero_lab.cli.wording import describe, plan_lines, result_table, tell, tell_cosine
from ffzero_lab.training import Checked, Event, Session, StepDone

PLAIN_LINES_PER_LAYER = 10


class Display(ABC):
    """Shows one run. A failure to display never ends it: the failure is told once, then the display rests."""

    def __init__(self, session: Session, path: Path, notes: tuple[str, ...] = ()) -> None:
        self.session, self.path, self.notes = session, path, notes
        self._broken = False

    def show(self, event: Event) -> None:
        """Show one event."""
        self._try(lambda: self._show(event))

    def conclude(self, summary: Mapping[str, Any]) -> None:
        """Show the result."""
        self._try(lambda: self._conclude(summary))

    def __enter__(self) -> Self:
        self._try(self._begin)
        return self

    def __exit__(self, *_: object) -> None:
        self._try(self._end)

    @abstractmethod
    def _begin(self) -> None: ...

    @abstractmethod
    def _show(self, event: Event) -> None: ...

    @abstractmethod
    def _conclude(self, summary: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def _end(self) -> None: ...

    def _try(self, tell: Callable[[], None]) -> None:
        if self._broken:
            return
        try:
            tell()
        except (OSError, ValueError) as error:
            self._broken = True
            if isinstance(error, BrokenPipeError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what Python flushes at its end must not fail as well
            with suppress(OSError):
                typer.echo(f"ffzero-lab: the display failed and rests, the run goes on: {error}", err=True)


class Silent(Display):
    """Shows nothing: standard output belongs to the JSON document."""

    def _begin(self) -> None:
        pass

    def _show(self, event: Event) -> None:
        del event

    def _conclude(self, summary: Mapping[str, Any]) -> None:
        del summary

    def _end(self) -> None:
        pass


class Lines(Display):
    """Plain lines: the plan, a few lines for each layer, the result."""

    def __init__(self, session: Session, path: Path, notes: tuple[str, ...], console: Console) -> None:
        super().__init__(session, path, notes)
        self.console = console

    def _begin(self) -> None:
        for line in (*self.notes, *plan_lines(self.session), f"run folder: {self.path}"):
            self._print(line)

    def _show(self, event: Event) -> None:
        if isinstance(event, StepDone) and event.step % max(1, event.steps // PLAIN_LINES_PER_LAYER):
            return
        self._print(describe(event, self.session.device.ledger.total, self.session.network.aim.measure))

    def _conclude(self, summary: Mapping[str, Any]) -> None:
        self.console.print(result_table(summary))
        self._print(f"run folder: {self.path}")

    def _end(self) -> None:
        pass

    def _print(self, line: str) -> None:
        self.console.print(line, soft_wrap=True, markup=False, highlight=False)


class Live(Lines):
    """A terminal: one progress line for each layer, and a line for everything else worth telling."""

    def __init__(self, session: Session, path: Path, notes: tuple[str, ...], console: Console) -> None:
        super().__init__(session, path, notes, console)
        self._looked = self._cosine = ""
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.completed}/{task.total}"),
            TextColumn("[cyan]{task.fields[state]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._tasks = [
            self._progress.add_task(f"layer {layer}", total=session.plan.steps, state="waiting", start=False)
            for layer in range(len(session.network.layers))
        ]

    def _begin(self) -> None:
        super()._begin()
        self._progress.start()

    def _end(self) -> None:
        self._progress.stop()

    def _show(self, event: Event) -> None:
        if isinstance(event, StepDone):
            task = self._tasks[event.layer]
            if not self._progress.tasks[task].started:
                self._progress.start_task(task)
            self._cosine = tell_cosine(event) or self._cosine
            state = f"loss {event.loss:.3f}  batch {self._told(event.score)}  slope {event.slope_rms:.2g}"
            self._progress.update(task, completed=event.step, state=state + self._cosine + self._looked)
        elif isinstance(event, Checked):
            self._looked = f"  validation {self._told(event.validation_score)}"
        else:
            self._looked = self._cosine = ""
            self._print(describe(event, self.session.device.ledger.total, self.session.network.aim.measure))

    def _told(self, score: float) -> str:
        return tell(self.session.network.aim.measure, score)

    def _conclude(self, summary: Mapping[str, Any]) -> None:
        self._progress.stop()
        super()._conclude(summary)


class _Console(Console):
    """A console that lets a closed pipe be handled like any other failure to display."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError("standard output was closed")


def display_for(session: Session, path: Path, notes: tuple[str, ...], *, as_json: bool) -> Display:
    """Return the display that fits standard output; *notes* are told first."""
    if as_json:
        return Silent(session, path, notes)
    console = _Console()
    kind = Live if console.is_terminal else Lines
    return kind(session, path, notes, console)
