"""Files that a crash leaves old or new, never in part."""

import os
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, content: bytes, *, keep: Path | None = None) -> None:
    """Replace *path* by *content*: written beside it, synced, renamed, and the folder synced.

    With *keep* the file that stood there before is kept under that name. Raises OSError; *path* is then as it was, and
    nothing half-written takes room on a disk that may be full.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            partial.unlink()
        raise
    if keep is not None and path.exists():
        path.replace(keep)
    partial.replace(path)
    sync_folder(path.parent)


def write_briefly(path: Path, content: bytes) -> None:
    """Replace *path* by *content* for readers in other processes, without waiting for the disk."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def sync_folder(folder: Path) -> None:
    """Make renames in *folder* durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
