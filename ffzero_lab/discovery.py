"""What this computer can reach: installed drivers and instruments, VISA resources, serial ports."""

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

from ffzero_lab.errors import InputError
from ffzero_lab.opening import DRIVER_GROUP

INSTRUMENT_GROUP = "ffzero_lab.instruments"
DISCOVERY_GROUP = "ffzero_lab.discovery"
Identify = Callable[[str, float], str]
"""Asks the instrument at a resource who it is, within so many seconds."""


@dataclass(frozen=True)
class Found:
    """What was found of one kind, and what kept more from being found."""

    kind: str
    items: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    problems: list[str] = field(default_factory=list[str])


def everything() -> list[Found]:
    """Look for everything. A back end that is missing or fails is told, never fatal."""
    return [
        installed("drivers", DRIVER_GROUP),
        installed("instruments", INSTRUMENT_GROUP),
        visa_resources(),
        serial_ports(),
    ]


def installed(kind: str, group: str) -> Found:
    """Return the entry points of *group*."""
    entries = sorted(entry_points(group=group), key=lambda entry: entry.name)
    return Found(kind, [{"name": entry.name, "from": entry.value} for entry in entries])


def visa_resources(visa_library: str = "@py") -> Found:
    """Return what VISA lists; sockets that need no discovery are not among it."""
    found = Found("VISA resources")
    try:
        pyvisa: Any = importlib.import_module("pyvisa")
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            manager = pyvisa.ResourceManager(visa_library)
            try:
                found.items.extend({"name": str(name)} for name in manager.list_resources("?*"))
            finally:
                manager.close()
        found.problems.extend(str(one.message) for one in said if not issubclass(one.category, ResourceWarning))
    except ImportError as error:
        found.problems.append(f"pyvisa and pyvisa-py are needed to list VISA resources: {error}")
    except Exception as error:  # noqa: BLE001 - whatever a vendor's library raises is told
        found.problems.append(f"VISA ({visa_library}) lists nothing: {type(error).__name__}: {error}")
    return found


def serial_ports() -> Found:
    """Return the serial ports of this computer."""
    found = Found("serial ports")
    try:
        list_ports: Any = importlib.import_module("serial.tools.list_ports")
        for port in list_ports.comports():
            found.items.append({"name": str(port.device), "description": str(port.description)})
    except ImportError as error:
        found.problems.append(f"pyserial is needed to list serial ports: {error}")
    except Exception as error:  # noqa: BLE001 - an operating system may refuse in many ways
        found.problems.append(f"serial ports cannot be listed: {type(error).__name__}: {error}")
    return found


def identifier() -> Identify:
    """Return what asks a resource who it is, from the entry point ``identify`` of `DISCOVERY_GROUP`.

    Raises InputError where no installed package has one.
    """
    for entry in entry_points(group=DISCOVERY_GROUP, name="identify"):
        return entry.load()
    raise InputError("no installed package can ask a resource who it is; install ffzero-lab with its link drivers")
