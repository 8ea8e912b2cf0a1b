"""Writes one run: appended durably, replaced atomically, never overwritten."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from numpy.typing import NDArray

from ffzero_lab.errors import InputError
from ffzero_lab.runs.atomic import sync_folder, write_atomically, write_briefly
from ffzero_lab.runs.checkpoint import Checkpoint
from ffzero_lab.runs.layout import CONTROL, MANIFEST, METRICS, STATUS, SUMMARY, SUPERSEDED


class RunWriter:
    """The open folder of a run. A failure to persist raises OSError and ends the run: nothing is lost quietly."""

    def __init__(self, path: Path, manifest: Mapping[str, Any]) -> None:
        self.path = path
        self.manifest = manifest
        self._metrics: IO[bytes] = (path / METRICS).open("ab")

    @classmethod
    def create(cls, path: Path, manifest: Mapping[str, Any]) -> Self:
        """Make the folder; raises InputError when it exists already or cannot be made."""
        try:
            path.mkdir(parents=True)
            (path / CONTROL).mkdir()
        except FileExistsError:
            raise InputError(f"the run folder {path} exists already; choose another --name or --run-dir") from None
        except OSError as error:
            raise InputError(f"the run folder {path} cannot be made: {error.strerror}") from error
        write_atomically(path / MANIFEST, as_json(manifest))
        sync_folder(path.parent)
        return cls(path, manifest)

    @classmethod
    def reopen(cls, path: Path, manifest: Mapping[str, Any], metrics_bytes: int) -> Self:
        """Open a run again at the moment of a checkpoint; later rows of metrics move to another file.

        Killed in between, it can be done again: a row may then stand twice among the superseded ones, never nowhere.
        """
        metrics = path / METRICS
        if metrics.exists():
            content = metrics.read_bytes()
            if len(content) < metrics_bytes:
                raise InputError(
                    f"{metrics} is shorter than its checkpoint says: {len(content)} of {metrics_bytes} bytes"
                )
            if len(content) > metrics_bytes:
                with (path / SUPERSEDED).open("ab") as superseded:
                    superseded.write(content[metrics_bytes:].rstrip(b"\n") + b"\n")
                    superseded.flush()
                    os.fsync(superseded.fileno())
                with metrics.open("r+b") as file:
                    file.truncate(metrics_bytes)
                    os.fsync(file.fileno())
        (path / CONTROL).mkdir(exist_ok=True)
        return cls(path, manifest)

    @property
    def metrics_bytes(self) -> int:
        """Length of the metrics so far."""
        return self._metrics.tell()

    def append(self, row: Mapping[str, Any]) -> None:
        """Append one row of metrics and hand it to the operating system; raises OSError when the folder is gone."""
        self._metrics.write(json.dumps(row, allow_nan=False).encode() + b"\n")
        self._metrics.flush()
        if os.fstat(self._metrics.fileno()).st_nlink == 0:
            raise FileNotFoundError(f"{self.path / METRICS} was deleted while the run was writing it")

    def checkpoint(self, arrays: Mapping[str, NDArray[Any]], plain: Mapping[str, Any], metrics_bytes: int) -> None:
        """Sync the metrics to disk, then replace the checkpoint; the one before it is kept."""
        os.fsync(self._metrics.fileno())
        versions = self.manifest["versions"]
        Checkpoint(arrays, plain, self.manifest["run_id"], versions, metrics_bytes).write(self.path)

    def status(self, content: Mapping[str, Any]) -> None:
        """Replace ``status.json``, for whoever looks from another process."""
        write_briefly(self.path / STATUS, as_json(content))

    def complete(self, summary: Mapping[str, Any]) -> None:
        """Write the summary, whose presence means that the run is complete."""
        os.fsync(self._metrics.fileno())
        write_atomically(self.path / SUMMARY, as_json(summary))

    def close(self) -> None:
        """Close the metrics; everything appended is with the operating system already."""
        self._metrics.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def as_json(content: Mapping[str, Any]) -> bytes:
    """Return readable JSON; numbers that are not finite raise ValueError."""
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False).encode() + b"\n"
