"""One run as a browser follows it: what a receiver lacks of curves, log and facts, whatever it missed before."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from ffzero_lab.dashboard.bench_health import HealthHistory
from ffzero_lab.dashboard.envelope import Envelope
from ffzero_lab.dashboard.facts import facts_of, measure_of
from ffzero_lab.dashboard.tail import MetricsTail
from ffzero_lab.runs import RunReader
from ffzero_lab.runs.checkpoint import CHECKPOINT
from ffzero_lab.runs.index import damage_told
from ffzero_lab.runs.layout import HEALTH, MANIFEST, METRICS, STATUS, SUMMARY

REFRESH_S = 0.4
"""However many browsers look, the files are not looked at more often."""
FACTS_S = 2.0
"""So long may it take to see that a process is gone, of which no file tells."""
FACT_FILES = (MANIFEST, STATUS, SUMMARY, CHECKPOINT)


@dataclass(frozen=True)
class Position:
    """How far one receiver has come: a few numbers, however much it missed. Nothing waits for it."""

    epoch: int = -1
    """Of the metrics; in another one the receiver begins from nothing."""
    facts: int = 0
    """The number of the facts that it has."""
    log: int = 0
    """The number of the last line of the log that it has."""
    curves: tuple[tuple[str, "Reached"], ...] = ()
    """How far it has come in each curve."""


@dataclass(frozen=True)
class Reached:
    """What a receiver has of one curve."""

    generation: int = -1
    buckets: int = 0
    points: int = 0


class RunView:
    """One run, followed; any thread may ask. Raises InputError for a folder that holds no run."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self._lock = Lock()
        self._looked_s = self._facts_s = float("-inf")
        self._stamps: dict[str, tuple[int, int]] = {}
        self._facts: dict[str, Any] = {}
        self._facts_number = 0
        """Counts how often the facts have changed."""
        self._told: dict[Position, tuple[str, Position]] = {}
        """By where a receiver stands: what it was told at this look, and where it stands then."""
        with damage_told(path):
            self._manifest: dict[str, Any] = RunReader(path).manifest
            self._tail = MetricsTail(path / METRICS, measure_of(self._manifest))
        self._health = HealthHistory(path / HEALTH)

    def since(self, position: Position) -> tuple[dict[str, Any], Position]:
        """Return what a receiver at *position* lacks, and where it stands when it has that; empty: nothing is new.

        Raises InputError when the folder cannot be read any more.
        """
        with self._lock:
            self._refresh()
            return self._news(position)

    def told_since(self, position: Position) -> tuple[str, Position]:
        """Return the same as JSON, or an empty text; it is made once for all receivers that stand at one place."""
        with self._lock:
            self._refresh()
            if position not in self._told:
                news, reached = self._news(position)
                self._told[position] = (json.dumps(news, separators=(",", ":")) if news else "", reached)
            return self._told[position]

    def _refresh(self) -> None:
        now_s = time.monotonic()
        if now_s - self._looked_s < REFRESH_S:
            return
        self._looked_s = now_s
        self._told.clear()
        changed = {name for name in (*FACT_FILES, METRICS, HEALTH) if self._changed(name)}
        if METRICS in changed:
            self._tail.refresh()
        if HEALTH in changed:
            self._health.refresh()
        if changed or now_s - self._facts_s >= FACTS_S:
            self._looked_s = self._facts_s = float("-inf")  # until it is done: what fails, fails for everybody
            with damage_told(self.path):
                if MANIFEST in changed:
                    self._manifest = RunReader(self.path).manifest
                facts = facts_of(self.path, self.name, self._manifest, self._tail.last)
            if facts != self._facts:
                self._facts, self._facts_number = facts, self._facts_number + 1
            self._looked_s = self._facts_s = now_s

    def _changed(self, name: str) -> bool:
        """Tell whether a file has changed since it was asked for last."""
        try:
            stat = (self.path / name).stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
        except OSError:
            stamp = (0, 0)
        before, self._stamps[name] = self._stamps.get(name), stamp
        return before != stamp

    def _news(self, position: Position) -> tuple[dict[str, Any], Position]:
        news: dict[str, Any] = {}
        if position.epoch != self._tail.epoch:
            position = Position(self._tail.epoch)
            news["epoch"] = self._tail.epoch
        if position.facts != self._facts_number:
            news["facts"] = self._facts
        lines = self._tail.log_since(position.log)
        known = dict(position.curves)
        parts = {
            "curves": [
                {"layer": layer, "name": name, **piece}
                for (layer, name), curve in self._tail.curves.items()
                if (piece := _lacking(curve, known, f"{layer} {name}"))
            ],
            "health": [
                {"name": name, **piece}
                for name, curve in self._health.curves.items()
                if (piece := _lacking(curve, known, f"health {name}"))
            ],
            "log": [asdict(line) for line in lines],
        }
        reached = Position(
            self._tail.epoch, self._facts_number, lines[-1].number if lines else position.log, tuple(known.items())
        )
        return news | {name: part for name, part in parts.items() if part}, reached


def _lacking(curve: Envelope, known: dict[str, Reached], key: str) -> dict[str, Any] | None:
    """Return the piece of *curve* that the receiver lacks, or None; *known* then says that it has it."""
    reached = known.get(key, Reached())
    if reached.points == curve.points:
        return None
    piece = curve.since(reached.generation, reached.buckets)
    known[key] = Reached(piece.generation, len(curve), curve.points)
    return {"start": piece.start, "buckets": piece.buckets}
