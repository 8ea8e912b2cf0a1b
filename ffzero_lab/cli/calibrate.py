"""``ffzero-lab calibrate``: measures a device through its port, and keeps a record of it; checks one; goes on."""

import shlex
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from pydantic import TypeAdapter, ValidationError

from calibration.calibrating import measure, record_of, refuse_nothing_to_do
from calibration.journal import Journal, request_of
from calibration.registry import chosen
from calibration.runner import Runner
from ffzero_lab._version import __version__
from ffzero_lab.bench_file import ChosenDevice, choose_device, saved_device
from ffzero_lab.calibrations import DEFAULT_FOLDER, folder_of, load, newest_for, save
from ffzero_lab.cli.calibration_tables import show_findings, show_plan, show_spent
from ffzero_lab.cli.calibrations import draw_report
from ffzero_lab.cli.outcome import print_json
from ffzero_lab.cli.request import device_options
from ffzero_lab.device import CalibrationMissing, Guarded
from ffzero_lab.device.belonging import driven, in_words, shapes
from ffzero_lab.errors import InputError
from ffzero_lab.opening import open_chosen
from ffzero_lab.signals import Interruption, Signals
from ffzero_lab.training.settings import Duration

UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class Wanted:
    """What was asked for."""

    chosen: ChosenDevice
    only: tuple[str, ...]
    skip: tuple[str, ...]
    folder: Path
    valid_for_s: float
    seed: int
    report: bool


def wanted_from(
    device: str,
    assignments: Sequence[str],
    *,
    only: str | None,
    skip: str | None,
    folder: Path | None,
    valid_for: str,
    seed: int,
    report: bool,
) -> Wanted:
    """Return what the command line asks for; raises InputError."""
    return Wanted(
        chosen=choose_device(device, device_options(assignments)),
        only=_names(only),
        skip=_names(skip),
        folder=DEFAULT_FOLDER if folder is None else folder,
        valid_for_s=_duration(valid_for),
        seed=seed,
        report=report,
    )


def calibrate(wanted: Wanted, signals: Signals, *, dry_run: bool, as_json: bool) -> None:
    """Measure a device and keep the record, or only say what that would take."""
    procedures = chosen(wanted.only, wanted.skip)
    with _told_how_to_go_on() as begun_in, open_chosen(wanted.chosen) as device:
        earlier = _record_to_build_on(wanted, device, mute if dry_run else voice(as_json=as_json))
        before = None if earlier is None else load(earlier)
        if dry_run:
            runner = Runner(device, procedures, Journal(), wanted.seed, mute, before)
            show_plan(runner, runner.plan(), as_json=as_json)
            return
        begun = datetime.now(UTC)
        name = begun.strftime("%Y%m%d-%H%M%S") + UNFINISHED
        folder = folder_of(wanted.folder, device.description.serial_number) / name
        refuse_nothing_to_do(Runner(device, procedures, Journal(), wanted.seed, mute, before).plan())
        begun_in.append(folder)
        journal = Journal.create(folder, _request(wanted, device, begun, earlier))
        runner = Runner(device, procedures, journal, wanted.seed, voice(as_json=as_json), before)
        _measure_and_save(runner, wanted, begun, signals, as_json=as_json)


def resume(folder: Path, signals: Signals, *, as_json: bool) -> None:
    """Go on with a calibration that was interrupted, at the part at which it was."""
    request = request_of(folder)
    if request["software"] != __version__:
        raise InputError(
            f"{folder} was begun by ffzero-lab {request['software']}, this is {__version__}: it might not go on with "
            "the same parts; calibrate again"
        )
    wanted = Wanted(
        ChosenDevice(request["device"]["name"], request["device"]["options"]),
        tuple(request["only"]),
        tuple(request["skip"]),
        Path(request["folder"]),
        request["valid_for_s"],
        request["seed"],
        request["report"],
    )
    with _told_how_to_go_on(folder), open_chosen(wanted.chosen) as device:
        if device.description.serial_number != request["serial_number"]:
            raise InputError(
                f"{folder} was begun on a device with the serial number {request['serial_number']}, this one has "
                f"{device.description.serial_number}; connect that one"
            )
        if (now := _driven(device)) != request["driven"]:
            raise CalibrationMissing(
                f"{folder} was begun on {' | '.join(request['driven'])}; the device has {' | '.join(now)} now: what "
                "was measured does not go with that; drive it as before, or calibrate again"
            )
        journal = Journal(folder)
        tell = voice(as_json=as_json)
        for refused in journal.refused:
            tell(refused)
        before = None if request["before"] is None else load(Path(request["before"]))
        runner = Runner(device, chosen(wanted.only, wanted.skip), journal, wanted.seed, tell, before)
        begun = datetime.fromisoformat(request["begun"])
        _measure_and_save(runner, wanted, begun, signals, as_json=as_json)


