"""Tells whether the process that wrote a status still exists."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def writer() -> dict[str, Any]:
    """Return what a status tells of the process that writes it."""
    return {"pid": os.getpid(), "host": socket.gethostname(), "born": birth_of(os.getpid())}


def is_elsewhere(status: Mapping[str, Any]) -> bool:
    """Tell whether a process of another computer wrote *status*, into a folder that both of them see."""
    return status.get("host") not in (None, socket.gethostname())


def is_written(status: Mapping[str, Any]) -> bool:
    """Tell whether the process that wrote *status* still exists; of another computer nobody can tell: it is believed.

    Raises KeyError, TypeError or ValueError where the status is damaged.
    """
    if is_elsewhere(status):
        return True
    pid, born = int(status["pid"]), status.get("born")
    return is_alive(pid) and (born is None or birth_of(pid) in (born, None))


def is_alive(pid: int) -> bool:
    """Tell whether a process of that number exists on this machine."""
    if pid <= 0:  # stands for a group of processes, or for all of them
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def birth_of(pid: int) -> str | None:
    """Return when a process began, and after which start of the computer; None where the system does not say.

    Of one that has ended, and nobody asked how, it is empty.

    After a crash or a power cut another process gets the same number sooner or later, in a container at once.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = told.rpartition(")")[2].split()  # proc(5): fields from the third on; the name before may hold anything
        return "" if fields[0] in "ZX" else f"{boot} {fields[19]}"
    except (OSError, IndexError):
        return None
