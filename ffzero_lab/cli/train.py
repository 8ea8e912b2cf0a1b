"""``ffzero-lab train``: trains a device in place, or goes on with a run, and keeps everything in a run folder."""

import re
import shlex
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ffzero_lab.applying import Applied, apply_chosen, apply_kept
from ffzero_lab.bench_file import change_since
from ffzero_lab.cli.display import display_for
from ffzero_lab.cli.dry_run import dry_run_lines, dry_run_numbers
from ffzero_lab.cli.layout import say
from ffzero_lab.cli.measure import network_of
from ffzero_lab.cli.outcome import print_json
from ffzero_lab.cli.report import report_at_the_end
from ffzero_lab.cli.request import Request
from ffzero_lab.conduct import Conductor
from ffzero_lab.datasets import IMAGE_SETS, Dataset, load_dataset
from ffzero_lab.device import InterlockBound, InterlockTripped, interlocks_for, interlocks_on
from ffzero_lab.device.recorder import begin_recording, go_on_recording
from ffzero_lab.errors import InputError
from ffzero_lab.kept import start_of
from ffzero_lab.manifest import describe_run, refuse_other_units, versions_of
from ffzero_lab.opening import open_chosen, open_configured
from ffzero_lab.runs import RunReader, RunWriter
from ffzero_lab.runs.layout import MANIFEST, SUMMARY
from ffzero_lab.runs.standing import refuse_after_trip
from ffzero_lab.signals import Interruption, Signals
from ffzero_lab.training import Network, Session, TrainSettings
from ffzero_lab.training.progress import under
from ffzero_lab.vitals import vitals_of


def train(
    request: Request, signals: Signals, *, start_from: Path | None, dry_run: bool, as_json: bool, report: bool
) -> None:
    """Carry out a request for a new run, and write its *report*, or only say what it would do."""
    settings = request.settings
    dataset = load_dataset(settings.dataset, settings.data_dir, settings.task)
    name = request.name or default_name(settings.dataset, f"seed{settings.seed}")
    path = new_folder(request.run_dir, name)
    if dry_run:
        with _prepared(path, request, dataset, start_from) as (session, _):
            _show_dry_run(session, request, as_json)
        return
    summary = train_in(path, name, request, dataset, signals, start_from=start_from, as_json=as_json)
    _end(path, summary, signals, as_json=as_json, report=report)


def _end(path: Path, summary: Mapping[str, Any], signals: Signals, *, as_json: bool, report: bool) -> None:
    """Tell the result of a complete run, whose device is closed, before anything is drawn."""
    if as_json:
        print_json({"run": str(path), **summary})
    if report:
        report_at_the_end(path, signals, as_json=as_json)


def train_in(
    path: Path,
    name: str,
    request: Request,
    dataset: Dataset,
    signals: Signals,
    *,
    start_from: Path | None = None,
    as_json: bool,
) -> dict[str, Any]:
    """Carry out a request in a new run folder *path*; returns the summary."""
    with _prepared(path, request, dataset, start_from) as (session, calibration):
        manifest = describe_run(
            session,
            name=name,
            device=request.chosen,
            interlocks=request.interlocks,
            checkpoint_every_s=request.checkpoint_every_s,
            calibration=None if calibration is None else calibration.as_json(),
            record_io=request.record_io,
        )
        if start_from is not None:
            manifest["started_from"] = str(start_from.resolve())
        signals.finish_exchanges()  # from here on nothing is left half done
        record, notes = (None, ()) if calibration is None else (calibration.content, calibration.notes)
        with RunWriter.create(path, manifest, record, start_of(session)) as run:
            begin_recording(session.device, path)
            return _conduct(session, run, signals, as_json=as_json, notes=notes)


@contextmanager
def _prepared(
    path: Path, request: Request, dataset: Dataset, start_from: Path | None
) -> Generator[tuple[Session, Applied | None]]:
    """Open the device of a new run and check everything that can be checked before it is touched."""
    start = None if start_from is None else network_of(RunReader(start_from))
    with _told_how_to_go_on(path), open_chosen(request.chosen, run=path, recorded=request.record_io) as opened:
        device, calibration = apply_chosen(opened, request.calibration)
        if start_from is not None:
            refuse_other_units(start_from, RunReader(start_from).manifest, device.description)
        session = Session(device, dataset, request.settings, start)
        interlocks_for(device.description, request.interlocks)
        yield session, calibration


def resume(
    path: Path, signals: Signals, *, other_versions: bool, after_trip: bool, as_json: bool, report: bool
) -> None:
    """Go on with a run, tell the result, and write its *report*."""
    summary = resume_in(path, signals, other_versions=other_versions, after_trip=after_trip, as_json=as_json)
    _end(path, summary, signals, as_json=as_json, report=report)


