"""One run as a browser follows it: what a receiver lacks of curves, log and facts, whatever it missed before."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

from ffzero_lab.dashboard.bench_health import HealthHistory
from ffzero_lab.dashboard.envelope import Envelope, Piece
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


class Position:
    """How far one receiver has come: a few numbers, however much it missed. Nothing waits for it."""

    def __init__(self) -> None:
        self.begin(-1)

    def begin(self, epoch: int) -> None:
        """Begin from nothing, in that epoch of the metrics."""
        self.epoch = epoch
        self.facts = ""
        self.log = 0
        self.curves: dict[str, tuple[int, int, int]] = {}
        """Of each curve the generation, the buckets and the points that it has."""


class RunView:
    """One run, followed; any thread may ask. Raises InputError for a folder that holds no run."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self._lock = Lock()
        self._looked_s = self._facts_s = float("-inf")
        self._stamps: dict[str, tuple[int, int]] = {}
        self._facts: dict[str, Any] = {}
        with damage_told(path):
            self._manifest: dict[str, Any] = RunReader(path).manifest
            self._tail = MetricsTail(path / METRICS, measure_of(self._manifest))
        self._health = HealthHistory(path / HEALTH)

    def since(self, position: Position) -> dict[str, Any]:
        """Return what a receiver at *position* lacks, and bring *position* up to it; empty: nothing is new.

        Raises InputError when the folder cannot be read any more.
        """
        with self._lock:
            self._refresh()
            return self._news(position)

    def _refresh(self) -> None:
        now_s = time.monotonic()
        if now_s - self._looked_s < REFRESH_S:
            return
        self._looked_s = now_s
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
                self._facts = facts_of(self.path, self.name, self._manifest, self._tail.last)
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

    def _news(self, position: Position) -> dict[str, Any]:
        news: dict[str, Any] = {}
        if position.epoch != self._tail.epoch:
            position.begin(self._tail.epoch)
            news["epoch"] = self._tail.epoch
        facts = json.dumps(self._facts)
        if facts != position.facts:
            position.facts = facts
            news["facts"] = self._facts
        lines = self._tail.log_since(position.log)
        if lines:
            position.log = lines[-1].number
        parts = {
            "curves": [
                {"layer": layer, "name": name, **_sent(piece)}
                for (layer, name), curve in self._tail.curves.items()
                if (piece := _lacking(curve, position, f"{layer} {name}"))
            ],
            "health": [
                {"name": name, **_sent(piece)}
                for name, curve in self._health.curves.items()
                if (piece := _lacking(curve, position, f"health {name}"))
            ],
            "log": [asdict(line) for line in lines],
        }
        return news | {name: part for name, part in parts.items() if part}


def _lacking(curve: Envelope, position: Position, key: str) -> Piece | None:
    """Return the piece of *curve* that the receiver lacks, or None; it has it then."""
    generation, buckets, points = position.curves.get(key, (-1, 0, 0))
    if points == curve.points:
        return None
    piece = curve.since(generation, buckets)
    position.curves[key] = (piece.generation, len(curve), curve.points)
    return piece


def _sent(piece: Piece) -> dict[str, Any]:
    return {"start": piece.start, "buckets": piece.buckets}
