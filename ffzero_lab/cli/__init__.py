"""The command line, and the one place where engine, drivers, calibration and protocols come together.

Only typer is imported here: every command loads what it needs when it is called, so that ``--help`` stays quick.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from ffzero_lab._version import __version__

app = typer.Typer(
    name="ffzero-lab",
    help="Train physical neural networks where they stand, from forward measurements alone.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
runs_app = typer.Typer(help="List, show, compare and export runs.", no_args_is_help=True)
app.add_typer(runs_app, name="runs")
datasets_app = typer.Typer(
    help="List data sets, and fetch those that do not come with the package.", no_args_is_help=True
)
app.add_typer(datasets_app, name="datasets")
bench_app = typer.Typer(help="Check bench files.", no_args_is_help=True)
app.add_typer(bench_app, name="bench")
devices_app = typer.Typer(help="List what can be reached, and look over a bench.", no_args_is_help=True)
app.add_typer(devices_app, name="devices")
calibrations_app = typer.Typer(help="List, show and compare calibration records.", no_args_is_help=True)
app.add_typer(calibrations_app, name="calibrations")
protocols_app = typer.Typer(help="List, show and check protocols.", no_args_is_help=True)
app.add_typer(protocols_app, name="protocols")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
_DEVICES = "twin, twin:photonic, an installed driver, module:Class, a bench file (.toml), or replay:RUN."
RunDevice = Annotated[str | None, typer.Option(show_default="the run's own", help=_DEVICES)]
DataDir = Annotated[Path | None, typer.Option(help="Folder of data sets (mnist); relative paths start from it.")]
RunDir = Annotated[Path, typer.Option(help="Folder that holds the run folders.")]
Calibration = Annotated[
    str | None,
    typer.Option(
        show_default="the newest for a device in raw units", metavar="RECORD|newest", help="Calibration record to use."
    ),
]
RunCalibration = Annotated[
    str | None,
    typer.Option(show_default="the run's own", metavar="RECORD|newest", help="Another calibration record to use."),
]
CalibrationDir = Annotated[
    Path | None, typer.Option(show_default="calibrations", help="Folder in which the newest record is looked for.")
]
ExpiredCalibration = Annotated[
    bool, typer.Option("--expired-calibration", help="Use a calibration record that has expired.")
]
RecordIo = Annotated[
    bool, typer.Option("--record-io", help="Keep every exchange with the device, for --device replay:RUN.")
]
RunFolder = Annotated[Path, typer.Argument(help="A run folder.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


@app.command()
def train(
    context: typer.Context,
    device: Annotated[str | None, typer.Option(show_default="twin", help=_DEVICES)] = None,
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
    other_versions: Annotated[
        bool, typer.Option("--other-versions", help="With --resume: accept other versions, and so other numbers.")
    ] = False,
    after_trip: Annotated[
        bool, typer.Option("--after-trip", help="With --resume: the cause of the interlock's trip is removed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and what it costs, and end.")
    ] = False,
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
            check_beside_resume(context, allowed=["json_"], only=["other_versions", "after_trip"])
            if resume is not None:
                resume_run(resume, signals, other_versions=other_versions, after_trip=after_trip, as_json=json_)
            else:
                request = read_request(config, flags, set_ or [])
                train_run(request, signals, start_from=from_, dry_run=dry_run, as_json=json_)


@app.command()
def compare(
    device: Annotated[str | None, typer.Option(show_default="twin", help=_DEVICES)] = None,
    dataset: Annotated[str | None, typer.Option(show_default="digits", help="As for train.")] = None,
    preset: Annotated[str | None, typer.Option(show_default="typical", help="Imperfections of the twin.")] = None,
    steps: Annotated[str | None, typer.Option(show_default="6000", help="Steps of each layer under ffzero.")] = None,
    batch: Annotated[str | None, typer.Option(show_default="512", help="Patterns of each reading.")] = None,
    rules: Annotated[
        str | None, typer.Option(show_default="all", help="Some of ffzero, bp-dd, ff-ad, bp-ad, with commas.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Runs of each rule, each with a seed of its own.")] = 1,
    seed: Annotated[str | None, typer.Option(show_default="0", help="The first of them.")] = None,
    run_dir: Annotated[
        Path | None, typer.Option(show_default="runs", help="Folder in which the comparison gets a folder.")
    ] = None,
    name: Annotated[str | None, typer.Option(show_default="from the data set", help="Name of that folder.")] = None,
    data_dir: DataDir = None,
    config: Annotated[Path | None, typer.Option(help="TOML file as for train; flags win.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other setting, as for train. Repeatable."),
    ] = None,
    json_: Json = False,
) -> None:
    """Train one task by several rules with the same number of loss evaluations, and draw accuracy against them."""
    from ffzero_lab.signals import Signals

    with Signals():
        from ffzero_lab.cli.compare import compare_command
        from ffzero_lab.cli.outcome import outcome
        from ffzero_lab.cli.request import Tables, read_request

        trained = {"dataset": dataset, "steps": steps, "batch": batch, "seed": seed, "data_dir": data_dir}
        flags = Tables(device={"name": device, "preset": preset}, train=trained, run={"run_dir": run_dir, "name": name})
        with outcome(as_json=json_):
            compare_command(read_request(config, flags, set_ or []), rules, seeds, as_json=json_)


@app.command()
def sweep(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help=r"TOML file as for train --config, with a table \[sweep].")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1000, show_default="the file's, else 2", help="Processes of this computer.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(show_default="a local one", help="An existing Dask scheduler: tcp://HOST:PORT.")
    ] = None,
    run_dir: Annotated[Path, typer.Option(help="Folder in which the sweep gets a folder.")] = Path("runs"),
    name: Annotated[str | None, typer.Option(show_default="from the file", help="Name of that folder.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the sweep in this folder.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and what it costs, and end.")
    ] = False,
    json_: Json = False,
) -> None:
    """Train under each of many settings, a grid or drawn at random, with several processes."""
    from ffzero_lab.signals import Signals

    with Signals() as signals:
        from ffzero_lab.cli.outcome import Exit, outcome
        from ffzero_lab.cli.request import check_beside_resume
        from ffzero_lab.cli.sweep import resume_sweep
        from ffzero_lab.cli.sweep import sweep as carry_out
        from ffzero_lab.errors import InputError

        complete = False
        with outcome(as_json=json_):
            check_beside_resume(context, allowed=["json_", "workers", "scheduler"], only=[])
            if resume is not None:
                complete = resume_sweep(resume, signals, workers=workers, scheduler=scheduler, as_json=json_)
            elif file is None:
                raise InputError("name the sweep's FILE, or a folder to go on with: --resume SWEEP")
            else:
                complete = carry_out(
                    file,
                    signals,
                    workers=workers,
                    scheduler=scheduler,
                    run_dir=run_dir,
                    name=name,
                    dry_run=dry_run,
                    as_json=json_,
                )
        if not complete:
            raise typer.Exit(Exit.FAILED)


@app.command()
def calibrate(
    context: typer.Context,
    device: Annotated[str, typer.Option(help=_DEVICES)] = "twin",
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


@app.command()
def run(
    context: typer.Context,
    protocol: Annotated[
        str | None, typer.Argument(help="A shipped protocol (see protocols list), or a file (.toml).")
    ] = None,
    device: Annotated[str | None, typer.Option(show_default="the protocol's own twin", help=_DEVICES)] = None,
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
    other_versions: Annotated[
        bool, typer.Option("--other-versions", help="With --resume: accept other versions, and so other numbers.")
    ] = False,
    after_trip: Annotated[
        bool, typer.Option("--after-trip", help="With --resume: the cause of the interlock's trip is removed.")
    ] = False,
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


ProtocolName = Annotated[str, typer.Argument(help="A shipped protocol, or a file (.toml).")]


@protocols_app.command("list")
def protocols_list(json_: Json = False) -> None:
    """List the protocols that come with the package."""
    from ffzero_lab.cli.protocols import list_command

    list_command(as_json=json_)


@protocols_app.command("show")
def protocols_show(protocol: ProtocolName, json_: Json = False) -> None:
    """Print a protocol's text, to begin one of your own from."""
    from ffzero_lab.cli.protocols import show_command

    show_command(protocol, as_json=json_)


