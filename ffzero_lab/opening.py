"""Finds a driver by name and opens it behind the guard: the public way to a device."""

import importlib
import importlib.util
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ffzero_lab.device import Clock, Driver, Guarded
from ffzero_lab.errors import InputError, not_one_of
from ffzero_lab.explain import explain_validation

DRIVER_GROUP = "ffzero_lab.drivers"
SIBLINGS = ("drivers", "calibration", "protocols")


def open_device(device: str, clock: Clock | None = None, **options: Any) -> Guarded:
    """Open a device by its name, without energising anything, behind the guard.

    Parameters
    ----------
    device
        ``twin``, ``twin:photonic``, the name of any installed driver, or ``module:Class`` of a driver of one's own.
    clock
        Time as the device shall see it; None leaves the choice to the driver.
    **options
        Fields of the driver's ``Config``.

    Raises
    ------
    InputError
        For an unknown device, an option that its configuration does not allow, or shadowed packages.
    """
    driver = find_driver(device)
    try:
        config = driver.Config(**options)
    except ValidationError as error:
        raise InputError(explain_validation(error, driver.Config, f"device {device!r}")) from None
    try:
        return Guarded(driver.open(config, clock))
    except ImportError as error:
        raise InputError(f"device {device!r} needs a package that is not installed: {error}") from error


def find_driver(device: str) -> type[Driver]:
    """Return the driver class that *device* names; raises InputError with the near match."""
    check_siblings()
    installed = installed_drivers()
    entry = installed.get(device.replace(":", "."))
    if entry is not None:
        return entry.load()
    module, separator, name = device.partition(":")
    if separator and name.isidentifier() and module and importlib.util.find_spec(module.partition(".")[0]):
        return _driver_in(module, name)
    raise not_one_of("device", device, [key.replace(".", ":") for key in installed])


def installed_drivers() -> dict[str, EntryPoint]:
    """Return the installed drivers by entry-point name."""
    return {entry.name: entry for entry in entry_points(group=DRIVER_GROUP)}


def check_siblings() -> None:
    """Raise InputError when another package shadows ``drivers``, ``calibration`` or ``protocols``."""
    home = Path(__file__).resolve().parent.parent
    for name in SIBLINGS:
        spec = importlib.util.find_spec(name)
        found = "nowhere" if spec is None or spec.origin is None else str(Path(spec.origin).resolve().parent)
        if found != str(home / name):
            raise InputError(
                f"the package {name!r} is found at {found}, but ffzero-lab's own is at {home / name}; "
                "start from another folder, or take the other one off the Python path"
            )


def _driver_in(module: str, name: str) -> type[Driver]:
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"device '{module}:{name}' cannot be loaded: {error}") from error
    if not hasattr(found, "Config") or not hasattr(found, "open"):
        raise InputError(f"device '{module}:{name}' is no driver: it needs a Config and open(config, clock)")
    return found
