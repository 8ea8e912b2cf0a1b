"""The folder of one run: written atomically, appended durably, readable by anyone.

``manifest.json`` says what was asked for, ``metrics.jsonl`` what happened, ``checkpoint.npz`` what was learned, and
``summary.json``, written last, that the run is complete.
"""

import json
import os
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.archives import unpack_archive
from ffzero_lab.errors import InputError

MANIFEST, METRICS, CHECKPOINT, SUMMARY = "manifest.json", "metrics.jsonl", "checkpoint.npz", "summary.json"
CHECKPOINT_FORMAT = 1


class RunWriter:
    """Writes one run. A failure to persist raises OSError and ends the run: no data is lost quietly.

    Raises InputError when the folder exists already or cannot be made.
    """

    def __init__(self, path: Path, manifest: Mapping[str, Any]) -> None:
        self.path = path
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            raise InputError(f"the run folder {path} exists already; choose another --name or --run-dir") from None
        except OSError as error:
            raise InputError(f"the run folder {path} cannot be made: {error.strerror}") from error
        write_atomically(path / MANIFEST, _as_json(manifest))
        self._metrics: IO[bytes] = (path / METRICS).open("ab")

    def append(self, row: Mapping[str, Any]) -> None:
        """Append one row of metrics and hand it to the operating system."""
        self._metrics.write(json.dumps(row, allow_nan=False).encode() + b"\n")
        self._metrics.flush()

    def checkpoint(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Sync the metrics to disk, then replace the checkpoint; it holds the length of metrics it belongs to."""
        os.fsync(self._metrics.fileno())
        buffer = BytesIO()
        extra = {"format": np.array(CHECKPOINT_FORMAT), "metrics_bytes": np.array(self._metrics.tell())}
        np.savez(buffer, allow_pickle=False, **extra, **arrays)
        write_atomically(self.path / CHECKPOINT, buffer.getvalue())

    def complete(self, summary: Mapping[str, Any]) -> None:
        """Write the summary, whose presence means that the run is complete."""
        os.fsync(self._metrics.fileno())
        write_atomically(self.path / SUMMARY, _as_json(summary))

    def close(self) -> None:
        """Close the metrics; everything appended is with the operating system already."""
        self._metrics.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RunReader:
    """Reads one run; raises InputError when the folder is none or a file in it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / MANIFEST).is_file():
            raise InputError(f"{path} is no run folder: it has no {MANIFEST}")
        self.manifest: dict[str, Any] = self._json(MANIFEST)

    @property
    def summary(self) -> dict[str, Any] | None:
        """The summary of a complete run, else None."""
        return self._json(SUMMARY) if (self.path / SUMMARY).is_file() else None

    def checkpoint(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of the checkpoint."""
        path = self.path / CHECKPOINT
        if not path.is_file():
            raise InputError(f"{self.path} has no {CHECKPOINT}: the run ended before its first layer was trained")
        try:
            arrays, _ = unpack_archive(path.read_bytes(), path)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error}") from error
        if int(arrays.pop("format", np.array(0))) != CHECKPOINT_FORMAT:
            raise InputError(f"{path} has another format than {CHECKPOINT_FORMAT}; use the version that wrote it")
        return arrays

    def metrics(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of metrics; a last line that was cut off while it was written is left out."""
        with (self.path / METRICS).open("rb") as rows:
            for line in rows:
                if line.endswith(b"\n"):
                    yield json.loads(line)

    def _json(self, name: str) -> dict[str, Any]:
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path / name} cannot be read: {error}") from error


def list_runs(run_dir: Path) -> list[RunReader]:
    """Return the runs below *run_dir*, oldest first; folders without a manifest are no runs."""
    if not run_dir.is_dir():
        return []
    return [RunReader(manifest.parent) for manifest in sorted(run_dir.glob(f"*/{MANIFEST}"))]


def write_atomically(path: Path, content: bytes) -> None:
    """Replace *path* by *content* so that a reader, or a crash, sees the old file or the new one, never a part."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _as_json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False).encode() + b"\n"
