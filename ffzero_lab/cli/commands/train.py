"""Declares ``train``, whose options become the tables of a configuration file."""

from pathlib import Path
from typing import Annotated

import typer

from ffzero_lab.cli.commands.options import (
    DEVICES,
    AfterTrip,
    Calibration,
    CalibrationDir,
    DataDir,
    ExpiredCalibration,
    Json,
    OtherVersions,
    RecordIo,
)


def train(
    context: typer.Context,
    device: Annotated[str | None, typer.Option(show_default="twin", help=DEVICES)] = None,
    dataset: Annotated[
        str | None,
        typer.Option(show_default="digits", help="digits, iris, wine, mnist:8x8, csv:PATH, …: see datasets list."),
    ] = None,
    task: Annotated[
        str | None, typer.Option(show_default="as the data set is made", help="classification or regression.")
    ] = None,
    layers: Annotated[str | None, typer.Option(show_default="2", help="Layers of the twin.")] = None,
    preset: Annotated[
        str | None, typer.Option(show_default="typical", help="Imperfections of the twin: ideal, typical or harsh.")
    ] = None,
    rule: Annotated[
        str | None, typer.Option(show_default="ffzero", help="Learning rule: ffzero, bp-dd, ff-ad or bp-ad.")
    ] = None,
    loss: Annotated[
        str | None, typer.Option(show_default="cross-entropy", help="cross-entropy, margin or cosine.")
    ] = None,
    directions: Annotated[
        str | None, typer.Option(show_default="rademacher", help="rademacher, gaussian, orthogonal or coordinate.")
    ] = None,
    directions_per_step: Annotated[
        str | None, typer.Option(show_default="1", help="Directions measured for each update.")
    ] = None,
    slopes: Annotated[
        str | None,
        typer.Option(show_default="attributed where the device declares its reach", help="attributed or total."),
    ] = None,
    optimizer: Annotated[
        str | None, typer.Option(show_default="adam", help="adam, normalised, momentum or sgd.")
    ] = None,
    learning_rate: Annotated[
        str | None, typer.Option(show_default="0.007 typical changes", help="Step size at the start.")
    ] = None,
    epsilon: Annotated[
        str | None,
        typer.Option(
            show_default="0.01 typical changes (rad)",
            help="RMS amplitude of the perturbation, on the trained scale; auto: measured.",
        ),
    ] = None,
    steps: Annotated[str | None, typer.Option(show_default="6000", help="Steps of each layer.")] = None,
    max_readings: Annotated[
        str | None, typer.Option(show_default="no limit", help="Most batch readings spent on training.")
    ] = None,
    budget: Annotated[str | None, typer.Option(show_default="no limit", help="Most device time: 90s, 30m, 2h.")] = None,
    batch: Annotated[str | None, typer.Option(show_default="512", help="Patterns of each reading.")] = None,
    seed: Annotated[str | None, typer.Option(show_default="0", help="Seed of everything the engine draws.")] = None,
    uncalibrated: Annotated[
        bool, typer.Option("--uncalibrated", help="Train a device in raw units without a calibration record.")
    ] = False,
    calibration: Calibration = None,
    calibration_dir: CalibrationDir = None,
    expired_calibration: ExpiredCalibration = False,
    run_dir: Annotated[
        Path | None, typer.Option(show_default="runs", help="Folder that holds the run folders.")
    ] = None,
    name: Annotated[str | None, typer.Option(show_default="from data set and seed", help="Name of the run.")] = None,
    data_dir: DataDir = None,
    config: Annotated[
        Path | None, typer.Option(help=r"TOML file with \[device], \[train], \[run] and \[interlocks]; flags win.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other setting, such as device.ports=16. Repeatable."),
    ] = None,
    record_io: RecordIo = False,
    from_: Annotated[Path | None, typer.Option("--from", help="Start from the trained parameters of this run.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run; every other setting is its own.")] = None,
    other_versions: OtherVersions = False,
    after_trip: AfterTrip = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and what it costs, and end.")
    ] = False,
    report: Annotated[
        bool,
        typer.Option(
            "--report/--no-report",
            envvar="FFZERO_REPORT",
            show_envvar=False,
            help="Write report.html into the run folder at the end.",
        ),
    ] = True,
    json_: Json = False,
) -> None:
    """Train a device in place and keep everything in a run folder."""
    from ffzero_lab.signals import Signals

    with Signals() as signals:
        from ffzero_lab.cli.outcome import outcome
        from ffzero_lab.cli.request import Tables, check_beside_resume, read_request
        from ffzero_lab.cli.train import resume as resume_run
        from ffzero_lab.cli.train import train as train_run

        flags = Tables(
            device={"name": device, "layers": layers, "preset": preset},
            train={
                "dataset": dataset,
                "task": task,
                "data_dir": data_dir,
                "rule": rule,
                "loss": loss,
                "directions": directions,
                "directions_per_step": directions_per_step,
                "slopes": slopes,
                "optimizer": optimizer,
                "learning_rate": learning_rate,
                "epsilon": epsilon,
                "steps": steps,
                "max_readings": max_readings,
                "budget": budget,
                "batch": batch,
                "seed": seed,
                "uncalibrated": uncalibrated or None,
            },
            run={"run_dir": run_dir, "name": name, "record_io": record_io or None},
            calibration={
                "record": calibration,
                "folder": calibration_dir,
                "accept_expired": expired_calibration or None,
            },
        )
        with outcome(as_json=json_):
            check_beside_resume(context, allowed=["json_", "report"], only=["other_versions", "after_trip"])
            told = {"as_json": json_, "report": report}
            if resume is not None:
                resume_run(resume, signals, other_versions=other_versions, after_trip=after_trip, **told)
            else:
                request = read_request(config, flags, set_ or [])
                train_run(request, signals, start_from=from_, dry_run=dry_run, **told)