def resume_in(path: Path, signals: Signals, *, other_versions: bool, after_trip: bool, as_json: bool) -> dict[str, Any]:
    """Go on with a run from its newest intact checkpoint, or from its beginning; returns the summary."""
    reader = RunReader(path)
    manifest = reader.manifest
    _refuse_what_has_ended(reader, after_trip=after_trip)
    settings = TrainSettings(**manifest["settings"])
    dataset = load_dataset(settings.dataset, settings.data_dir, settings.task)
    if dataset.fingerprint != manifest["dataset"]["fingerprint"]:
        raise InputError(f"dataset {dataset.name} is not the one {path} was started with: its fingerprint changed")
    checkpoint, refused = reader.newest_checkpoint()
    started_from = manifest.get("started_from")
    start = None if started_from is None or checkpoint is not None else network_of(RunReader(Path(started_from)))
    with (
        _told_how_to_go_on(path),
        open_configured(
            manifest["device"]["name"],
            manifest["device"]["options"],
            run=path,
            recorded=manifest.get("record_io", False),
        ) as opened,
    ):
        _check_bench(opened.description.serial_number, manifest, path)
        device, about_calibration = apply_kept(opened, path, manifest["calibration"])
        session = Session(device, dataset, settings, start)
        was, now = (
            manifest["versions"] if checkpoint is None else checkpoint.versions,
            versions_of(device.description, settings),
        )
        if not other_versions:
            _check_versions(was, now, path)
        earlier_s, metrics_bytes, exchanges = 0.0, 0, 0
        if checkpoint is not None:
            session.restore(
                Network.from_arrays(checkpoint.arrays), under("state", checkpoint.arrays), checkpoint.plain["session"]
            )
            earlier_s, metrics_bytes = checkpoint.plain["wall_seconds"], checkpoint.metrics_bytes
            exchanges = checkpoint.plain.get("exchanges", 0)
        signals.finish_exchanges()
        with RunWriter.reopen(path, {**manifest, "versions": now}, metrics_bytes) as run:
            go_on_recording(device, path, exchanges)
            notes = tuple(f"an older checkpoint is used: {reason}" for reason in refused)
            changed = change_since(manifest["device"])
            notes += (*(() if changed is None else (changed,)), *about_calibration)
            return _conduct(session, run, signals, as_json=as_json, earlier_wall_s=earlier_s, notes=notes)


def _conduct(
    session: Session,
    run: RunWriter,
    signals: Signals,
    *,
    as_json: bool,
    earlier_wall_s: float = 0.0,
    notes: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Conduct a run under its interlocks, and show it; returns the summary."""
    bounds = {channel: InterlockBound(**bound) for channel, bound in run.manifest["interlocks"].items()}
    device = session.device
    with (
        interlocks_on(device, interlocks_for(device.description, bounds)) as interlocks,
        display_for(session, run.path, notes, interlocks, earlier_wall_s, as_json=as_json) as display,
    ):
        every_s = run.manifest["checkpoint_every_s"]
        conductor = Conductor(
            session,
            run,
            display.show,
            signals,
            interlocks.check,
            every_s,
            earlier_wall_s,
            told=display.status,
            vitals=partial(vitals_of, device, interlocks),
        )
        summary = conductor.conduct()
        display.conclude(summary)
    return summary


@contextmanager
def _told_how_to_go_on(path: Path) -> Generator[None]:
    """When something ends a run early, make the command that resumes it the last thing said."""
    try:
        yield
    except InputError:
        raise
    except (Exception, Interruption) as error:
        if (path / MANIFEST).is_file() and not (path / SUMMARY).is_file():
            tripped = isinstance(error, InterlockTripped)
            when, told = ("when the cause is removed", " --after-trip") if tripped else ("to go on", "")
            error.add_note(f"{when}:\nffzero-lab train --resume {shlex.quote(str(path))}{told}")
        raise


def _show_dry_run(session: Session, request: Request, as_json: bool) -> None:
    if as_json:
        print_json(dry_run_numbers(session, record_io=request.record_io))
    else:
        say("\n".join(dry_run_lines(session, record_io=request.record_io)))


def _refuse_what_has_ended(reader: RunReader, *, after_trip: bool) -> None:
    if "settings" not in reader.manifest:
        raise InputError(f"{reader.path} is no training run; a protocol goes on with `ffzero-lab run --resume`")
    if reader.summary is not None:
        raise InputError(f"{reader.path} is complete; start a new run from it with --from")
    refuse_after_trip(reader, after_trip=after_trip)


def _check_bench(serial_number: str, manifest: Mapping[str, Any], path: Path) -> None:
    """Refuse to go on with another device of the same name: its parameters would mean nothing to it."""
    was = manifest["device"]["description"]["serial_number"]
    if serial_number != was:
        raise InputError(
            f"{path} was started on {manifest['device']['name']} with the serial number {was}, this one has "
            f"{serial_number}. Connect that one, or start a new run with --from"
        )


def _check_versions(was: Mapping[str, str], now: Mapping[str, str], path: Path) -> None:
    """Refuse an exact resume under versions that would give other numbers."""
    changed = [f"{name} {version} (now {now.get(name)})" for name, version in was.items() if now.get(name) != version]
    if changed:
        raise InputError(
            f"{path} was written under {', '.join(changed)}: it would not go on with the same numbers. "
            "Restore those versions, or say --other-versions"
        )


def new_folder(run_dir: Path, name: str) -> Path:
    """Return the folder of a new run of that name, which does not exist yet."""
    return run_dir / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"


def default_name(dataset: str, ending: str) -> str:
    """Return a name for what is done with a data set."""
    kind, _, location = dataset.partition(":")
    word = re.sub(r"[^A-Za-z0-9]+", "-", dataset if kind in IMAGE_SETS else Path(location or kind).stem).strip("-")
    return f"{(word or 'data')[:60]}-{ending}"
