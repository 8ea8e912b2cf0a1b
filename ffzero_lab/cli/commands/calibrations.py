"""Declares ``calibrations list``, ``show``, ``diff`` and ``report``."""

from pathlib import Path
from typing import Annotated

import typer

from ffzero_lab.cli.commands.options import Json

app = typer.Typer(help="List, show and compare calibration records.", no_args_is_help=True)

RecordFile = Annotated[Path, typer.Argument(help="A calibration record (.json).")]


@app.command("list")
def calibrations_list(
    calibration_dir: Annotated[Path, typer.Option(help="Folder that holds the records.")] = Path("calibrations"),
    json_: Json = False,
) -> None:
    """List the records of all devices, oldest first, with age, validity and faults."""
    from ffzero_lab.cli.calibrations import list_command

    list_command(calibration_dir, as_json=json_)


@app.command("show")
def calibrations_show(record: RecordFile, json_: Json = False) -> None:
    """Show what a record says: findings, every quantity, what it took."""
    from ffzero_lab.cli.calibrations import show_command

    show_command(record, as_json=json_)


@app.command("diff")
def calibrations_diff(
    earlier: RecordFile,
    later: RecordFile,
    json_: Json = False,
) -> None:
    """Compare two records of one device within their uncertainties."""
    from ffzero_lab.cli.calibrations import diff_command

    diff_command(earlier, later, as_json=json_)


@app.command("report")
def calibrations_report(
    record: RecordFile,
    output: Annotated[Path | None, typer.Option(show_default="beside the record", help="The page to write.")] = None,
    json_: Json = False,
) -> None:
    """Draw the report of a record again, as one page with its figures."""
    from ffzero_lab.cli.calibrations import report_command

    report_command(record, output, as_json=json_)
