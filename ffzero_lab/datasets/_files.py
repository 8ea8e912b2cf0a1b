"""Reads a whole file that a person named; every way in which that can fail becomes one readable message."""

from pathlib import Path

from ffzero_lab.errors import InputError, near_match


def read_bytes(path: Path) -> bytes:
    """Return the content of *path*; raise `InputError` when it is missing, a folder, empty or unreadable."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"no such file: {path}{_neighbour(path)}") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder; a file is needed") from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    if not content:
        raise InputError(f"{path} is empty (0 bytes)")
    return content


def _neighbour(path: Path) -> str:
    try:
        return near_match(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError:
        return f"; the folder {path.parent} does not exist or cannot be read"
