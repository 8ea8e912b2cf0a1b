"""The folder of a sweep: ``sweep.json`` says what was asked for; what came of it stands in the run folders alone."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ffzero_lab.errors import InputError
from ffzero_lab.runs import ControlRequest, ask
from ffzero_lab.runs.atomic import sync_folder, write_atomically
from ffzero_lab.runs.layout import MANIFEST, STATUS, SUMMARY

SWEEP, STOP = "sweep.json", "stop"
FORMAT = 1


class SweepFolder:
    """One sweep; raises InputError when *path* is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            content = json.loads((path / SWEEP).read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise InputError(f"{path / SWEEP} has the format {content['format']}, this version reads {FORMAT}")
            self.points: list[dict[str, Any]] = list(content["points"])
            self.workers = int(content["workers"])
            self.sweep_id = str(content["sweep_id"])
        except FileNotFoundError:
            raise InputError(f"{path} is no folder of a sweep: it has no {SWEEP}") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path / SWEEP} cannot be read: {error!r}") from error

    @classmethod
    def create(cls, path: Path, content: Mapping[str, Any], points: Sequence[Mapping[str, Any]]) -> "SweepFolder":
        """Make the folder; each of *points* gets a run folder's name. Raises InputError when it exists."""
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            raise InputError(f"the folder {path} exists already; choose another --name or --run-dir") from None
        named = [{"folder": f"point-{number:04d}", **point} for number, point in enumerate(points)]
        told = {"format": FORMAT, **content, "points": named}
        write_atomically(path / SWEEP, json.dumps(told, indent=1, allow_nan=False).encode())
        sync_folder(path.parent)
        return cls(path)

    def run(self, number: int) -> Path:
        """Return the run folder of a point."""
        return self.path / str(self.points[number]["folder"])

    def is_complete(self, number: int) -> bool:
        """Tell whether a point's run has come to its end."""
        return (self.run(number) / SUMMARY).is_file()

    @property
    def unfinished(self) -> list[int]:
        """The points whose runs are not complete, in order."""
        return [number for number in range(len(self.points)) if not self.is_complete(number)]

    @property
    def is_stopping(self) -> bool:
        """Tell whether no further point shall begin."""
        return (self.path / STOP).exists()

    def allow(self) -> None:
        """Let points begin."""
        (self.path / STOP).unlink(missing_ok=True)

    def stop(self) -> None:
        """Let no further point begin, and ask those that run to park and save."""
        (self.path / STOP).touch()
        for number in self.unfinished:
            ask_to_stop(self.run(number))


def ask_to_stop(run: Path) -> None:
    """Ask a run to park and save, if it runs or is paused."""
    if (run / MANIFEST).is_file() and _state(run) in ("running", "paused"):
        ask(run, ControlRequest("stop"))


def _state(run: Path) -> str:
    try:
        return str(json.loads((run / STATUS).read_text(encoding="utf-8"))["state"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
