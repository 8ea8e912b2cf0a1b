"""Where calibration records live: ``calibrations/<serial number>/<time>.json``, the raw sweeps beside each."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from ffzero_lab.device import CalibrationMissing, DeviceDescription
from ffzero_lab.device.record import SCHEMA_VERSION, CalibrationRecord
from ffzero_lab.errors import InputError
from ffzero_lab.runs.atomic import write_atomically

DEFAULT_FOLDER = Path("calibrations")


def save(record: CalibrationRecord, folder: Path, sweeps: bytes | None) -> Path:
    """Keep *record*, and the raw *sweeps* (npz) of its sidecar, below *folder*; returns the record's path.

    The sidecar is written first, and nothing that is there is ever overwritten. Raises OSError.
    """
    own = folder / _folder_name(record.serial_number)
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


def records_in(folder: Path) -> list[tuple[Path, CalibrationRecord]]:
    """Return the records of all devices below *folder*, oldest first; raises InputError for a damaged one."""
    found = [(path, load(path)) for path in sorted(folder.glob("*/*.json"))]
    return sorted(found, key=lambda each: each[1].ended)


def newest_for(description: DeviceDescription, folder: Path = DEFAULT_FOLDER) -> Path:
    """Return the newest record of the device below *folder*; raises CalibrationMissing when there is none."""
    own = folder / _folder_name(description.serial_number)
    of_device = [(path, load(path)) for path in sorted(own.glob("*.json"))]
    fitting = [each for each in of_device if each[1].serial_number == description.serial_number]
    if not fitting:
        raise CalibrationMissing(
            f"{folder} holds no calibration record of {description.name}, serial number {description.serial_number}; "
            "make one with `ffzero-lab calibrate`"
        )
    return max(fitting, key=lambda each: each[1].ended)[0]


def digest(path: Path) -> str:
    """Return the SHA-256 of a record's file, in hexadecimal; raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _folder_name(serial_number: str) -> str:
    """Return a serial number as a folder's name: it may hold anything, a path must not."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", serial_number).lstrip(".") or "_"


def _free_name(folder: Path, stem: str) -> Path:
    path, number = folder / f"{stem}.json", 2
    while path.exists() or path.with_suffix(".npz").exists():
        path, number = folder / f"{stem}-{number}.json", number + 1
    return path
