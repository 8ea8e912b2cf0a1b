"""Checkpoints: named arrays and plain values in one npz file, bound to its run and to the metrics it belongs to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.archives import unpack_archive
from ffzero_lab.errors import InputError
from ffzero_lab.runs.atomic import write_atomically

CHECKPOINT, PREVIOUS, REFUSED = "checkpoint.npz", "checkpoint.previous.npz", "checkpoint.refused.npz"
FORMAT = 1
_HEAD = "checkpoint"


@dataclass(frozen=True)
class Checkpoint:
    """What a run had learned at one moment.

    Attributes
    ----------
    arrays
        Named arrays.
    plain
        Values that JSON can hold.
    run_id
        Identity of the run it was written by.
    versions
        Versions under which its numbers came about.
    metrics_bytes
        Length of ``metrics.jsonl`` at that moment.
    """

    arrays: Mapping[str, NDArray[Any]]
    plain: Mapping[str, Any]
    run_id: str
    versions: Mapping[str, str]
    metrics_bytes: int

    def write(self, folder: Path) -> None:
        """Replace the folder's checkpoint and keep the one before it; raises OSError."""
        head = {
            "format": FORMAT,
            "run_id": self.run_id,
            "versions": dict(self.versions),
            "metrics_bytes": self.metrics_bytes,
            "plain": self.plain,
        }
        buffer = BytesIO()
        np.savez(buffer, allow_pickle=False, **{_HEAD: np.array(json.dumps(head))}, **self.arrays)
        write_atomically(folder / CHECKPOINT, buffer.getvalue(), keep=folder / PREVIOUS)


def read_checkpoint(folder: Path, run_id: str) -> tuple[Checkpoint | None, tuple[str, ...]]:
    """Return the newest intact checkpoint of a run, and why newer ones were refused.

    None when there is no checkpoint file at all. Raises InputError, with every reason, when there are files but none of
    them can be used.
    """
    reasons: list[str] = []
    found = False
    for path in (folder / CHECKPOINT, folder / PREVIOUS):
        if not path.is_file():
            continue
        found = True
        try:
            return _read(path, run_id), tuple(reasons)
        except InputError as error:
            reasons.append(str(error))
    if found:
        raise InputError(f"{'; '.join(reasons)}; put an intact one back, or move them away to begin the run anew")
    return None, ()


def set_refused_aside(folder: Path, run_id: str) -> None:
    """Give the newest checkpoint another name when it cannot be used.

    It would otherwise be kept as the previous one by the next to be written, in place of the one that is intact.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return
    try:
        _read(path, run_id)
    except InputError:
        path.replace(folder / REFUSED)


def _read(path: Path, run_id: str) -> Checkpoint:
    try:
        arrays, _ = unpack_archive(path.read_bytes(), path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    try:
        head = json.loads(str(arrays.pop(_HEAD)))
        if head["format"] != FORMAT:
            raise InputError(f"{path} has the format {head['format']}, this version reads {FORMAT}")
        if head["run_id"] != run_id:
            raise InputError(f"{path} belongs to another run ({head['run_id']}, not {run_id})")
        return Checkpoint(arrays, head["plain"], head["run_id"], head["versions"], head["metrics_bytes"])
    except (KeyError, ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is no checkpoint of a run: {error!r}") from None
