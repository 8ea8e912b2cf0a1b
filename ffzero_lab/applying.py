"""Puts a calibration record around a device that was opened: a chosen one, the newest one, or the one a run keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ffzero_lab._version import __version__
from ffzero_lab.bench_file import REPLAY, ChosenDevice
from ffzero_lab.calibrations import DEFAULT_FOLDER, digest, load, newest_for
from ffzero_lab.device import (
    Calibrated,
    CalibrationExpired,
    CalibrationMissing,
    DeviceDescription,
    Guarded,
    Protected,
)
from ffzero_lab.device.readout import DARK
from ffzero_lab.device.record import CalibrationRecord
from ffzero_lab.errors import InputError
from ffzero_lab.runs.layout import CALIBRATION

NEWEST = "newest"
CLOCKS_DIFFER_S = 60.0
"""By which the clocks of two computers may differ before a record counts as one from the future."""


@dataclass(frozen=True)
class Choice:
    """Which record a device is to be used with."""

    record: str | None = None
    """A record's path, or ``newest``. None: the newest where the device is driven in raw units, else none."""
    folder: Path = DEFAULT_FOLDER
    """Where the newest one is looked for."""
    accept_expired: bool = False
    """Use a record although it is older than its validity."""
    uncalibrated: bool = False
    """Use a device in raw units as it is."""


@dataclass(frozen=True)
class Applied:
    """A record that stands around a device, as a run keeps it."""

    source: Path
    sha256: str
    content: bytes
    notes: tuple[str, ...]
    """What a person should know of it."""

    def as_json(self) -> dict[str, str]:
        """Return what the manifest says of it."""
        return {"file": CALIBRATION, "sha256": self.sha256, "source": str(self.source.resolve())}


def choice_for_replay(chosen: ChosenDevice, choice: Choice) -> Choice:
    """Return *choice*, for the replay of a run with the record that the run keeps, unless something else was said."""
    if chosen.driver != REPLAY or choice.record is not None or choice.uncalibrated:
        return choice
    kept = Path(str(chosen.options["run"])) / CALIBRATION
    return replace(choice, record=str(kept), accept_expired=True) if kept.is_file() else choice


def apply_chosen(device: Guarded, choice: Choice) -> tuple[Protected, Applied | None]:
    """Return *device* behind the record of *choice*, and that record; as it is where none is wanted.

    Raises CalibrationMissing when there is none, or it is of another device; CalibrationExpired when it is too old;
    InputError when it cannot be read.
    """
    if choice.uncalibrated and choice.record is not None:
        raise InputError(f"calibration {choice.record!r} and uncalibrated exclude each other; say one of them")
    if choice.record is None and (choice.uncalibrated or not device.description.raw_units):
        return device, None
    path, passed_over = _path_of(device, choice)
    record = load(path)
    calibrated = Calibrated(device, record)
    if not choice.accept_expired:
        refuse_expired(record, path)
    notes = *notes_on(record, path, device.description), *(f"problem: {told}" for told in passed_over)
    return calibrated, Applied(path, digest(path), path.read_bytes(), notes)


def apply_kept(device: Guarded, run: Path, kept: Mapping[str, Any] | None) -> tuple[Protected, tuple[str, ...]]:
    """Return *device* behind the record that the folder of *run* keeps, and notes; as it is when it keeps none.

    The manifest's entry is *kept*. Its age is only told: the parameters of the run mean something under this record
    alone. Raises InputError when it was changed since.
    """
    if kept is None:
        return device, ()
    path = run / str(kept["file"])
    record = load(path)
    if digest(path) != kept["sha256"]:
        raise InputError(f"{path} is not the calibration record that the run was started with: its content changed")
    return Calibrated(device, record), notes_on(record, path, device.description)


def refuse_expired(record: CalibrationRecord, path: Path) -> None:
    """Raise CalibrationExpired when the record is older than it is valid, or from a time that is yet to come."""
    age_s = _age_s(record)
    if age_s < -CLOCKS_DIFFER_S:
        raise CalibrationExpired(
            f"the calibration record {path} ended at {record.ended.isoformat()}, which is not yet past, so nobody can "
            "tell its age; set the clock of this computer, calibrate again with `ffzero-lab calibrate`, or say "
            "--expired-calibration to use it all the same"
        )
    if age_s > record.valid_for_s:
        raise CalibrationExpired(
            f"the calibration record {path} is {_told(age_s)} old and valid for {_told(record.valid_for_s)}; calibrate "
            "again with `ffzero-lab calibrate`, or say --expired-calibration to use it all the same"
        )


def notes_on(record: CalibrationRecord, path: Path, description: DeviceDescription) -> tuple[str, ...]:
    """Return what a person should know of a record that is used with the device of *description*."""
    age_s = _age_s(record)
    notes = [f"calibration: {path}, {_told(max(age_s, 0.0))} old"]
    if age_s > record.valid_for_s:
        notes.append(f"problem: the calibration record has expired; it was valid for {_told(record.valid_for_s)}")
    if age_s < 0.0:
        notes.append(f"problem: the calibration record ended at {record.ended.isoformat()}, which is not yet past")
    counted = [(sum(each.severity == of for each in record.findings), of) for of in ("fault", "warning")]
    told = [f"{count} {of}{'s' if count > 1 else ''}" for count, of in counted if count]
    if told:
        notes.append(f"the calibration found {' and '.join(told)}: `ffzero-lab calibrations show {path}`")
    if record.implementation != description.implementation:
        notes.append(
            f"problem: when the calibration record was made, {record.implementation or 'nobody knows what'} answered; "
            f"now it is {description.implementation or 'nobody knows what'}: it may do otherwise, calibrate again"
        )
    if record.software != __version__:
        notes.append(f"the calibration record was made by ffzero-lab {record.software}, this is {__version__}")
    if earlier := [when for layer in record.layers for when in layer.earlier.values()]:
        oldest_s = (datetime.now(UTC) - min(earlier)).total_seconds()
        told = f"{len(earlier)} of its quantities are of earlier calibrations, up to {_told(oldest_s)} old"
        notes.append(f"problem: {told}" if oldest_s > record.valid_for_s else told)
    if not all(any(name in layer.quantities for name in DARK) for layer in record.layers):
        notes.append("the calibration record does not know what outputs read without a signal: that is taken for 0")
    dead = sum(len(layer.dead) for layer in record.layers), sum(len(layer.dead_outputs) for layer in record.layers)
    if any(dead):
        notes.append(f"by the calibration {dead[0]} parameters and {dead[1]} outputs are dead; they are left out")
    return tuple(notes)


def _path_of(device: Guarded, choice: Choice) -> tuple[Path, list[str]]:
    """Return where the record of *choice* is, and which damaged ones were passed over."""
    if choice.record is not None and choice.record != NEWEST:
        return Path(choice.record), []
    try:
        return newest_for(device.description, choice.folder, to_apply=True)
    except CalibrationMissing as missing:
        if choice.record is not None or not device.description.raw_units:
            raise
        unit = device.description.layers[0].groups[0].unit
        raise CalibrationMissing(
            f"{device.description.name} is driven in raw units ({unit}): {missing}, or set uncalibrated "
            "(--uncalibrated) to use it as it is"
        ) from None


def _age_s(record: CalibrationRecord) -> float:
    return (datetime.now(UTC) - record.ended).total_seconds()


def _told(seconds: float) -> str:
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2.0 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
