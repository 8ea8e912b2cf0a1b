"""Finds a driver by name and opens it behind the guard: the public way to a device."""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ffzero_lab.bench_file import REPLAY, ChosenDevice, choose_device
from ffzero_lab.bench_lock import BenchLock
from ffzero_lab.device import Clock, Driver, Guarded, Walking
from ffzero_lab.device.recorder import Recorder
from ffzero_lab.device.replay import Replay
from ffzero_lab.errors import InputError, not_one_of
from ffzero_lab.explain import explain_validation

DRIVER_GROUP = "ffzero_lab.drivers"
SIBLINGS = ("drivers", "calibration", "protocols")


def open_device(device: str, /, clock: Clock | None = None, **options: Any) -> Guarded:
    """Open a device by its name, without energising anything, behind the guard.

    Hardware is locked first and let go when the device is closed, so that one process at a time has it; when the
    process before ended without letting go, the bench is parked before anything else.

    Parameters
    ----------
    device
        ``twin``, ``twin:photonic``, the name of any installed driver, ``module:Class`` of a driver of one's own, or
        a bench file (``.toml``).
    clock
        Time as the device shall see it; None leaves the choice to the driver.
    **options
        Fields of the driver's ``Config``; over a bench file, they count instead of what it says.

    Raises
    ------
    InputError
        For an unknown device, a file that cannot be read, options that its configuration or the driver does not
        allow, or shadowed packages.
    BenchBusy
        When another process has the bench; it was then not touched.
    """
    return open_configured(device, options, clock)


def open_configured(
    device: str,
    options: Mapping[str, Any],
    clock: Clock | None = None,
    *,
    run: Path | None = None,
    wait_s: float = 0.2,
    recorded: bool = False,
) -> Guarded:
    """Open a device as `open_device` does, with *options* that somebody wrote: no name among them is reserved.

    *run* is the run folder that others shall see as the owner, *wait_s* how long to wait for another owner. With
    *recorded* a recorder stands behind the guard, to be begun with :func:`ffzero_lab.device.recorder.begin_recording`.
    """
    return open_chosen(choose_device(device, options), clock, run=run, wait_s=wait_s, recorded=recorded)


def open_chosen(
    chosen: ChosenDevice,
    clock: Clock | None = None,
    *,
    run: Path | None = None,
    wait_s: float = 0.2,
    recorded: bool = False,
) -> Guarded:
    """Open a device as `open_configured` does, when its bench file, if there is one, was read already."""
    driver, config = configured(chosen)
    lock = _lock_of(chosen, driver, config)
    crashed = lock is not None and lock.acquire(None if run is None else str(run.resolve()), wait_s=wait_s)
    try:
        let_go = None if lock is None else lock.release
        device = driver.open(config, clock)
        device = Recorder(device) if recorded else device
        opened = Walking(device, when_closed=let_go, **_parking_time_of(driver, config))
    except BaseException as error:
        if lock is not None:
            lock.release(parked=not crashed)
        refused = _as_bad_input(error, chosen.told)
        if refused is None:
            raise
        raise refused from error
    if crashed:
        with ExitStack() as closing_on_failure:
            closing_on_failure.push(opened)
            opened.park()
            closing_on_failure.pop_all()
    return opened


def _as_bad_input(error: BaseException, device: str) -> InputError | None:
    """Return what a person can mend of a device that would not open; None for everything else."""
    if isinstance(error, InputError):
        return None  # says it already
    if isinstance(error, ImportError):
        return InputError(f"{device} needs a package that is not installed: {error}")
    if isinstance(error, ValidationError):
        return InputError(explain_validation(error, None, f"{device} cannot be as its settings say"))
    if isinstance(error, ValueError):
        return InputError(f"{device} refuses its settings: {' '.join(str(error).split())}")
    return None


def bench_lock_of(device: str, options: Mapping[str, Any]) -> BenchLock | None:
    """Return the lock of the hardware that *device* with *options* names; None for a twin, which is nobody else's."""
    chosen = choose_device(device, options)
    return _lock_of(chosen, *configured(chosen))


def configured(chosen: ChosenDevice) -> tuple[type[Driver], BaseModel]:
    """Return the driver of a device and its checked configuration; raises InputError that explains every mistake."""
    driver = find_driver(chosen.driver)
    try:
        return driver, driver.Config.model_validate(dict(chosen.options))
    except ValidationError as error:
        raise InputError(explain_validation(error, driver.Config, chosen.told)) from None


def _lock_of(chosen: ChosenDevice, driver: type[Driver], config: BaseModel) -> BenchLock | None:
    """Return the lock of a device, by the name its driver gives the hardware, else by its whole configuration."""
    naming = getattr(driver, "bench_name", None)
    name = f"{chosen.driver} {config.model_dump_json()}" if naming is None else naming(config)
    return None if name is None else BenchLock(name)


def _parking_time_of(driver: type[Driver], config: BaseModel) -> dict[str, float]:
    """Return what the guard shall know of how long parking may take; empty: nothing but its own time."""
    stating = getattr(driver, "parking_s", None)
    return {} if stating is None else {"park_deadline_s": stating(config)}


def find_driver(device: str) -> type[Driver]:
    """Return the driver class that *device* names; raises InputError with the near match."""
    check_siblings()
    if device == REPLAY:
        return Replay
    installed = installed_drivers()
    entry = installed.get(device.replace(":", "."))
    if entry is not None:
        return _loaded(device, entry.load)
    module, separator, name = device.partition(":")
    if separator and name.isidentifier() and module and importlib.util.find_spec(module.partition(".")[0]):
        return _loaded(device, lambda: getattr(importlib.import_module(module), name))
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


def _loaded(device: str, load: Callable[[], Any]) -> type[Driver]:
    """Import a driver; whatever its module or a vendor's library raises becomes one message."""
    try:
        found = load()
    except Exception as error:
        raise InputError(f"device {device!r} cannot be loaded: {type(error).__name__}: {error}") from error
    if not hasattr(found, "Config") or not hasattr(found, "open"):
        raise InputError(f"device {device!r} is no driver: it needs a Config and open(config, clock)")
    return found