def _measure_and_save(runner: Runner, wanted: Wanted, begun: datetime, signals: Signals, *, as_json: bool) -> None:
    planned = runner.plan()
    if not as_json:
        show_plan(runner, planned, as_json=False)
    measured = measure(runner, signals)
    record = record_of(runner, measured, begun=begun, valid_for_s=wanted.valid_for_s, planned=planned)
    path = save(record, wanted.folder, runner.journal.sidecar())
    runner.journal.discard()
    report = _report(path) if wanted.report else None
    if as_json:
        shown = None if report is None else str(report)
        print_json({"record": str(path), "report": shown, **record.model_dump(mode="json", exclude={"layers"})})
        return
    show_spent(runner, planned, record)
    show_findings(record.findings)
    typer.echo(f"record: {path}" + ("" if report is None else f"\nreport: {report}"))


def _report(path: Path) -> Path | None:
    page = path.with_suffix(".html")
    try:
        draw_report(path, page)
    except (OSError, InputError) as error:  # the record is saved: what cannot be drawn now can be drawn later
        again = f"ffzero-lab calibrations report {shlex.quote(str(path))}"
        typer.echo(f"ffzero-lab: the record is saved, but its report is not drawn: {error}; later: {again}", err=True)
        return None
    return page


def _record_to_build_on(wanted: Wanted, device: Guarded, tell: Callable[[str], None]) -> Path | None:
    """Return the newest record when single procedures are wanted: those before them are not carried out."""
    if not (wanted.only or wanted.skip):
        return None
    try:
        path, passed_over = newest_for(device.description, wanted.folder)
    except CalibrationMissing:
        return None
    for told in passed_over:
        tell(told)
    return path


def _request(wanted: Wanted, device: Guarded, begun: datetime, before: Path | None) -> dict[str, Any]:
    return {
        "software": __version__,
        "device": saved_device(wanted.chosen),
        "serial_number": device.description.serial_number,
        "driven": _driven(device),
        "only": wanted.only,
        "skip": wanted.skip,
        "folder": str(wanted.folder.resolve()),
        "valid_for_s": wanted.valid_for_s,
        "seed": wanted.seed,
        "report": wanted.report,
        "begun": begun.isoformat(),
        "before": None if before is None else str(before.resolve()),
    }


def _driven(device: Guarded) -> list[str]:
    """Return by layer how the device is driven, in words."""
    return [in_words(shapes(layer), driven(layer)) for layer in device.description.layers]


@contextmanager
def _told_how_to_go_on(*folders: Path) -> Generator[list[Path]]:
    """When something ends a calibration early, make the command that resumes it the last thing said.

    Yields the list of the folder in which it was begun. Closing the device belongs inside: what fails there is said
    before.
    """
    begun_in = [*folders]
    try:
        yield begun_in
    except InputError:
        raise
    except (Exception, Interruption) as error:
        for folder in filter(Path.is_dir, begun_in):
            error.add_note(f"to go on:\nffzero-lab calibrate --resume {shlex.quote(str(folder))}")
        raise


def voice(*, as_json: bool) -> Callable[[str], None]:
    """Return what shows messages: nothing may, beside JSON."""
    return mute if as_json else typer.echo


def mute(message: str) -> None:
    """Show nothing."""
    del message


def _names(listed: str | None) -> tuple[str, ...]:
    return () if listed is None else tuple(name.strip() for name in listed.split(",") if name.strip())


def _duration(told: str) -> float:
    try:
        return TypeAdapter(Duration).validate_python(told)
    except ValidationError as error:
        raise InputError(f"--valid-for {told!r}: {error.errors()[0]['msg']}") from None
