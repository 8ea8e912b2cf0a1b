"""Declares ``calibrate``."""

from pathlib import Path
from typing import Annotated

import typer

from ffzero_lab.cli.commands.options import DEVICES, Json


def calibrate(
    context: typer.Context,
    device: Annotated[str, typer.Option(help=DEVICES)] = "twin",
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Option of the device. Repeatable.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(show_default="all", help="Procedures to carry out, with commas: fringes,offsets.")
    ] = None,
    skip: Annotated[str | None, typer.Option(show_default="none", help="Procedures to leave out.")] = None,
    calibration_dir: Annotated[
        Path | None, typer.Option(show_default="calibrations", help="Folder that holds the records.")
    ] = None,
    valid_for: Annotated[str, typer.Option(help="Age up to which training accepts the record: 90m, 12h, 7d.")] = "24h",
    seed: Annotated[int, typer.Option(help="Seed of the settings that are drawn.")] = 0,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no page beside the record.")] = False,
    resume: Annotated[Path | None, typer.Option(help="Go on with this interrupted calibration.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Measure a sample again and compare: 0 when it agrees, else 1.")
    ] = False,
    against: Annotated[
        Path | None, typer.Option(show_default="the newest", help="With --check: the record to compare with.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be measured and what it costs, and end.")
    ] = False,
    json_: Json = False,
) -> None:
    """Measure what a device's actuators, detectors and inputs do, and keep a record with uncertainties."""
    from ffzero_lab.signals import Signals

    with Signals() as signals:
        from ffzero_lab.cli.calibrate import calibrate as calibrate_device
        from ffzero_lab.cli.calibrate import resume as resume_calibration
        from ffzero_lab.cli.calibrate import wanted_from
        from ffzero_lab.cli.calibration_check import check as check_record
        from ffzero_lab.cli.outcome import Exit, outcome
        from ffzero_lab.cli.request import check_beside_resume
        from ffzero_lab.errors import InputError

        agrees = True
        with outcome(as_json=json_):
            check_beside_resume(context, allowed=["json_"], only=[])
            if against is not None and not check:
                raise InputError("--against: only with --check")
            if resume is not None:
                resume_calibration(resume, signals, as_json=json_)
                return
            wanted = wanted_from(
                device,
                set_ or [],
                only=only,
                skip=skip,
                folder=calibration_dir,
                valid_for=valid_for,
                seed=seed,
                report=not no_report,
            )
            if check:
                agrees = check_record(wanted, against, signals, dry_run=dry_run, as_json=json_)
            else:
                calibrate_device(wanted, signals, dry_run=dry_run, as_json=json_)
        if not agrees:
            raise typer.Exit(Exit.FAILED)
