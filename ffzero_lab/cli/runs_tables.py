"""``ffzero-lab runs compare`` and ``export``: runs side by side, and as CSV."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ffzero_lab.cli.outcome import outcome, print_json
from ffzero_lab.errors import InputError
from ffzero_lab.runs import RunReader, list_runs
from ffzero_lab.runs.flat import columns_of, results_of, row_of, settings_of, spent_by
from ffzero_lab.runs.index import damage_told

Row = dict[str, Any]


def compare_command(runs: Sequence[Path], *, as_json: bool) -> None:
    """Set runs side by side: what they were told differently, what came of it, what it cost."""
    with outcome(as_json=as_json):
        if len(runs) < 2:
            raise InputError("runs compare takes two or more run folders")
        told, results, spent = [list[Row]() for _ in range(3)]
        for path in runs:
            with damage_told(path):
                run = RunReader(path)
                told.append(settings_of(run))
                results.append(results_of(run))
                spent.append(spent_by(run))
        differing = [name for name in columns_of(told) if any(row.get(name) != told[0].get(name) for row in told[1:])]
        parts = {
            "settings": {name: [row.get(name) for row in told] for name in differing},
            "results": {name: [row.get(name) for row in results] for name in columns_of(results)},
            "spent": {name: [row.get(name) for row in spent] for name in columns_of(spent)},
        }
        if as_json:
            print_json({"runs": [str(path) for path in runs], **parts})
            return
        console = Console()
        for title, part in zip(("settings that differ", "results", "counts and seconds"), parts.values(), strict=True):
            if part:
                console.print(_side_by_side(title, [path.name for path in runs], part))
        if not differing:
            typer.echo("no setting differs")
        for path, row in zip(runs, results, strict=True):
            if not row:
                typer.echo(f"{path} is not complete: it has no results yet")


def export_command(run_dir: Path, output: Path | None, *, metrics: bool, as_json: bool) -> None:
    """Write a folder of runs as CSV, one row for each run or for each row of its metrics."""
    with outcome(as_json=as_json):
        if output is not None and (output.exists() or not output.parent.is_dir()):
            raise InputError(f"--output {output} {'exists already' if output.exists() else 'is in no folder'}")
        if output is None and as_json:
            raise InputError("--json: only with --output, as the CSV goes to standard output without it")
        problems: list[str] = []
        rows: list[Row] = []
        for folder in list_runs(run_dir):
            try:
                with damage_told(folder):
                    rows += _metrics_of(folder) if metrics else [row_of(RunReader(folder))]
            except InputError as error:
                problems.append(str(error))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns_of(rows), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
        if output is None:
            typer.echo(text.getvalue(), nl=False)
        else:
            output.write_text(text.getvalue(), encoding="utf-8")
        if as_json:
            print_json({"run_dir": str(run_dir), "output": str(output), "rows": len(rows), "problems": problems})
            return
        if output is not None:
            typer.echo(f"{len(rows)} rows in {output}")
        for problem in problems:
            typer.echo(f"problem: {problem}", err=True)


def _metrics_of(folder: Path) -> Iterator[Row]:
    for row in list(RunReader(folder).metrics()):
        yield {"run": folder.name, **row}


def _cell(value: Any) -> Any:
    """Return what stands in one cell; numbers as they are written in full, nothing for None."""
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, list | dict | bool) else value


def _side_by_side(title: str, names: Sequence[str], part: Mapping[str, Sequence[Any]]) -> Table:
    table = Table(title=Text(title), title_justify="left", title_style="bold")
    table.add_column("", no_wrap=True)
    for name in names:
        table.add_column(Text(name), justify="right", overflow="fold")
    for name, values in part.items():
        table.add_row(Text(name), *(Text(_shown(value)) for value in values))
    return table


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
