"""Tells whether the process that wrote a status still exists."""

import os


def is_alive(pid: int) -> bool:
    """Tell whether a process of that number exists on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
