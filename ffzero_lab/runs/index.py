"""The index of a folder of runs: what a list tells of each, read again only where a run has changed since."""

import json
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from ffzero_lab.errors import InputError
from ffzero_lab.runs.atomic import write_briefly
from ffzero_lab.runs.layout import MANIFEST, SUMMARY
from ffzero_lab.runs.reader import RunReader

INDEX = ".index.json"
FORMAT = 2
PROTOCOL = "protocol"
"""Kind of a run whose folder holds the steps of a protocol; a training run's manifest names no kind."""
TRAINING = "training"
Row = dict[str, Any]
Seen = list[int]


def indexed_runs(run_dir: Path) -> list[Row]:
    """Return one row for each run folder below *run_dir*, oldest first; a damaged one is told with its problem.

    The index is kept in *run_dir* and worth nothing by itself: without it, or when it is damaged, all is read from the
    folders, and where it cannot be written that happens every time.
    """
    known = _kept(run_dir / INDEX)
    found: dict[str, tuple[Seen, Row]] = {}
    for name, seen in _folders(run_dir):
        before = known.get(name)
        found[name] = before if before is not None and before[0] == seen else (seen, _row(run_dir / name))
    if found != known:
        content = {"format": FORMAT, "runs": found}
        with suppress(OSError):  # nothing is lost but time, and the disk is left to those who lose more
            write_briefly(run_dir / INDEX, json.dumps(content).encode(), among_others=True)
    return [row for _, row in found.values()]


@contextmanager
def damage_told(run: Path) -> Generator[None]:
    """Turn what a file of valid JSON but of other content raises into one message."""
    try:
        yield
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{run} is damaged: {type(error).__name__}: {error}") from error


def _folders(run_dir: Path) -> Iterator[tuple[str, Seen]]:
    """Yield the name of each run folder in order, and what changes when one of its files is replaced."""
    if not run_dir.is_dir():
        return
    with os.scandir(run_dir) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        base = f"{run_dir}/{name}/"  # os.path rather than pathlib: of thousands
        manifest = _stamp(base + MANIFEST)
        if manifest is None:  # it may be a run, of somebody else
            yield name, []
        elif manifest:
            yield name, manifest + (_stamp(base + SUMMARY) or [])


def _stamp(path: str) -> Seen | None:
    """Return what tells whether a file has changed: empty where there is none, None where nobody may look."""
    try:
        stat = os.stat(path)  # noqa: PTH116
    except PermissionError:
        return None
    except OSError:
        return []
    return [stat.st_mtime_ns, stat.st_size, stat.st_ino]


def _kept(path: Path) -> dict[str, tuple[Seen, Row]]:
    """Return what the index says; nothing where it is missing, damaged or of another version."""
    try:
        content: Any = json.loads(path.read_bytes())
        if content["format"] != FORMAT:
            return {}
        return {name: (seen, cast("Row", {**row})) for name, (seen, row) in content["runs"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _row(folder: Path) -> Row:
    row: Row = dict.fromkeys(("run", "kind", "dataset", "device", "seed", "test_accuracy", "test_r2", "shots"))
    row |= {"run": folder.name, "completed": False, "state": "unreadable", "problem": None}
    try:
        with damage_told(folder):
            return row | _told(RunReader(folder))
    except InputError as error:
        return row | {"problem": str(error)}


def _told(run: RunReader) -> Row:
    summary = run.summary
    common = {
        "device": run.manifest["device"]["name"],
        "shots": None if summary is None else int(summary["shots"]),
        "completed": summary is not None,
        "state": "incomplete" if summary is None else "complete",
    }
    if run.manifest.get("kind") == PROTOCOL:
        return {"kind": PROTOCOL, "dataset": run.manifest["protocol"]["name"], **common}
    settings = run.manifest["settings"]
    return {
        **common,
        "kind": TRAINING,
        "dataset": settings["dataset"],
        "seed": settings["seed"],
        "test_accuracy": _test_score(summary, "test_accuracy", settings["readout"]),
        "test_r2": _test_score(summary, "test_r2", settings["readout"]),
    }


def _test_score(summary: Mapping[str, Any] | None, key: str, readout: str) -> float | None:
    return None if summary is None or key not in summary else float(summary[key][readout])
