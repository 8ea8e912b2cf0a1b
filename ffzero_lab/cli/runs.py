"""``ffzero-lab runs``: lists runs and shows one."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ffzero_lab.cli.outcome import outcome, print_json
from ffzero_lab.runs import RunReader, list_runs


def list_command(run_dir: Path, *, as_json: bool) -> None:
    """List the runs of a folder, oldest first."""
    with outcome(as_json=as_json):
        rows = [_row(run) for run in list_runs(run_dir)]
        if as_json:
            print_json({"run_dir": str(run_dir), "runs": rows})
            return
        console = Console()
        if not rows:
            console.print(f"no runs in {run_dir}", markup=False)
            return
        table = Table()
        for column in ("run", "dataset", "device", "seed", "accuracy", "shots", "state"):
            table.add_column(column, justify="right" if column in {"seed", "accuracy", "shots"} else "left")
        for row in rows:
            accuracy = "" if row["test_accuracy"] is None else f"{row['test_accuracy']:.1%}"
            shots = "" if row["shots"] is None else f"{row['shots']:,}"
            state = "complete" if row["completed"] else "incomplete"
            table.add_row(row["run"], row["dataset"], row["device"], str(row["seed"]), accuracy, shots, state)
        console.print(table)


def show_command(run: Path, *, as_json: bool) -> None:
    """Show the summary of a run, or how far an incomplete one came."""
    with outcome(as_json=as_json):
        reader = RunReader(run)
        if as_json:
            rows = list(reader.metrics())
            last = rows[-1] if rows else None
            print_json({"run": str(run), "manifest": reader.manifest, "summary": reader.summary, "last_row": last})
            return
        _print_run(Console(), reader)


def _print_run(console: Console, reader: RunReader) -> None:
    from ffzero_lab.cli.wording import result_table

    manifest, summary = reader.manifest, reader.summary
    console.print(f"{reader.path}  started {manifest['started']}", markup=False, highlight=False)
    if summary is not None:
        console.print(result_table(summary))
        for number, layer in enumerate(summary["layers"]):
            console.print(
                f"layer {number}: train {layer['train_accuracy']:.1%}, test {layer['test_accuracy']:.1%} alone; "
                f"{layer['steps']} steps ({layer['stopped_by']}), {layer['writes']:,} writes, {layer['shots']:,} shots",
                highlight=False,
            )
        for problem in summary["problems"]:
            console.print(f"problem: {problem}", markup=False, highlight=False)
    else:
        rows = list(reader.metrics())
        where = f"its last row of metrics: {rows[-1]}" if rows else "it has no metrics yet"
        console.print(f"incomplete; {where}", markup=False, highlight=False)


def _row(run: RunReader) -> dict[str, Any]:
    summary = run.summary
    settings = run.manifest["settings"]
    return {
        "run": run.path.name,
        "dataset": settings["dataset"],
        "device": run.manifest["device"]["name"],
        "seed": settings["seed"],
        "test_accuracy": None if summary is None else summary["test_accuracy"][settings["readout"]],
        "shots": None if summary is None else summary["shots"],
        "completed": summary is not None,
    }
