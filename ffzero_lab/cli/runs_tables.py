"""``ffzero-lab runs compare`` and ``export``: runs side by side, and as CSV."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase
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
SHORT_HASH = 12
"""Digits that are shown of a hash."""


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
        letters = [_letter(number) for number in range(len(runs))]
        typer.echo("\n".join(f"{letter}  {path}" for letter, path in zip(letters, runs, strict=True)))
        for title, part in zip(("settings that differ", "results", "counts and seconds"), parts.values(), strict=True):
            for table in side_by_side(title, letters, part, console.width):
                console.print(table)
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


def side_by_side(title: str, heads: Sequence[str], part: Mapping[str, Sequence[Any]], width: int) -> list[Table]:
    """Return tables with a column for each run, as many runs in each as fit *width* without cutting a number."""
    shown = {name: [_shown(value) for value in values] for name, values in part.items()}
    if not shown:
        return []
    room = width - 1 - max(3 + len(name) for name in shown)
    needed = [3 + max(len(head), *(len(cells[at]) for cells in shown.values())) for at, head in enumerate(heads)]
    groups: list[list[int]] = [[]]
    for at, own in enumerate(needed):
        if groups[-1] and sum(needed[one] for one in groups[-1]) + own > room:
            groups.append([])
        groups[-1].append(at)
    return [_table(title, {at: heads[at] for at in group}, shown) for group in groups]


def _table(title: str, heads: Mapping[int, str], shown: Mapping[str, Sequence[str]]) -> Table:
    table = Table(title=Text(title), title_justify="left", title_style="bold")
    table.add_column("", no_wrap=True)
    for head in heads.values():
        table.add_column(Text(head), justify="right", overflow="fold")
    for name, cells in shown.items():
        table.add_row(Text(name), *(Text(cells[at]) for at in heads))
    return table


def _letter(number: int) -> str:
    """Return A to Z, then AA, AB and so on."""
    before, own = divmod(number, len(ascii_uppercase))
    return (_letter(before - 1) if before else "") + ascii_uppercase[own]


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        told = str(value)
        return f"{told[:SHORT_HASH]}…" if re.fullmatch("[0-9a-f]{32,}", told) else told
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
