"""Declares ``runs list``, ``show``, ``compare`` and ``export``."""

from pathlib import Path
from typing import Annotated

import typer

from ffzero_lab.cli.commands.options import Json, RunDir, RunFolder

app = typer.Typer(help="List, show, compare and export runs.", no_args_is_help=True)


@app.command("list")
def runs_list(run_dir: RunDir = Path("runs"), json_: Json = False) -> None:
    """List the runs of a folder, oldest first."""
    from ffzero_lab.cli.runs import list_command

    list_command(run_dir, as_json=json_)


@app.command("show")
def runs_show(run: RunFolder, json_: Json = False) -> None:
    """Show the result of a run, or how far an incomplete one came."""
    from ffzero_lab.cli.runs import show_command

    show_command(run, as_json=json_)


@app.command("compare")
def runs_compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN…", help="Two or more run folders.")],
    json_: Json = False,
) -> None:
    """Set runs side by side: the settings that differ, scores and counts."""
    from ffzero_lab.cli.runs_tables import compare_command

    compare_command(runs, as_json=json_)


@app.command("export")
def runs_export(
    run_dir: RunDir = Path("runs"),
    output: Annotated[
        Path | None, typer.Option(show_default="standard output", help="Write the CSV to this new file.")
    ] = None,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="One row for each row of metrics, not for each run.")
    ] = False,
    json_: Json = False,
) -> None:
    """Export the runs of a folder as CSV, with every setting, score and count."""
    from ffzero_lab.cli.runs_tables import export_command

    export_command(run_dir, output, metrics=metrics, as_json=json_)
