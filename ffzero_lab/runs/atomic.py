"""Files that a crash leaves old or new, never in part."""

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_atomically(path: Path, content: bytes, *, keep: Path | None = None, among_others: bool = False) -> None:
    """Replace *path* by *content*: written beside it, synced, renamed, and the folder synced.

    With *keep* the file that stood there before is kept under that name. With *among_others* several may do so at
    once: the last one counts. Raises OSError; *path* is then as it was, and
    nothing half-written takes room on a disk that may be full.
    """
    partial = _beside(path, among_others=among_others)
    try:
        with failures_named(path), partial.open("wb") as file:
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


def write_briefly(path: Path, content: bytes, *, among_others: bool = False) -> None:
    """Replace *path* by *content* for readers in other processes, without waiting for the disk.

    With *among_others* several may do so at once: the last one counts.
    """
    partial = _beside(path, among_others=among_others)
    try:
        with failures_named(path):
            partial.write_bytes(content)
    except OSError:
        with suppress(OSError):
            partial.unlink()
        raise
    partial.replace(path)


def _beside(path: Path, *, among_others: bool) -> Path:
    """Return where *path* is written first; by a single writer always there, so that killed ones fill no folder."""
    return path.with_name(f".{path.name}.{f'{secrets.token_hex(4)}.' if among_others else ''}partial")


@contextmanager
def failures_named(path: Path) -> Generator[None]:
    """Let an OSError that comes without a name, as that of a full disk does, name *path*."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def sync_folder(folder: Path) -> None:
    """Make renames in *folder* durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
