"""What a person sees while a run goes on: a live line on a terminal, plain lines elsewhere, nothing with ``--json``."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ffzero_lab.cli.wording import describe, plan_lines, result_table
from ffzero_lab.training import Checked, Event, Session, StepDone

PLAIN_LINES_PER_LAYER = 10


class Display(ABC):
    """Shows the events of one run. A failure to display never ends a run: it is told once, then the display rests."""

    def __init__(self, session: Session, path: Path, notes: tuple[str, ...] = ()) -> None:
        self.session, self.path, self.notes = session, path, notes
        self._broken = False

    def show(self, event: Event) -> None:
        """Show one event."""
        if self._broken:
            return
        try:
            self._show(event)
        except (OSError, ValueError) as error:
            self._broken = True
            print(f"ffzero-lab: the display failed and rests, the run goes on: {error}", file=sys.stderr)  # noqa: T201

    @abstractmethod
    def _show(self, event: Event) -> None: ...

    @abstractmethod
    def conclude(self, summary: Mapping[str, Any]) -> None:
        """Show the result."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the display."""
        self._broken = True


class Silent(Display):
    """Shows nothing: standard output belongs to the JSON document."""

    def _show(self, event: Event) -> None:
        del event

    def conclude(self, summary: Mapping[str, Any]) -> None:
        """Show nothing."""


class Lines(Display):
    """Plain lines: the plan, a few lines for each layer, the result."""

    def __init__(self, session: Session, path: Path, notes: tuple[str, ...], console: Console) -> None:
        super().__init__(session, path, notes)
        self.console = console

    def __enter__(self) -> Self:
        for line in (*self.notes, *plan_lines(self.session), f"run folder: {self.path}"):
            self._print(line)
        return self

    def _show(self, event: Event) -> None:
        if isinstance(event, StepDone) and event.step % max(1, event.steps // PLAIN_LINES_PER_LAYER):
            return
        spent = self.session.device.ledger.total
        self._print(describe(event, spent))

    def conclude(self, summary: Mapping[str, Any]) -> None:
        """Print the result."""
        self.console.print(result_table(summary))
        self._print(f"run folder: {self.path}")

    def _print(self, line: str) -> None:
        self.console.print(line, soft_wrap=True, markup=False, highlight=False)


class Live(Lines):
    """A terminal: one progress line for each layer, and a line for everything else worth telling."""

    def __init__(self, session: Session, path: Path, notes: tuple[str, ...], console: Console) -> None:
        super().__init__(session, path, notes, console)
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

    def __enter__(self) -> Self:
        super().__enter__()
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _show(self, event: Event) -> None:
        if isinstance(event, StepDone):
            task = self._tasks[event.layer]
            if event.step == 1:
                self._progress.start_task(task)
            state = f"loss {event.loss:.3f}  batch {event.accuracy:.1%}  slope {event.slope_rms:.2g}"
            self._progress.update(task, completed=event.step, state=state)
        elif not isinstance(event, Checked):
            self._print(describe(event, self.session.device.ledger.total))

    def conclude(self, summary: Mapping[str, Any]) -> None:
        """Stop the progress and print the result."""
        self._progress.stop()
        super().conclude(summary)


def display_for(session: Session, path: Path, notes: tuple[str, ...], *, as_json: bool) -> Display:
    """Return the display that fits standard output; *notes* are told first."""
    if as_json:
        return Silent(session, path, notes)
    console = Console()
    kind = Live if console.is_terminal else Lines
    return kind(session, path, notes, console)
