"""Tells whether the process that wrote a status still exists."""

import os


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
