"""Writes one run: appended durably, replaced atomically, never overwritten."""

import fcntl
import json
import os
import time
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray

from ffzero_lab.errors import InputError
from ffzero_lab.runs.atomic import failures_named, sync_folder, write_atomically, write_briefly
from ffzero_lab.runs.checkpoint import Checkpoint, set_refused_aside
from ffzero_lab.runs.layout import (
    CALIBRATION,
    CONTROL,
    EVALUATION,
    HEALTH,
    MANIFEST,
    METRICS,
    START,
    STATUS,
    SUMMARY,
    SUPERSEDED,
)

HEALTH_EVERY_S = 5.0


class RunBusy(InputError):
    """Another process is writing the run.

    Outputs: untouched: they are the other process's.

    Remedy: `ffzero-lab stop RUN`, then resume.
    """


class RunWriter:
    """The open folder of a run. A failure to persist raises OSError and ends the run: nothing is lost quietly.

    One process at a time writes a run; raises InputError while another one does. The lock ends with the process,
    however it ends.
    """

    def __init__(self, path: Path, manifest: Mapping[str, Any]) -> None:
        self.path = path
        self.manifest = manifest
        self._health_s = float("-inf")
        self._metrics = FileIO(path / METRICS, "ab")  # unbuffered: closing after a failure has nothing left to write
        try:
            fcntl.flock(self._metrics, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._metrics.close()
            raise RunBusy(f"another process is writing the run {path}; stop it first") from None

    @classmethod
    def create(
        cls, path: Path, manifest: Mapping[str, Any], calibration: bytes | None = None, start: bytes | None = None
    ) -> Self:
        """Make the folder, with the *calibration* record and *start*, where training begins, in it.

        Raises InputError when it exists or cannot be made.
        """
        try:
            path.mkdir(parents=True)
            (path / CONTROL).mkdir()
        except FileExistsError:
            raise InputError(f"the run folder {path} exists already; choose another --name or --run-dir") from None
        except OSError as error:
            raise InputError(f"the run folder {path} cannot be made: {error.strerror}") from error
        for name, content in ((CALIBRATION, calibration), (START, start)):
            if content is not None:
                write_atomically(path / name, content)
        write_atomically(path / MANIFEST, as_json(manifest))
        sync_folder(path.parent)
        return cls(path, manifest)

    @classmethod
    def reopen(cls, path: Path, manifest: Mapping[str, Any], metrics_bytes: int) -> Self:
        """Open a run again at the moment of a checkpoint; later rows of metrics move to another file.

        Killed in between, it can be done again: a row may then stand twice among the superseded ones, never nowhere.
        Raises InputError when rows that the checkpoint counts on are missing.
        """
        metrics = path / METRICS
        length = metrics.stat().st_size if metrics.exists() else 0
        if length < metrics_bytes:
            raise InputError(f"{metrics} is shorter than its checkpoint says: {length} of {metrics_bytes} bytes")
        run = cls(path, manifest)
        try:
            run._supersede_rows_after(metrics_bytes)
            set_refused_aside(path, str(manifest["run_id"]))
            (path / CONTROL).mkdir(exist_ok=True)
        except BaseException:
            run.close()
            raise
        return run

    @property
    def metrics_bytes(self) -> int:
        """Length of the metrics so far."""
        return self._metrics.tell()

    def append(self, row: Mapping[str, Any]) -> None:
        """Append one row of metrics and hand it to the operating system; raises OSError when the folder is gone."""
        line = json.dumps(row, allow_nan=False).encode() + b"\n"
        with failures_named(self.path / METRICS):
            _write_whole(self._metrics, line)
        if os.fstat(self._metrics.fileno()).st_nlink == 0:
            raise FileNotFoundError(f"{self.path / METRICS} was deleted while the run was writing it")

    def checkpoint(self, arrays: Mapping[str, NDArray[Any]], plain: Mapping[str, Any], metrics_bytes: int) -> None:
        """Sync the metrics to disk, then replace the checkpoint; the one before it is kept."""
        os.fsync(self._metrics.fileno())
        versions = self.manifest["versions"]
        Checkpoint(arrays, plain, self.manifest["run_id"], versions, metrics_bytes).write(self.path)

    def describe(self, manifest: Mapping[str, Any]) -> None:
        """Replace the manifest, of a run whose manifest also says how far it came."""
        write_atomically(self.path / MANIFEST, as_json(manifest))
        self.manifest = manifest

    def status(self, content: Mapping[str, Any]) -> None:
        """Replace ``status.json``, for whoever looks from another process, and keep its health every now and then."""
        write_briefly(self.path / STATUS, as_json(content))
        health = content.get("health")
        if health is not None and time.monotonic() - self._health_s >= HEALTH_EVERY_S:
            self._health_s = time.monotonic()
            with failures_named(self.path / HEALTH), FileIO(self.path / HEALTH, "ab") as file:
                _write_whole(file, json.dumps(health, allow_nan=False).encode() + b"\n")

    def evaluated(self, content: bytes) -> None:
        """Keep what the test part answered."""
        write_atomically(self.path / EVALUATION, content)

    def complete(self, summary: Mapping[str, Any]) -> None:
        """Write the summary, whose presence means that the run is complete."""
        os.fsync(self._metrics.fileno())
        write_atomically(self.path / SUMMARY, as_json(summary))

    def close(self) -> None:
        """Close the metrics; everything appended is with the operating system already."""
        self._metrics.close()

    def _supersede_rows_after(self, metrics_bytes: int) -> None:
        """Move what stands behind *metrics_bytes* to the superseded rows, durably, before it is cut off."""
        content = (self.path / METRICS).read_bytes()[metrics_bytes:]
        if not content:
            return
        with failures_named(self.path / SUPERSEDED), FileIO(self.path / SUPERSEDED, "ab") as superseded:
            # after a line that was cut off, by a full disk or a kill, the next one begins on a line of its own
            begin = b"\n" if superseded.tell() and not _ends_a_line(self.path / SUPERSEDED) else b""
            _write_whole(superseded, begin + content.rstrip(b"\n") + b"\n")
            os.fsync(superseded.fileno())
        self._metrics.truncate(metrics_bytes)
        self._metrics.seek(metrics_bytes)
        os.fsync(self._metrics.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def as_json(content: Mapping[str, Any]) -> bytes:
    """Return readable JSON; numbers that are not finite raise ValueError."""
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False).encode() + b"\n"


def _write_whole(file: FileIO, content: bytes) -> None:
    """Write all of *content*: an unbuffered file may take a part of it, when the disk is about to be full."""
    while content:
        content = content[file.write(content) :]


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
