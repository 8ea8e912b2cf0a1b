"""``ffzero-lab runs list`` and ``show``: lists runs and shows one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ffzero_lab.cli.outcome import outcome, print_json
from ffzero_lab.runs import RunReader
from ffzero_lab.runs.index import PROTOCOL, damage_told, indexed_runs

_COLUMNS = ("run", "dataset", "device", "seed", "accuracy", "shots", "state")
MANY = 500
"""More runs than this are listed in plain columns."""
_NUMBERS = {"seed", "accuracy", "shots"}
_LEFT_OUT_FIRST = ("device", "seed", "dataset", "shots", "state", "accuracy")
"""What a narrow terminal does without, in this order; the name of a run is never cut."""


def list_command(run_dir: Path, *, as_json: bool) -> None:
    """List the runs of a folder, oldest first."""
    with outcome(as_json=as_json):
        rows = indexed_runs(run_dir)
        if as_json:
            print_json({"run_dir": str(run_dir), "runs": rows})
            return
        console = Console()
        if not rows:
            console.print(f"no runs in {run_dir}", markup=False)
            return
        lines = [_cells(row) for row in rows]
        columns = _columns_within(console.width, lines)
        if len(lines) > MANY:
            typer.echo("\n".join(_plain_lines(columns, lines)))
        else:
            table = Table()
            for column in columns:
                justify = "right" if column in _NUMBERS else "left"
                table.add_column(column, justify=justify, no_wrap=column != "run", overflow="fold")
            for cells in lines:
                table.add_row(*(Text(cells[column]) for column in columns))
            console.print(table)
        for row in rows:
            if row["problem"] is not None:
                console.print(f"problem: {row['problem']}", markup=False, highlight=False)


def show_command(run: Path, *, as_json: bool) -> None:
    """Show the summary of a run, or how far an incomplete one came."""
    with outcome(as_json=as_json), damage_told(run):
        reader = RunReader(run)
        if as_json:
            rows = list(reader.metrics())
            last = rows[-1] if rows else None
            print_json({"run": str(run), "manifest": reader.manifest, "summary": reader.summary, "last_row": last})
            return
        _print_run(Console(), reader)


def _print_run(console: Console, reader: RunReader) -> None:
    from ffzero_lab.cli.wording import measure_of, result_table, result_title, tell, tell_spent

    manifest, summary = reader.manifest, reader.summary
    console.print(f"{reader.path}  started {manifest['started']}", markup=False, highlight=False)
    if manifest.get("kind") == PROTOCOL:
        _print_protocol(console, manifest)
    elif summary is not None:
        console.print(result_title(summary))
        console.print(result_table(summary))
        console.print(tell_spent(summary), markup=False, highlight=False)
        measure = measure_of(summary)
        for number, layer in enumerate(summary["layers"]):
            console.print(
                f"layer {number}: train {tell(measure, layer[f'train_{measure}'])}, "
                f"test {tell(measure, layer[f'test_{measure}'])} alone; "
                f"{layer['steps']} steps ({layer['stopped_by']}), {layer['writes']:,} writes, {layer['shots']:,} shots",
                highlight=False,
            )
        for problem in summary["problems"]:
            console.print(f"problem: {problem}", markup=False, highlight=False)
    else:
        rows = list(reader.metrics())
        where = f"its last row of metrics: {_told_row(rows[-1])}" if rows else "it has no metrics yet"
        console.print(f"incomplete; {where}", markup=False, highlight=False)


def _told_row(row: Mapping[str, Any]) -> str:
    """Return a row of metrics in words, numbers as far as a person reads them."""
    told = {name: f"{value:.4g}" if isinstance(value, float) else str(value) for name, value in row.items()}
    return ", ".join(f"{name} {value}" for name, value in told.items() if name != "event" and row[name] is not None)


def _print_protocol(console: Console, manifest: Mapping[str, Any]) -> None:
    console.print(manifest["protocol"]["title"], markup=False, highlight=False)
    for number, step in enumerate(manifest.get("steps", ()), start=1):
        results: dict[str, Any] = step["results"] or {}
        score = results.get("score")
        found = "" if score is None else f", score {score:.4f}"
        failed = f"; failed: {step['failures'][-1]}" if step["failures"] else ""
        line = f"{number:2d} {step['name']} ({step['kind']}): {step['state']}{found}{failed}"
        console.print(line, markup=False, highlight=False)
    for note in manifest.get("notes", ()):
        console.print(f"note: {note}", markup=False, highlight=False)


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    cells = {column: "" if row.get(column) is None else str(row[column]) for column in _COLUMNS}
    if row["test_accuracy"] is not None:
        cells["accuracy"] = f"{row['test_accuracy']:.1%}"
    elif row["test_r2"] is not None:
        cells["accuracy"] = f"R² {row['test_r2']:.3f}"
    if row["shots"] is not None:
        cells["shots"] = f"{row['shots']:,}"
    return cells


def _plain_lines(columns: Sequence[str], lines: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the list without rules: a drawn table takes a second for each thousand rows."""
    widths = {name: max(len(name), *(len(cells[name]) for cells in lines)) for name in columns}
    header = {name: name for name in columns}
    return [
        "  ".join(
            cells[name].rjust(widths[name]) if name in _NUMBERS else cells[name].ljust(widths[name]) for name in columns
        ).rstrip()
        for cells in (header, *lines)
    ]


def _columns_within(width: int, lines: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the columns whose cells, each with a border and two blanks, fit *width* without being cut."""
    columns: list[str] = list(_COLUMNS)
    needed = {name: max(len(name), *(len(cells[name]) for cells in lines)) + 3 for name in _COLUMNS}
    for name in _LEFT_OUT_FIRST:
        if 1 + sum(needed[column] for column in columns) > width:
            columns.remove(name)
    return columns
