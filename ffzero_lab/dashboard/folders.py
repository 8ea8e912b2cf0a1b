"""The folder of runs as the live view may see it: names become folders inside of it, or nothing."""

import os
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from ffzero_lab.errors import InputError
from ffzero_lab.runs.index import indexed_runs
from ffzero_lab.runs.layout import MANIFEST
from ffzero_lab.runs.standing import state_told

MOST_PARTS = 3
"""A training run of a protocol that is a point of a sweep would stand so deep."""
GROUPS = {"sweep.json": "sweep", "compare.json": "comparison"}


@dataclass(frozen=True)
class Listing:
    """Some rows of a list of runs, newest first, and how many there are in all."""

    rows: list[dict[str, Any]]
    total: int


class RunsFolder:
    """The folder of runs. Whatever a browser names, nothing outside of it is ever opened."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._indexing = Lock()

    def folder(self, name: str) -> Path:
        """Return the folder *name* (``RUN`` or ``SWEEP/POINT``) stands for; raises InputError when it is none.

        A link that leads out of the folder of runs is refused as well.
        """
        parts = name.split("/")
        if not 0 < len(parts) <= MOST_PARTS or not all(map(_is_plain, parts)):
            raise InputError(f"{name!r} is no name of a run")
        path = self.root.joinpath(*parts)
        try:
            found = path.resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            raise InputError(f"there is no run {name!r}") from None
        if not found.is_relative_to(self.root) or found == self.root or not found.is_dir():
            raise InputError(f"there is no run {name!r}")
        return found

    def run(self, name: str) -> Path:
        """Return the folder of a run; raises InputError when *name* is none."""
        folder = self.folder(name)
        if not os.path.isfile(folder / MANIFEST):  # noqa: PTH113 - false, too, where nobody may look
            raise InputError(f"{name!r} is no run: its folder has no {MANIFEST}")
        return folder

    def listing(self, under: str = "", *, words: str = "", most: int = 200) -> Listing:
        """Return the newest *most* runs with every one of *words*, of the folder or of a group *under* it."""
        base = self.root if not under else self.folder(under)
        with self._indexing:
            rows = [row for row in indexed_runs(base) if self._is_shown(base, str(row["run"]))]
        rows += _groups(base, {str(row["run"]) for row in rows})
        rows.sort(key=lambda row: str(row["run"]), reverse=True)
        wanted = words.lower().split()
        if wanted:
            rows = [row for row in (_with_state(base, row) for row in rows) if _is_among(row, wanted)]
        shown = [row | {"path": f"{under}/{row['run']}" if under else row["run"]} for row in rows[:most]]
        return Listing([_with_state(base, row) for row in shown], len(rows))

    def _is_shown(self, base: Path, name: str) -> bool:
        path = base / name
        return _is_plain(name) and (not path.is_symlink() or path.resolve().is_relative_to(self.root))


def _is_plain(part: str) -> bool:
    """Tell whether a part of a name is one folder's own name: nothing that leads elsewhere, nothing hidden."""
    return bool(part) and not part.startswith(".") and part.isprintable() and not set(part) & set("/\\")


def _groups(base: Path, runs: Container[str]) -> list[dict[str, Any]]:
    """Return a row for every folder of a sweep or of a comparison in *base* that is none of *runs*."""
    found: list[dict[str, Any]] = []
    if not base.is_dir():
        return found
    with os.scandir(base) as entries:
        folders = [entry for entry in entries if entry.name not in runs and _is_plain(entry.name)]
    for entry in folders:
        for file, kind in GROUPS.items():
            if entry.is_dir(follow_symlinks=False) and (Path(entry.path) / file).is_file():
                points = sum(1 for _ in Path(entry.path).glob(f"*/{MANIFEST}"))
                found.append({"run": entry.name, "kind": kind, "points": points, "state": "", "problem": None})
    return found


def _with_state(base: Path, row: dict[str, Any]) -> dict[str, Any]:
    """Say of a run that is not complete how it stands: that is not in the index."""
    return row | {"state": state_told(base / row["run"])} if row["state"] == "incomplete" else row


def _is_among(row: dict[str, Any], words: Iterable[str]) -> bool:
    searched = " ".join(str(row.get(key)) for key in ("run", "dataset", "device", "state", "kind")).lower()
    return all(word in searched for word in words)