@protocols_app.command("check")
def protocols_check(
    protocol: ProtocolName,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="STEP.KEY=VALUE", help="As for run. Repeatable.")
    ] = None,
    json_: Json = False,
) -> None:
    """Explain every mistake of a protocol that can be found without a device; run --dry-run finds the others."""
    from ffzero_lab.cli.protocols import check_command

    check_command(protocol, set_ or [], as_json=json_)


@calibrations_app.command("list")
def calibrations_list(
    calibration_dir: Annotated[Path, typer.Option(help="Folder that holds the records.")] = Path("calibrations"),
    json_: Json = False,
) -> None:
    """List the records of all devices, oldest first, with age, validity and faults."""
    from ffzero_lab.cli.calibrations import list_command

    list_command(calibration_dir, as_json=json_)


RecordFile = Annotated[Path, typer.Argument(help="A calibration record (.json).")]


@calibrations_app.command("show")
def calibrations_show(record: RecordFile, json_: Json = False) -> None:
    """Show what a record says: findings, every quantity, what it took."""
    from ffzero_lab.cli.calibrations import show_command

    show_command(record, as_json=json_)


@calibrations_app.command("diff")
def calibrations_diff(
    earlier: RecordFile,
    later: RecordFile,
    json_: Json = False,
) -> None:
    """Compare two records of one device within their uncertainties."""
    from ffzero_lab.cli.calibrations import diff_command

    diff_command(earlier, later, as_json=json_)


