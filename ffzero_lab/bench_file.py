"""Bench files: a device written down in TOML, with its driver and every option, for all commands to open."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any, cast

from ffzero_lab.errors import InputError

SUFFIX = ".toml"
DEFAULT_DRIVER = "bench"
REPLAY = "replay"
"""``replay:RUN`` stands for the device that the run recorded."""


@dataclass(frozen=True)
class ChosenDevice:
    """What a device argument stands for.

    Attributes
    ----------
    driver
        The name of its driver.
    options
        Fields of the driver's ``Config``.
    file
        The bench file that named both, or None.
    """

    driver: str
    options: dict[str, Any]
    file: Path | None = None

    @property
    def told(self) -> str:
        """How messages call it."""
        return f"device {self.driver!r}" if self.file is None else str(self.file)


def choose_device(device: str, options: Mapping[str, Any]) -> ChosenDevice:
    """Return what *device* stands for; *options* lie over those of its bench file, if it is one.

    Raises InputError when the file cannot be read.
    """
    if device.startswith(f"{REPLAY}:"):
        return ChosenDevice(REPLAY, {"run": str(Path(device.partition(":")[2]).absolute()), **options})
    if not device.endswith(SUFFIX):
        return ChosenDevice(device, dict(options))
    file = Path(device)
    content = _anchored(_content_of(file), file.resolve().parent)
    driver = content.pop("driver", DEFAULT_DRIVER)
    if not isinstance(driver, str) or driver.endswith(SUFFIX):
        raise InputError(f"{file}: driver is {driver!r}; allowed: the name of an installed driver, or module:Class")
    return ChosenDevice(driver, _laid_over(content, options), file)


def saved_device(chosen: ChosenDevice) -> dict[str, Any]:
    """Return what a run's manifest keeps of a device: all of it, so that the run needs no file to go on."""
    saved = {"name": chosen.driver, "options": chosen.options}
    return saved if chosen.file is None else {**saved, "file": str(chosen.file.resolve())}


def change_since(saved: Mapping[str, Any]) -> str | None:
    """Return a sentence when the bench file of a saved device says something else by now, or is gone."""
    file = saved.get("file")
    if file is None:
        return None
    kept = "the run keeps to what it was started with"
    try:
        now = choose_device(file, {})
    except InputError as error:
        return f"{error}; {kept}"
    if (now.driver, now.options) == (saved["name"], saved["options"]):
        return None
    keys = sorted({*now.options, *saved["options"]})
    changed = [key for key in keys if now.options.get(key) != saved["options"].get(key)]
    return f"{file} has changed since ({', '.join(changed) or 'driver'}); {kept}"


def _content_of(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"the bench file {file} does not exist") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"the bench file {file} cannot be read: {error}") from error


def _anchored(value: Any, folder: Path) -> Any:
    """Make every text that begins with ``./`` or ``../`` a path from the file's own folder, and dates texts."""
    if isinstance(value, dict):
        return {key: _anchored(inner, folder) for key, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_anchored(inner, folder) for inner in cast("list[Any]", value)]
    if isinstance(value, date | time):  # a run's manifest is JSON
        return value.isoformat()
    return str(folder / value) if isinstance(value, str) and value.startswith(("./", "../")) else value


def _laid_over(content: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return *content* with *options* in place of what it says, table by table."""
    merged = dict(content)
    for key, value in options.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            value = _laid_over(cast("Mapping[str, Any]", below), cast("Mapping[str, Any]", value))
        merged[key] = value
    return merged
