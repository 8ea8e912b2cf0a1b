"""What was asked for on the command line and in a configuration file, merged: flags win over the file."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from ffzero_lab.errors import InputError
from ffzero_lab.explain import explain_validation
from ffzero_lab.training import TrainSettings


class _RunTable(BaseModel):
    model_config = ConfigDict(extra="forbid")

    run_dir: Path = Path("runs")
    name: str | None = None


class _DeviceTable(BaseModel):
    model_config = ConfigDict(extra="allow")

    name: str = "twin"


class _ConfigFile(BaseModel):
    """The tables of a configuration file."""

    model_config = ConfigDict(extra="forbid")

    device: _DeviceTable = _DeviceTable()
    train: TrainSettings = TrainSettings()
    run: _RunTable = _RunTable()


@dataclass(frozen=True)
class Request:
    """A checked request for a run."""

    device: str
    device_options: dict[str, Any]
    settings: TrainSettings
    run_dir: Path
    name: str | None


@dataclass
class Tables:
    """The tables ``[device]``, ``[train]`` and ``[run]`` while they are being filled."""

    device: dict[str, Any] = field(default_factory=dict[str, Any])
    train: dict[str, Any] = field(default_factory=dict[str, Any])
    run: dict[str, Any] = field(default_factory=dict[str, Any])


def read_request(config: Path | None, flags: Tables, assignments: Sequence[str]) -> Request:
    """Merge the file *config*, the given *flags* (None: not given) and ``--set`` *assignments*.

    Raises InputError that names the file or the flag, the key with its near match, and what is allowed.
    """
    tables = Tables() if config is None else _tables_of(config)
    for given, table in ((flags.device, tables.device), (flags.train, tables.train), (flags.run, tables.run)):
        table.update({key: value for key, value in given.items() if value is not None})
    for assignment in assignments:
        _assign(tables, assignment)
    device_options = dict(tables.device)
    device = str(device_options.pop("name", "twin"))
    try:
        settings = TrainSettings(**tables.train)
        run = _RunTable(**tables.run)
    except ValidationError as error:
        model = TrainSettings if error.title == TrainSettings.__name__ else _RunTable
        raise InputError(explain_validation(error, model, "settings")) from None
    return Request(device, device_options, settings, run.run_dir, run.name)


def _tables_of(config: Path) -> Tables:
    try:
        content = tomllib.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"the configuration file {config} does not exist") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"the configuration file {config} cannot be read: {error}") from error
    try:
        _ConfigFile.model_validate(content)
    except ValidationError as error:
        raise InputError(explain_validation(error, _ConfigFile, str(config))) from None
    return Tables(*(dict(content.get(table, {})) for table in ("device", "train", "run")))


def _assign(tables: Tables, assignment: str) -> None:
    """Carry out one ``--set KEY=VALUE``; ``device.KEY`` goes to the device, nested keys follow their dots."""
    key, separator, text = assignment.partition("=")
    if not separator or not key.strip():
        raise InputError(f"--set {assignment!r}: write KEY=VALUE, such as sharpness=20 or device.ports=16")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    table: dict[str, Any] = tables.train
    path = key.strip().split(".")
    if path[0] == "device":
        table, path = tables.device, path[1:]
    for part in path[:-1]:
        inner: Any = table.get(part, {})
        if not isinstance(inner, dict):
            raise InputError(f"--set {assignment!r}: {part!r} is no table")
        table[part] = dict(cast("dict[str, Any]", inner))
        table = table[part]
    table[path[-1] if path else "name"] = value
