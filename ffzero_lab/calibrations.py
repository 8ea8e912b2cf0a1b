"""Where calibration records live: ``calibrations/<serial number>/<time>.json``, the raw sweeps beside each."""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from numpy.typing import NDArray
from pydantic import ValidationError

from ffzero_lab.archives import unpack_archive
from ffzero_lab.device import CalibrationMissing, DeviceDescription
from ffzero_lab.device.record import SCHEMA_VERSION, CalibrationRecord
from ffzero_lab.errors import InputError
from ffzero_lab.runs.atomic import write_atomically

DEFAULT_FOLDER = Path("calibrations")


def save(record: CalibrationRecord, folder: Path, sweeps: bytes | None) -> Path:
    """Keep *record*, and the raw *sweeps* (npz) of its sidecar, below *folder*; returns the record's path.

    The sidecar is written first, and nothing that is there is ever overwritten. Raises OSError.
    """
    own = folder_of(folder, record.serial_number)
    own.mkdir(parents=True, exist_ok=True)
    path = _free_name(own, record.ended.strftime("%Y%m%d-%H%M%S"))
    sidecar = {"sweeps": "", "sweeps_sha256": ""}
    if sweeps is not None:
        beside = path.with_suffix(".npz")
        write_atomically(beside, sweeps)
        sidecar = {"sweeps": beside.name, "sweeps_sha256": hashlib.sha256(sweeps).hexdigest()}
    write_atomically(path, written(record.model_copy(update=sidecar)))
    return path


def written(record: CalibrationRecord) -> bytes:
    """Return *record* as it stands in a file."""
    return record.model_dump_json(indent=1).encode() + b"\n"


def load(path: Path) -> CalibrationRecord:
    """Read a record; raises InputError with one message when it is missing, damaged or of another version."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"there is no calibration record {path}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"the calibration record {path} cannot be read: {error}") from error
    version = cast("dict[str, Any]", content).get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path} is no calibration record of version {SCHEMA_VERSION}: its schema_version is {version!r}; "
            "calibrate again, or use the ffzero-lab that wrote it"
        )
    try:
        return CalibrationRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first, *others = error.errors()
        where = ".".join(str(part) for part in first["loc"]) or "the record"
        more = f" ({len(others)} more such mistakes)" if others else ""
        raise InputError(f"the calibration record {path} is damaged at {where}: {first['msg']}{more}") from None


def sweeps_beside(path: Path, record: CalibrationRecord) -> tuple[dict[str, NDArray[Any]], str]:
    """Return the raw sweeps of the *record* at *path*, and why they cannot be had, empty if they can."""
    if not record.sweeps:
        return {}, "the record names no file with its raw sweeps"
    beside = path.with_name(Path(record.sweeps).name)
    try:
        content = beside.read_bytes()
        if hashlib.sha256(content).hexdigest() != record.sweeps_sha256:
            return {}, f"{beside} is not the file that was written with the record (its SHA-256 differs)"
        return unpack_archive(content, beside)[0], ""
    except (OSError, InputError) as error:
        return {}, f"the raw sweeps cannot be read: {error}"


def records_in(folder: Path) -> tuple[list[tuple[Path, CalibrationRecord]], list[str]]:
    """Return the records of all devices below *folder*, oldest first, and why damaged ones are not among them."""
    found, damaged = _read(sorted(folder.glob("*/*.json")))
    return sorted(found, key=lambda each: each[1].ended), [*damaged.values()]


def folder_of(folder: Path, serial_number: str) -> Path:
    """Return where the records of a device are below *folder*: a serial number may hold anything, a path must not."""
    return folder / (re.sub(r"[^A-Za-z0-9._-]", "_", serial_number).lstrip(".") or "_")


def newest_for(
    description: DeviceDescription, folder: Path = DEFAULT_FOLDER, *, to_apply: bool = False
) -> tuple[Path, list[str]]:
    """Return the newest record of the device below *folder*, and why damaged older ones were passed over.

    Wanted *to_apply*, it is the newest of those that can be applied: a record of single procedures may not say what the
    actuators do. Raises CalibrationMissing when there is none, and InputError when a damaged one may be newer.
    """
    found, damaged = _read(sorted(folder_of(folder, description.serial_number).glob("*.json")))
    fitting = [each for each in found if each[1].serial_number == description.serial_number]
    if to_apply:
        fitting = [each for each in fitting if all(layer.transfer is not None for layer in each[1].layers)]
    newest = max(fitting, key=lambda each: each[1].ended)[0] if fitting else None
    for path, why in damaged.items():
        if newest is None or path.name > newest.name:  # names begin with the time
            raise InputError(f"{why}; it may be the newest record of {description.name}: mend it, or take it away")
    if newest is None:
        raise CalibrationMissing(
            f"{folder} holds no calibration record of {description.name}, serial number {description.serial_number}; "
            "make one with `ffzero-lab calibrate`"
        )
    return newest, [f"passed over: {why}" for why in damaged.values()]


def digest(path: Path) -> str:
    """Return the SHA-256 of a record's file, in hexadecimal; raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(paths: Iterable[Path]) -> tuple[list[tuple[Path, CalibrationRecord]], dict[Path, str]]:
    """Return the records at *paths*, and of those that cannot be read why not."""
    found: list[tuple[Path, CalibrationRecord]] = []
    damaged: dict[Path, str] = {}
    for path in paths:
        try:
            found.append((path, load(path)))
        except InputError as error:
            damaged[path] = str(error)
    return found, damaged


def _free_name(folder: Path, stem: str) -> Path:
    path, number = folder / f"{stem}.json", 2
    while path.exists() or path.with_suffix(".npz").exists():
        path, number = folder / f"{stem}-{number}.json", number + 1
    return path
