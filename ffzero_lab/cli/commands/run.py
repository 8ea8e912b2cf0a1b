"""Declares ``run``."""

from pathlib import Path
from typing import Annotated

import typer

from ffzero_lab.cli.commands.options import (
    DEVICES,
    AfterTrip,
    Calibration,
    CalibrationDir,
    ExpiredCalibration,
    Json,
    OtherVersions,
    RecordIo,
    RunDir,
)


def run(
    context: typer.Context,
    protocol: Annotated[
        str | None, typer.Argument(help="A shipped protocol (see protocols list), or a file (.toml).")
    ] = None,
    device: Annotated[str | None, typer.Option(show_default="the protocol's own twin", help=DEVICES)] = None,
    short: Annotated[bool, typer.Option("--short", help="The short form that the protocol states, to try it.")] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="STEP.KEY=VALUE", help="Another setting of a step, sentinel.KEY or device.KEY. Repeatable."
        ),
    ] = None,
    calibration: Calibration = None,
    calibration_dir: CalibrationDir = None,
    expired_calibration: ExpiredCalibration = False,
    run_dir: RunDir = Path("runs"),
    name: Annotated[str | None, typer.Option(show_default="that of the protocol", help="Name of the run.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to every question beforehand.")] = False,
    record_io: RecordIo = False,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run of a protocol.")] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="STEP", help="With --resume: carry out again from this step on.")
    ] = None,
    other_versions: OtherVersions = False,
    after_trip: AfterTrip = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what every step would do, cost and ask for, and end.")
    ] = False,
    json_: Json = False,
) -> None:
    """Carry a protocol out, step by step, and keep how every step came out in a run folder."""
    from ffzero_lab.signals import Signals

    with Signals() as signals:
        from ffzero_lab.cli.outcome import outcome
        from ffzero_lab.cli.request import check_beside_resume
        from ffzero_lab.cli.run import Wanted
        from ffzero_lab.cli.run import resume as resume_protocol
        from ffzero_lab.cli.run import run as run_protocol
        from ffzero_lab.errors import InputError

        with outcome(as_json=json_):
            check_beside_resume(context, allowed=["json_"], only=["from_", "other_versions", "after_trip"])
            if resume is not None:
                resume_protocol(
                    resume,
                    signals,
                    from_step=from_,
                    other_versions=other_versions,
                    after_trip=after_trip,
                    as_json=json_,
                )
                return
            if protocol is None:
                raise InputError("which protocol? Name a shipped one (ffzero-lab protocols list), or a file (.toml)")
            from ffzero_lab.cli.measure import choice_of

            choice = choice_of(calibration, calibration_dir, accept_expired=expired_calibration)
            wanted = Wanted(protocol, device, short, tuple(set_ or ()), run_dir, name, choice, yes, record_io)
            run_protocol(wanted, signals, dry_run=dry_run, as_json=json_)
