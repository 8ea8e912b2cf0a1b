"""Looks at this computer: what is installed, what is permitted, what the disk and the clocks do."""

import importlib
import importlib.util
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from ffzero_lab._version import __version__
from ffzero_lab.bench_lock import default_folder
from ffzero_lab.discovery import serial_ports
from ffzero_lab.errors import InputError
from ffzero_lab.opening import check_siblings, installed_drivers

State = Literal["ok", "note", "problem"]
NEEDED = ("numpy", "pydantic", "typer", "rich", "scipy", "filelock")
EXTRAS = {
    "numba": "twins compute faster with it (extra fast)",
    "jax": "the rules ff-ad and bp-ad need it (extra reference)",
    "matplotlib": "reports and compare draw with it (extra report)",
    "starlette": "the live view in a browser needs it (extra dashboard)",
    "pyvisa": "instruments over VISA need it",
    "pyvisa-py": "VISA without a vendor's library needs it",
    "pyserial": "instruments at serial ports need it",
}
LEAST_FREE_BYTES = 1_000_000_000
SLOW_FSYNC_S = 0.1
CLOCKS_APART_S = 0.01
"""Difference of two clocks over the few milliseconds between two looks that only a clock being set explains."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    state: State
    says: str


def examine(run_dir: Path) -> list[Finding]:
    """Return everything found; *run_dir* is where runs will be kept. Energises and connects to nothing."""
    looks: list[Callable[[], Iterator[Finding]]] = [
        _packages,
        _siblings,
        _drivers,
        _visa,
        _serial,
        lambda: _disk(run_dir),
        _locks,
        _clocks,
    ]
    return [finding for look in looks for finding in look()]


def _packages() -> Iterator[Finding]:
    yield Finding("ffzero-lab", "ok", f"{__version__}, Python {platform.python_version()} on {platform.platform()}")
    for name in NEEDED:
        yield Finding(name, "ok", version(name))
    for name, use in EXTRAS.items():
        try:
            yield Finding(name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding(name, "note", f"not installed; {use}")


def _siblings() -> Iterator[Finding]:
    try:
        check_siblings()
    except InputError as error:
        yield Finding("packages", "problem", str(error))
    else:
        yield Finding("packages", "ok", "drivers, calibration and protocols stand beside ffzero_lab")


def _drivers() -> Iterator[Finding]:
    names = ", ".join(sorted(installed_drivers()))
    state: State = "ok" if names else "problem"
    yield Finding("drivers", state, names or "none is installed; install ffzero-lab anew")


def _visa() -> Iterator[Finding]:
    if importlib.util.find_spec("pyvisa") is None:
        return
    try:
        highlevel: Any = importlib.import_module("pyvisa.highlevel")
        found = [str(name) for name in highlevel.list_backends()]
    except Exception as error:  # noqa: BLE001 - whatever a vendor's library raises is told
        yield Finding("VISA", "problem", f"back ends cannot be listed: {type(error).__name__}: {error}")
        return
    usable = [f"@{name}" for name in found if name != "ivi" or _vendor_libraries()]
    says = f"back ends: {', '.join(usable)}" if usable else "no usable back end; install pyvisa-py"
    yield Finding("VISA", "ok" if usable else "problem", says)


def _vendor_libraries() -> bool:
    try:
        ivi: Any = importlib.import_module("pyvisa.ctwrapper")
        return bool(ivi.IVIVisaLibrary.get_library_paths())
    except Exception:  # noqa: BLE001 - a library that cannot be asked is none
        return False


def _serial() -> Iterator[Finding]:
    if importlib.util.find_spec("serial") is None:
        return
    found = serial_ports()
    for problem in found.problems:
        yield Finding("serial ports", "problem", problem)
    if not found.items and not found.problems:
        yield Finding("serial ports", "note", "none")
    for port in found.items:
        allowed = os.access(port["name"], os.R_OK | os.W_OK)
        remedy = "you may not use it; become a member of its group (often dialout), then log in again"
        yield Finding(port["name"], "ok" if allowed else "problem", "may be used" if allowed else remedy)


def _disk(run_dir: Path) -> Iterator[Finding]:
    folder = next(parent for parent in (run_dir.absolute(), *run_dir.absolute().parents) if parent.exists())
    try:
        free = shutil.disk_usage(folder).free
        took_s = _fsync_s(folder)
    except OSError as error:
        yield Finding("disk", "problem", f"runs cannot be kept in {folder}: {error}")
        return
    enough = free >= LEAST_FREE_BYTES
    yield Finding("disk", "ok" if enough else "problem", f"{free / 1e9:.1f} GB free for {run_dir}")
    slow = took_s > SLOW_FSYNC_S
    told = f"a write reaches the disk in {took_s * 1e3:.1f} ms"
    yield Finding("fsync", "note" if slow else "ok", told + ("; checkpoints will be slow there" if slow else ""))


def _fsync_s(folder: Path) -> float:
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".ffzero-doctor-") as file:
        file.write(b"x" * 4096)
        file.flush()
        began_s = time.perf_counter()
        os.fsync(file.fileno())
        return time.perf_counter() - began_s


def _locks() -> Iterator[Finding]:
    folder = default_folder()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    usable = os.access(existing, os.W_OK | os.X_OK)
    remedy = f"{existing} cannot be written; make it writable for everyone who uses a bench"
    yield Finding("locks", "ok" if usable else "problem", f"kept in {folder}" if usable else remedy)


def _clocks() -> Iterator[Finding]:
    began, began_wall = time.monotonic(), time.time()
    _fsync_s(Path(tempfile.gettempdir()))
    passed, passed_wall = time.monotonic() - began, time.time() - began_wall
    apart_s = abs(passed - passed_wall)
    state: State = "ok" if passed >= 0.0 and apart_s < CLOCKS_APART_S else "problem"
    info = time.get_clock_info("monotonic")
    yield Finding(
        "clock", state, f"monotonic to {info.resolution * 1e9:.0f} ns; wall clock within {apart_s * 1e3:.2f} ms"
    )
    if time.localtime().tm_year < 2026:
        yield Finding("wall clock", "problem", f"it says {time.strftime('%Y-%m-%d')}; set it, runs carry their date")
