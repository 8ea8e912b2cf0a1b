"""What was asked for on the command line and in a configuration file, merged: flags win over the file."""

import re
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import typer
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from ffzero_lab.applying import Choice, choice_for_replay
from ffzero_lab.bench_file import ChosenDevice, choose_device
from ffzero_lab.calibrations import DEFAULT_FOLDER
from ffzero_lab.datasets import anchored
from ffzero_lab.device import InterlockBound
from ffzero_lab.errors import InputError
from ffzero_lab.explain import explain_validation
from ffzero_lab.training import TrainSettings
from ffzero_lab.training.settings import Duration

Model = TypeVar("Model", bound=BaseModel)


def one_folder(name: str) -> str:
    """Return *name*; raises InputError for one that leaves the folder of runs, hides in it, or needs quoting."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name) is None:
        raise InputError(
            "it becomes part of a folder's name; allowed: up to 100 letters (a-z, A-Z), digits, '.', '_' and '-', "
            "beginning with a letter or a digit"
        )
    return name


class _RunTable(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    run_dir: Path = Path("runs")
    """Folder that holds the run folders."""
    name: Annotated[str, AfterValidator(one_folder)] | None = None
    """Name of the run; None: from data set and seed."""
    checkpoint_every: Duration = 30.0
    """Wall seconds between two checkpoints; a layer's end makes one in any case."""
    record_io: bool = False
    """Keep every exchange with the device, for `replay:RUN`."""


class _CalibrationTable(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    record: str | None = None
    """Calibration record to use, or `newest`; None: the newest for a device in raw units, else none."""
    folder: Path = DEFAULT_FOLDER
    """Folder in which the newest record is looked for."""
    accept_expired: bool = False
    """Use a record that has expired."""


class _DeviceTable(BaseModel):
    model_config = ConfigDict(extra="allow")

    name: str = "twin"


class _ConfigFile(BaseModel):
    """The tables of a configuration file."""

    model_config = ConfigDict(extra="forbid")

    device: _DeviceTable = _DeviceTable()
    train: TrainSettings = TrainSettings()
    run: _RunTable = _RunTable()
    calibration: _CalibrationTable = _CalibrationTable()
    interlocks: dict[str, InterlockBound] = {}


@dataclass(frozen=True)
class Request:
    """A checked request for a run."""

    chosen: ChosenDevice
    settings: TrainSettings
    interlocks: dict[str, InterlockBound]
    run_dir: Path
    name: str | None
    checkpoint_every_s: float
    calibration: Choice
    record_io: bool = False


@dataclass
class Tables:
    """The tables of a configuration file while they are being filled."""

    device: dict[str, Any] = field(default_factory=dict[str, Any])
    train: dict[str, Any] = field(default_factory=dict[str, Any])
    run: dict[str, Any] = field(default_factory=dict[str, Any])
    interlocks: dict[str, Any] = field(default_factory=dict[str, Any])
    calibration: dict[str, Any] = field(default_factory=dict[str, Any])


def read_request(config: Path | None, flags: Tables, assignments: Sequence[str]) -> Request:
    """Merge the file *config*, the given *flags* (None: not given) and ``--set`` *assignments*.

    Raises InputError that names the file or the flag, the key with its near match, and what is allowed.
    """
    tables = Tables() if config is None else _tables_of(config)
    for given, table in (
        (flags.device, tables.device),
        (flags.train, tables.train),
        (flags.run, tables.run),
        (flags.calibration, tables.calibration),
    ):
        table.update({key: value for key, value in given.items() if value is not None})
    for assignment in assignments:
        _assign(tables, assignment)
    return checked_request(tables)


def checked_request(tables: Tables) -> Request:
    """Return what *tables* ask for; raises InputError that names the key with its near match, and what is allowed."""
    device_options = dict(tables.device)
    chosen = choose_device(str(device_options.pop("name", "twin")), device_options)
    settings = _checked(TrainSettings, tables.train)
    run = _checked(_RunTable, tables.run, "run")
    interlocks = {
        channel: _checked(InterlockBound, bound, "interlocks", channel) for channel, bound in tables.interlocks.items()
    }
    calibration = _checked(_CalibrationTable, tables.calibration, "calibration")
    choice = Choice(calibration.record, calibration.folder, calibration.accept_expired, settings.uncalibrated)
    return Request(
        chosen,
        _anchored(settings),
        interlocks,
        run.run_dir,
        run.name,
        run.checkpoint_every,
        choice_for_replay(chosen, choice),
        run.record_io,
    )


def _checked(model: type[Model], table: Any, *above: str) -> Model:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        raise InputError(explain_validation(error, model, "settings", above)) from None


def _anchored(settings: TrainSettings) -> TrainSettings:
    """Write down where the data set stands: a run is taken up from any folder, without FFZERO_DATA as well."""
    return settings.model_copy(update={"data_dir": anchored(settings.dataset, settings.data_dir)})


def check_beside_resume(context: typer.Context, allowed: Collection[str], only: Collection[str]) -> None:
    """Raise InputError for an option that says nothing here: beside ``--resume`` all but *allowed*, else *only*.

    A resumed run goes on as it was told; ``--dry-run`` that trains, or ``--steps`` that counts for nothing, would be
    worse than a refusal.
    """
    given = {
        parameter.name: parameter.opts[0]
        for parameter in context.command.params
        if parameter.name and _is_on_command_line(context, parameter.name)
    }
    if "resume" not in given:
        wrong = [option for name, option in given.items() if name in only]
        if wrong:
            raise InputError(f"{', '.join(wrong)}: only with --resume RUN")
        return
    wrong = [option for name, option in given.items() if name not in {"resume", *allowed, *only}]
    if wrong:
        raise InputError(
            f"{', '.join(wrong)}: not beside --resume, which goes on with the run as it was told; "
            "start a new run from its parameters with --from"
        )


def _is_on_command_line(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def device_options(assignments: Sequence[str]) -> dict[str, Any]:
    """Return the options of a device from ``--set`` *assignments*, with or without ``device.`` in front."""
    tables = Tables()
    for assignment in assignments:
        _assign(tables, assignment if assignment.startswith("device.") else f"device.{assignment}")
    return tables.device


def _tables_of(config: Path) -> Tables:
    try:
        content = tomllib.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"the configuration file {config} does not exist") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"the configuration file {config} cannot be read: {error}") from error
    return tables_of_content(content, str(config))


