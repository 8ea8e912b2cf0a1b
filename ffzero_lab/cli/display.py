"""What a person sees while a run goes on: a live line on a terminal, plain lines elsewhere, nothing with ``--json``."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
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
from rich.table import Table

from ffzero_lab.device import Counts
from ffzero_lab.training import Checked, Event, LayerDone, Problem, Session, StepDone, TapPower

PLAIN_LINES_PER_LAYER = 10
ROW_BYTES, MANIFEST_BYTES = 260, 6000
"""Typical sizes of a row of metrics, and of the files that do not grow."""


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


def plan_lines(session: Session) -> list[str]:
    """Return what the run is about to do and what it will cost."""
    plan, description, dataset = session.plan, session.device.description, session.dataset
    spent = plan.total
    return [
        f"{description.name} ({description.serial_number}), {len(description.layers)} layers, {description.topology}; "
        f"{dataset.name}: {len(dataset.train_labels)} training and {len(dataset.test_labels)} test patterns, "
        f"{dataset.n_classes} classes",
        f"{plan.steps} steps a layer, batch {plan.batch}: {spent.writes:,} writes, {spent.shots:,} shots, "
        f"predicted device time {spell_duration(plan.seconds)}",
    ]


def dry_run_numbers(session: Session) -> dict[str, Any]:
    """Return what a run would do and cost, without doing it."""
    plan, timing = session.plan, session.device.description.timing
    return {
        "steps": plan.steps,
        "layers": len(session.network.layers),
        "batch": plan.batch,
        "counts": {purpose: asdict(counts) for purpose, counts in plan.counts.items()},
        "writes": plan.total.writes,
        "shots": plan.total.shots,
        "write_seconds": timing.write_s,
        "shot_seconds": timing.shot_s,
        "predicted_seconds": plan.seconds,
        "folder_bytes": folder_bytes(session),
    }


def dry_run_lines(session: Session) -> list[str]:
    """Return the steps of a run, what each would count, and what all of it would take."""
    numbers = dry_run_numbers(session)
    timing = session.device.description.timing
    steps = [
        f"  {purpose:12s}{counts['writes']:>11,} writes{counts['readings']:>12,} readings{counts['shots']:>15,} shots"
        for purpose, counts in numbers["counts"].items()
        if counts["writes"]
    ]
    return [
        *plan_lines(session),
        *steps,
        f"at {timing.write_s:.3g} s a write and {timing.shot_s:.3g} s a shot ({timing.imitates or 'as described'})",
        f"run folder: about {numbers['folder_bytes'] / 1e6:.1f} MB",
        "dry run: nothing was written",
    ]


def folder_bytes(session: Session) -> int:
    """Estimate the size of the run folder in bytes: rows of metrics, and two checkpoints."""
    layers = session.network.layers
    rows = len(layers) * (session.plan.steps // session.settings.log_every + 2)
    patterns = len(session.dataset.train_labels)
    widest = max(layer.n_inputs for layer in session.device.description.layers)
    numbers = patterns * (widest + len(layers) * session.dataset.n_classes)
    numbers += sum(layer.prototypes.size + 6 * len(layer.parameters) for layer in layers)
    return ROW_BYTES * rows + 2 * 8 * numbers + MANIFEST_BYTES


def describe(event: Event, spent: Counts) -> str:
    """Return one line for an event, with the counts so far."""
    counts = f"{spent.writes:,} writes, {spent.shots:,} shots"
    match event:
        case StepDone():
            return (
                f"layer {event.layer}  step {event.step}/{event.steps}  loss {event.loss:.4f}  "
                f"batch accuracy {event.accuracy:.1%}  {counts}"
            )
        case Checked():
            return f"layer {event.layer}  step {event.step}  validation accuracy {event.validation_accuracy:.1%}"
        case LayerDone():
            return (
                f"layer {event.layer} done ({event.stopped_by}): train accuracy {event.train_accuracy:.1%} alone, "
                f"{event.sum_train_accuracy:.1%} summed with the layers before; {counts}"
            )
        case TapPower():
            seen = "under the detection floor" if event.mean is None else f"{event.mean:.3g} {event.unit}"
            return f"tap {event.layer}: mean reading {seen} (floor {event.detection_floor:.3g})"
        case Problem():
            return f"problem: {event.message}"


def result_table(summary: Mapping[str, Any]) -> Table:
    """Return the test accuracies beside the honesty baselines."""
    table = Table(title=f"{summary['dataset']} on {summary['device']}: test accuracy", title_justify="left")
    table.add_column("readout")
    table.add_column("accuracy", justify="right")
    for name, accuracy in summary["test_accuracy"].items():
        default = "  (default)" if name == summary["readout"] else ""
        table.add_row(f"{name}{default}", f"{accuracy:.1%}")
    baselines = summary["baselines"]
    if baselines is not None:
        untrained = baselines["untrained_device"][summary["readout"]]
        table.add_row("untrained device, same readout", f"{untrained:.1%}", style="dim")
        table.add_row("linear classifier on the raw features", f"{baselines['linear_classifier']:.1%}", style="dim")
    table.caption = (
        f"{summary['writes']:,} writes, {summary['shots']:,} shots; device time "
        f"{spell_duration(summary['device_seconds'])} (predicted {spell_duration(summary['predicted_seconds'])}); "
        f"wall time {spell_duration(summary['wall_seconds'])}"
    )
    table.caption_justify = "left"
    return table


def spell_duration(seconds: float) -> str:
    """Return a duration as a person would say it: ``42.3 s``, ``2 min 27 s``, ``1 h 05 min``."""
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
