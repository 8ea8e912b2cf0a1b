"""Reads runs, complete or not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from ffzero_lab.errors import InputError
from ffzero_lab.runs.checkpoint import CHECKPOINT, Checkpoint, read_checkpoint
from ffzero_lab.runs.layout import MANIFEST, METRICS, STATUS, SUMMARY
from ffzero_lab.runs.parsing import parsed


class RunReader:
    """Reads one run; raises InputError when the folder is none or a file in it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            is_run = (path / MANIFEST).is_file()
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from error
        if not is_run:
            raise InputError(f"{path} is no run folder: it has no {MANIFEST}")
        self.manifest: dict[str, Any] = self._json(MANIFEST)

    @property
    def summary(self) -> dict[str, Any] | None:
        """The summary of a complete run, else None."""
        return self._json(SUMMARY) if (self.path / SUMMARY).is_file() else None

    @property
    def status(self) -> dict[str, Any] | None:
        """The last status that the run told, else None; it says at least how it stands, and which process that was."""
        if not (self.path / STATUS).is_file():
            return None
        told = self._json(STATUS)
        for name, kind in (("state", str), ("pid", int)):
            if not isinstance(told.get(name), kind):
                raise InputError(f"{self.path / STATUS} is damaged: its {name} is {told.get(name)!r}")
        return told

    def newest_checkpoint(self) -> tuple[Checkpoint | None, tuple[str, ...]]:
        """Return the newest intact checkpoint, or None, and why newer ones were refused."""
        return read_checkpoint(self.path, str(self.manifest.get("run_id")))

    def checkpoint(self) -> Checkpoint:
        """Return the newest checkpoint; raises InputError when there is none, or it is damaged.

        An older one is good for going on with a run, not for using what it learned: it holds less than was reported.
        """
        found, refused = self.newest_checkpoint()
        if found is None:
            raise InputError(f"{self.path} has no {CHECKPOINT}: the run ended before its first checkpoint")
        if refused:
            raise InputError(f"the result of {self.path} cannot be used: {'; '.join(refused)}")
        return found

    def metrics(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of metrics; a last line that was cut off while it was written is left out."""
        if not (self.path / METRICS).is_file():
            return
        with (self.path / METRICS).open("rb") as rows:
            for line in rows:
                if line.endswith(b"\n"):
                    yield json.loads(line)

    def _json(self, name: str) -> dict[str, Any]:
        try:
            told: object = parsed((self.path / name).read_bytes())
            if not isinstance(told, dict):
                raise ValueError("it is no table")
            return cast("dict[str, Any]", told)
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path / name} cannot be read: {error}") from error


def list_runs(run_dir: Path) -> list[Path]:
    """Return the run folders below *run_dir*, oldest first, damaged ones included; without a manifest it is no run."""
    if not run_dir.is_dir():
        return []
    return [manifest.parent for manifest in sorted(run_dir.glob(f"*/{MANIFEST}"))]