@calibrations_app.command("report")
def calibrations_report(
    record: RecordFile,
    output: Annotated[Path | None, typer.Option(show_default="beside the record", help="The page to write.")] = None,
    json_: Json = False,
) -> None:
    """Draw the report of a record again, as one page with its figures."""
    from ffzero_lab.cli.calibrations import report_command

    report_command(record, output, as_json=json_)


@app.command()
def evaluate(
    run: RunFolder,
    dataset: Annotated[
        str | None, typer.Option(show_default="the run's own", help="Another data set with the same classes.")
    ] = None,
    data_dir: DataDir = None,
    device: RunDevice = None,
    calibration: RunCalibration = None,
    calibration_dir: CalibrationDir = None,
    expired_calibration: ExpiredCalibration = False,
    record_io: Annotated[
        Path | None,
        typer.Option(
            show_default="none", help="Keep every exchange with the device in this new folder, for replay:FOLDER."
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Write a run's parameters back to its device and measure the test accuracy again."""
    from ffzero_lab.cli.measure import choice_of, evaluate_command

    choice = choice_of(calibration, calibration_dir, accept_expired=expired_calibration)
    evaluate_command(
        run,
        dataset=dataset,
        data_dir=data_dir,
        device=device,
        calibration=choice,
        record_io=record_io,
        as_json=json_,
    )


@app.command()
def predict(
    run: RunFolder,
    file: Annotated[Path, typer.Argument(help="Unlabelled rows: CSV, or npz with an array x.")],
    output: Annotated[Path | None, typer.Option(help="Write the predictions to this CSV file.")] = None,
    device: RunDevice = None,
    calibration: RunCalibration = None,
    calibration_dir: CalibrationDir = None,
    expired_calibration: ExpiredCalibration = False,
    json_: Json = False,
) -> None:
    """Predict the class of every row of an unlabelled file with a trained run."""
    from ffzero_lab.cli.measure import choice_of, predict_command

    choice = choice_of(calibration, calibration_dir, accept_expired=expired_calibration)
    predict_command(run, file, output=output, device=device, calibration=choice, as_json=json_)


Wait = Annotated[float, typer.Option(help="Seconds to wait for the answer.")]


@app.command()
def pause(
    run: RunFolder,
    hold: Annotated[bool, typer.Option("--hold", help="Leave the outputs on instead of parking.")] = False,
    wait: Wait = 10.0,
    json_: Json = False,
) -> None:
    """Pause a running run; it parks meanwhile."""
    from ffzero_lab.cli.control import control_command
    from ffzero_lab.runs import ControlRequest

    control_command(run, ControlRequest("pause", park=not hold), wait_s=wait, as_json=json_)


@app.command("continue")
def continue_(run: RunFolder, wait: Wait = 10.0, json_: Json = False) -> None:
    """Let a paused run go on."""
    from ffzero_lab.cli.control import control_command
    from ffzero_lab.runs import ControlRequest

    control_command(run, ControlRequest("continue"), wait_s=wait, as_json=json_)


@app.command()
def stop(run: RunFolder, wait: Wait = 10.0, json_: Json = False) -> None:
    """Stop a running run: it parks, saves, and can be resumed."""
    from ffzero_lab.cli.control import control_command
    from ffzero_lab.runs import ControlRequest

    control_command(run, ControlRequest("stop"), wait_s=wait, as_json=json_)


@app.command()
def status(run: RunFolder, json_: Json = False) -> None:
    """Tell how a run stands."""
    from ffzero_lab.cli.control import status_command

    status_command(run, as_json=json_)


@app.command()
def park(
    device: Annotated[str, typer.Argument(help="twin, an installed driver, module:Class, or a bench file (.toml).")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Option of the device. Repeatable.")
    ] = None,
    wait: Wait = 10.0,
    json_: Json = False,
) -> None:
    """Bring a bench into its safe state: a live owner is asked to stop first; works after a crash."""
    from ffzero_lab.cli.park import park_command

    park_command(device, set_ or [], wait_s=wait, as_json=json_)


@runs_app.command("list")
def runs_list(run_dir: RunDir = Path("runs"), json_: Json = False) -> None:
    """List the runs of a folder, oldest first."""
    from ffzero_lab.cli.runs import list_command

    list_command(run_dir, as_json=json_)


@runs_app.command("show")
def runs_show(run: RunFolder, json_: Json = False) -> None:
    """Show the result of a run, or how far an incomplete one came."""
    from ffzero_lab.cli.runs import show_command

    show_command(run, as_json=json_)


@runs_app.command("compare")
def runs_compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN…", help="Two or more run folders.")],
    json_: Json = False,
) -> None:
    """Set runs side by side: the settings that differ, scores and counts."""
    from ffzero_lab.cli.runs_tables import compare_command

    compare_command(runs, as_json=json_)


@runs_app.command("export")
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


@datasets_app.command("list")
def datasets_list(data_dir: DataDir = None, json_: Json = False) -> None:
    """List the data sets that go by a name, with size, classes and where they stand."""
    from ffzero_lab.cli.datasets import list_command

    list_command(data_dir, as_json=json_)


@datasets_app.command("fetch")
def datasets_fetch(
    name: Annotated[str, typer.Argument(help="mnist or fashion-mnist.")],
    data_dir: Annotated[
        Path | None,
        typer.Option(show_default="FFZERO_DATA", help="Folder of data sets; the set gets one of its own in it."),
    ] = None,
    url: Annotated[
        str | None, typer.Option(show_default="the set's own", help="Folder on the web with the four gzipped files.")
    ] = None,
    json_: Json = False,
) -> None:
    """Download an image set and check it; files that are there already are kept."""
    from ffzero_lab.cli.datasets import fetch_command

    fetch_command(name, data_dir, url, as_json=json_)


@bench_app.command("check")
def bench_check(file: Annotated[Path, typer.Argument(help="A bench file (.toml).")], json_: Json = False) -> None:
    """Explain every mistake of a bench file, or show which channel is what; no instrument is touched."""
    from ffzero_lab.cli.bench import check_command

    check_command(file, as_json=json_)


@bench_app.command("schema")
def bench_schema(
    driver: Annotated[
        str, typer.Argument(help="Driver that the file names; bench: composed of instruments.")
    ] = "bench",
) -> None:
    """Print the JSON schema of bench files, for editors."""
    from ffzero_lab.cli.bench import schema_command

    schema_command(driver)


@devices_app.command("list")
def devices_list(json_: Json = False) -> None:
    """List installed drivers and instruments, VISA resources and serial ports."""
    from ffzero_lab.cli.devices import list_command

    list_command(as_json=json_)


@devices_app.command("check")
def devices_check(
    device: Annotated[str, typer.Argument(metavar="BENCH", help=_DEVICES)],
    energise: Annotated[
        bool, typer.Option("--energise", help="Also switch on and move every parameter a little, all inputs on.")
    ] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Option of the device. Repeatable.")
    ] = None,
    json_: Json = False,
) -> None:
    """Open a bench, identify and park it, read it back and in the dark, time every exchange; switches nothing on."""
    from ffzero_lab.signals import Signals

    with Signals():
        from ffzero_lab.cli.devices import check_command

        check_command(device, set_ or [], energise=energise, as_json=json_)


@devices_app.command("identify")
def devices_identify(
    resource: Annotated[str, typer.Argument(help="A VISA resource, such as TCPIP::10.0.0.5::5025::SOCKET, or a port.")],
    wait: Annotated[float, typer.Option(help="Seconds for connecting and answering together.")] = 5.0,
    json_: Json = False,
) -> None:
    """Ask the instrument at an address who it is (*IDN?)."""
    from ffzero_lab.signals import Signals

    with Signals():
        from ffzero_lab.cli.devices import identify_command

        identify_command(resource, wait_s=wait, as_json=json_)


@app.command()
def dashboard(
    run_dir: RunDir = Path("runs"),
    host: Annotated[
        str, typer.Option(help="Address to listen on; anything but this machine's own makes reading need the token too.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0: any that is free.")] = 8730,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A further name the server is asked for by. Repeatable.")
    ] = None,
    json_: Json = False,
) -> None:
    """Show runs in a browser while they go on, and pause, continue or stop them there, until Ctrl-C."""
    from ffzero_lab.cli.dashboard import dashboard_command

    dashboard_command(run_dir, host=host, port=port, names=allow_host or (), as_json=json_)


@app.command()
def doctor(run_dir: RunDir = Path("runs"), json_: Json = False) -> None:
    """Look at this computer: versions, back ends, permissions, ports, disk and clocks."""
    from ffzero_lab.cli.doctor import doctor_command

    doctor_command(run_dir, as_json=json_)


@app.command()
def emulate(
    bench: Annotated[Path, typer.Argument(help=r"A bench file (.toml) with a table \[emulation].")],
    output: Annotated[
        Path | None, typer.Option(show_default="standard output", help="Write the bench file that connects to it here.")
    ] = None,
    faults: Annotated[Path | None, typer.Option(help="What goes wrong, and when (JSON or TOML).")] = None,
    witness: Annotated[Path | None, typer.Option(help="Append everything that reaches an output to this file.")] = None,
    json_: Json = False,
) -> None:
    """Serve the instruments of a bench file on loopback ports, with a twin behind them, until Ctrl-C."""
    from ffzero_lab.cli.emulate import emulate_command

    emulate_command(bench, output=output, faults=faults, witness=witness, as_json=json_)


def main() -> None:
    """Run the command line.

    The engine multiplies small matrices, for which a linear-algebra library's own threads cost more than they give;
    whoever wants them sets these variables.
    """
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    app()