def tables_of_content(content: dict[str, Any], told: str) -> Tables:
    """Return the tables of a file's content; raises InputError that names the file as *told*."""
    try:
        _ConfigFile.model_validate(content)
    except ValidationError as error:
        raise InputError(explain_validation(error, _ConfigFile, told)) from None
    return Tables(*(dict(content.get(table, {})) for table in ("device", "train", "run", "interlocks", "calibration")))


def _assign(tables: Tables, assignment: str) -> None:
    """Carry out one ``--set KEY=VALUE``; ``device.KEY``, ``run.KEY`` and other tables' go there."""
    key, separator, text = assignment.partition("=")
    if not separator or not key.strip():
        raise InputError(f"--set {assignment!r}: write KEY=VALUE, such as sharpness=20 or device.ports=16")
    put(tables, key.strip(), _toml_value(text), f"--set {assignment!r}")


def put(tables: Tables, key: str, value: Any, told: str) -> None:
    """Set *key*, as ``--set`` takes it, to *value*; raises InputError that begins with *told*."""
    table: dict[str, Any] = tables.train
    path = key.split(".")
    if path[0] in {"calibration", "device", "interlocks", "run"}:
        table, path = getattr(tables, path[0]), path[1:]
    for part in path[:-1]:
        inner: Any = table.get(part, {})
        if not isinstance(inner, dict):
            raise InputError(f"{told}: {part!r} is {inner!r} already, no table")
        table[part] = dict(cast("dict[str, Any]", inner))
        table = table[part]
    if not path and table is tables.interlocks:
        raise InputError(f"{told}: write interlocks.CHANNEL.upper=VALUE, or lower or debounce")
    table[path[-1] if path else "name"] = value


def _toml_value(text: str) -> Any:
    """Return what *text* is in TOML; what is no value there is taken as a word, so that words need no quotes."""
    try:
        content = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return content["value"] if len(content) == 1 else text
