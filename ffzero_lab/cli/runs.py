"""``ffzero-lab runs``: lists runs and shows one."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ffzero_lab.cli.outcome import outcome, print_json
from ffzero_lab.errors import InputError
from ffzero_lab.runs import RunReader, list_runs

PROTOCOL = "protocol"
"""Kind of a run whose folder holds the steps of a protocol; a training run's manifest names no kind."""
_COLUMNS = ("run", "dataset", "device", "seed", "accuracy", "shots", "state")
_NUMBERS = {"seed", "accuracy", "shots"}
_LEFT_OUT_FIRST = ("device", "seed", "dataset", "shots", "state", "accuracy")
"""What a narrow terminal does without, in this order; the name of a run is never cut."""


def list_command(run_dir: Path, *, as_json: bool) -> None:
    """List the runs of a folder, oldest first."""
    with outcome(as_json=as_json):
        rows = [_row(folder) for folder in list_runs(run_dir)]
        if as_json:
            print_json({"run_dir": str(run_dir), "runs": rows})
            return
        console = Console()
        if not rows:
            console.print(f"no runs in {run_dir}", markup=False)
            return
        lines = [_cells(row) for row in rows]
        columns = _columns_within(console.width, lines)
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
    with outcome(as_json=as_json), _damage_told(run):
        reader = RunReader(run)
        if as_json:
            rows = list(reader.metrics())
            last = rows[-1] if rows else None
            print_json({"run": str(run), "manifest": reader.manifest, "summary": reader.summary, "last_row": last})
            return
        _print_run(Console(), reader)


@contextmanager
def _damage_told(run: Path) -> Generator[None]:
    """Turn what a file of valid JSON but of other content raises into one message."""
    try:
        yield
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{run} is damaged: {type(error).__name__}: {error}") from error


def _print_run(console: Console, reader: RunReader) -> None:
    from ffzero_lab.cli.wording import measure_of, result_table, tell

    manifest, summary = reader.manifest, reader.summary
    console.print(f"{reader.path}  started {manifest['started']}", markup=False, highlight=False)
    if manifest.get("kind") == PROTOCOL:
        _print_protocol(console, manifest)
    elif summary is not None:
        console.print(result_table(summary))
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
        where = f"its last row of metrics: {rows[-1]}" if rows else "it has no metrics yet"
        console.print(f"incomplete; {where}", markup=False, highlight=False)


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


def _row(folder: Path) -> dict[str, Any]:
    """Return what the list says of a run; a damaged one is listed with what is wrong with it."""
    row: dict[str, Any] = dict.fromkeys(("run", "dataset", "device", "seed", "test_accuracy", "test_r2", "shots"))
    row |= {"run": folder.name, "completed": False, "state": "unreadable", "problem": None}
    try:
        with _damage_told(folder):
            return row | _told(RunReader(folder))
    except InputError as error:
        return row | {"problem": str(error)}


def _told(run: RunReader) -> dict[str, Any]:
    summary = run.summary
    if run.manifest.get("kind") == PROTOCOL:
        return {
            "dataset": run.manifest["protocol"]["name"],
            "device": run.manifest["device"]["name"],
            "shots": None if summary is None else int(summary["shots"]),
            "completed": summary is not None,
            "state": "incomplete" if summary is None else "complete",
        }
    settings = run.manifest["settings"]
    return {
        "dataset": settings["dataset"],
        "device": run.manifest["device"]["name"],
        "seed": settings["seed"],
        "test_accuracy": _test_score(summary, "test_accuracy", settings["readout"]),
        "test_r2": _test_score(summary, "test_r2", settings["readout"]),
        "shots": None if summary is None else int(summary["shots"]),
        "completed": summary is not None,
        "state": "incomplete" if summary is None else "complete",
    }


def _test_score(summary: Mapping[str, Any] | None, key: str, readout: str) -> float | None:
    return None if summary is None or key not in summary else float(summary[key][readout])


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    cells = {column: "" if row.get(column) is None else str(row[column]) for column in _COLUMNS}
    if row["test_accuracy"] is not None:
        cells["accuracy"] = f"{row['test_accuracy']:.1%}"
    elif row["test_r2"] is not None:
        cells["accuracy"] = f"R² {row['test_r2']:.3f}"
    if row["shots"] is not None:
        cells["shots"] = f"{row['shots']:,}"
    return cells


def _columns_within(width: int, lines: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the columns whose cells, each with a border and two blanks, fit *width* without being cut."""
    columns: list[str] = list(_COLUMNS)
    needed = {name: max(len(name), *(len(cells[name]) for cells in lines)) + 3 for name in _COLUMNS}
    for name in _LEFT_OUT_FIRST:
        if 1 + sum(needed[column] for column in columns) > width:
            columns.remove(name)
    return columns
