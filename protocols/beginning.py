"""Begins a protocol in a new run folder, or takes one up: the manifest, the book, the device's exact state."""

import platform
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ffzero_lab._version import __version__
from ffzero_lab.applying import Applied, Choice, apply_chosen
from ffzero_lab.bench_file import ChosenDevice, saved_device
from ffzero_lab.device import DeviceDescription, Guarded
from ffzero_lab.device.record import CalibrationRecord
from ffzero_lab.errors import InputError
from ffzero_lab.runs import RunReader, RunWriter
from ffzero_lab.runs.layout import CALIBRATION, SUMMARY
from ffzero_lab.runs.standing import refuse_after_trip
from ffzero_lab.training.progress import under
from protocols.book import Book, Entry, now
from protocols.checked import Protocol
from protocols.planning import Plan
from protocols.recorded import own_point, set_aside_ahead

FORMAT = 1
KIND = "protocol"


def first_record(
    protocol: Protocol, device: Guarded, choice: Choice
) -> tuple[CalibrationRecord | None, Applied | None]:
    """Return the record to begin with: a chosen one, or the newest where the device needs one and no step makes it.

    Raises CalibrationMissing, CalibrationExpired or InputError.
    """
    makes_one = any(step.kind == "calibrate" for step in protocol.steps)
    if choice.record is None and (makes_one or not _wants_one(protocol)):
        return None, None
    calibrated, applied = apply_chosen(device, choice)
    return (None if isinstance(calibrated, Guarded) else calibrated.record), applied


def _wants_one(protocol: Protocol) -> bool:
    """Tell whether some step trains or measures behind a record."""
    return any(step.kind in ("train", "evaluate", "sweep") for step in protocol.steps)


def manifest_of(
    protocol: Protocol,
    device: Guarded,
    *,
    name: str,
    chosen: ChosenDevice,
    plan: Plan,
    short: bool,
    changes: tuple[str, ...],
    data_dir: Path,
    agreed: bool,
    calibration: Applied | None,
    record_io: bool,
) -> dict[str, Any]:
    """Return the manifest of a protocol that is about to begin."""
    return {
        "format": FORMAT,
        "kind": KIND,
        "run_id": uuid.uuid4().hex,
        "name": name,
        "started": now(),
        "versions": versions_of(device.description),
        "device": {**saved_device(chosen), "description": device.description.model_dump(mode="json")},
        "protocol": {
            "name": protocol.name,
            "title": protocol.head.title,
            "source": protocol.source,
            "short": short,
            "changes": list(changes),
        },
        "interlocks": {channel: bound.model_dump() for channel, bound in protocol.frame.interlocks.items()},
        "data_dir": str(data_dir),
        "agreed": agreed,
        "record_io": record_io,
        "calibration": None if calibration is None else calibration.as_json(),
        "plan": {
            "seconds": plan.seconds,
            "steps": [
                {"name": step, "kind": kind, **asdict(planned.counts), "waits_s": planned.waits_s}
                for step, kind, planned in plan.steps
            ],
        },
    }


def new_book(protocol: Protocol, calibration: Applied | None) -> Book:
    """Return the book of a protocol that has not begun."""
    record = None if calibration is None else CALIBRATION
    return Book([Entry(step.name, step.kind) for step in protocol.steps], record=record)


def versions_of(description: DeviceDescription) -> dict[str, str]:
    """Return the versions under which numbers come about bit by bit."""
    return {
        "ffzero_lab": __version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "kernel": description.implementation,
    }


def taken_up(reader: RunReader, protocol: Protocol, device: Guarded) -> tuple[Book, int, int]:
    """Return the book of an interrupted protocol, the device's exact state put back. Hardware is parked instead.

    Beside it the length of the metrics, and of the recording in exchanges.
    """
    checkpoint, refused = reader.newest_checkpoint()
    if checkpoint is None:
        device.park()
        record = CALIBRATION if (reader.path / CALIBRATION).exists() else None
        return Book([Entry(step.name, step.kind) for step in protocol.steps], record=record), 0, 0
    book = Book.from_plain(checkpoint.plain["book"])
    book.notes += [f"an older checkpoint is used: {reason}" for reason in refused]
    exact = under("device", checkpoint.arrays)
    if exact:
        device.restore(exact)
    else:
        device.park()
    return book, checkpoint.metrics_bytes, checkpoint.plain.get("exchanges", 0)


def recorded_up_to(run: Path, protocol: Protocol, book: Book, committed: int, from_step: str | None) -> int:
    """Return the exchanges behind which the recording of a run that is taken up goes on.

    That is behind what the protocol, or the step under way, knows of; before a step that is carried out again. Folders
    of the sentinel that know of more are set aside.
    """
    behind = committed
    if from_step is not None:
        first = book.entries[protocol.at(from_step)]
        behind = committed if first.state == "waiting" else first.recorded_before
    else:
        for entry in book.entries:
            if not entry.over:
                behind = max(behind, own_point(run / book.folder_of(entry)) or 0)
    set_aside_ahead(run, behind)
    return behind


def begun_anew_from(step: str, protocol: Protocol, book: Book) -> None:
    """Let the protocol be carried out again from *step* on; what was found before stays. Raises InputError."""
    for entry in book.entries[protocol.at(step) :]:
        if entry.state != "waiting":
            entry.round += 1
        entry.state, entry.results, entry.repetition = "waiting", None, 1
        entry.failures, entry.counts, entry.device_seconds = [], {}, 0.0
    book.parts = {}


def reopened(path: Path, manifest: Mapping[str, Any], metrics_bytes: int) -> RunWriter:
    """Open the run folder of a protocol again; a summary, when steps are repeated, is kept under another name."""
    summary = path / SUMMARY
    if summary.exists():
        summary.replace(path / "summary.superseded.json")
    return RunWriter.reopen(path, manifest, metrics_bytes)


def refuse_to_go_on(
    reader: RunReader, *, again: bool, after_trip: bool, now_versions: Mapping[str, str] | None
) -> None:
    """Raise InputError when a run is no protocol, complete, tripped, or of other versions than *now_versions*."""
    path, manifest = reader.path, reader.manifest
    if manifest.get("kind") != KIND:
        raise InputError(f"{path} is no run of a protocol; a training run goes on with `ffzero-lab train --resume`")
    if reader.summary is not None and not again:
        raise InputError(f"{path} is complete; say --from STEP to carry steps out again")
    refuse_after_trip(reader, after_trip=after_trip)
    if now_versions is not None:
        was = manifest["versions"]
        changed = [
            f"{key} {was[key]} (now {now_versions.get(key)})" for key in was if now_versions.get(key) != was[key]
        ]
        if changed:
            raise InputError(
                f"{path} was written under {', '.join(changed)}: it would not go on with the same numbers. "
                "Restore those versions, or say --other-versions"
            )
