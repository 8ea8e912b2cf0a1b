"""Follows ``metrics.jsonl`` as it grows: curves in bounded room, the last lines of the log, what was spent."""

import json
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from ffzero_lab.dashboard.envelope import Envelope
from ffzero_lab.dashboard.wording import line_of

CHUNK_BYTES = 1 << 20
LOG_LINES = 200
MARK_BYTES = 256
LINES_PER_LAYER = 10
CURVES = {
    "step": {"loss": "loss", "score": "score", "slope": "slope_rms"},
    "check": {"validation": "validation_score"},
    "layer": {"trained": "sum_train_score"},
}
"""By event: the name of each curve, and the key it is drawn from."""


@dataclass(frozen=True)
class LogLine:
    """One line of the log; ``number`` counts from 1 and never goes back while the same file is followed."""

    number: int
    device_seconds: float | None
    level: str
    """``note``, ``warning`` or ``done``."""
    text: str


class MetricsTail:
    """Reads a file of metrics from its beginning, and what was appended since whenever it is asked to.

    A run that is resumed cuts its metrics off at its checkpoint: the file is then read anew, and ``epoch`` tells so.
    """

    def __init__(self, path: Path, measure: str = "accuracy") -> None:
        self._path = path
        self._measure = measure
        self.epoch = 0
        self._forget()

    def refresh(self) -> None:
        """Read what is new; a file that is not there holds nothing."""
        try:
            with self._path.open("rb") as file:
                if not self._goes_on(file):
                    self.epoch += 1
                    self._forget()
                self._read(file)
        except FileNotFoundError:
            if self._position:
                self.epoch += 1
                self._forget()

    def log_since(self, number: int) -> list[LogLine]:
        """Return the lines after *number*, as far as they are kept."""
        return [line for line in self.log if line.number > number]

    def _forget(self) -> None:
        self.curves: dict[tuple[int, str], Envelope] = {}
        """By layer and name."""
        self.last: dict[str, Any] = {}
        """The newest value of every key."""
        self.rows = 0
        self.log: deque[LogLine] = deque(maxlen=LOG_LINES)
        self._lines = 0
        self._position = 0
        self._rest = b""
        self._mark = b""

    def _goes_on(self, file: BinaryIO) -> bool:
        """Tell whether the file still begins with what was read of it: its last bytes are compared."""
        file.seek(self._position - len(self._mark))
        return file.read(len(self._mark)) == self._mark

    def _read(self, file: BinaryIO) -> None:
        file.seek(self._position)
        while chunk := file.read(CHUNK_BYTES):
            self._position += len(chunk)
            self._mark = (self._mark + chunk)[-MARK_BYTES:]
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                self._take(line)

    def _take(self, line: bytes) -> None:
        if not line:
            return
        try:
            row: Any = json.loads(line)
            self._heed(cast("dict[str, Any]", {**row}))
        except (ValueError, TypeError, KeyError) as error:
            self._note("warning", f"a row of metrics cannot be read ({type(error).__name__})", None)

    def _heed(self, row: dict[str, Any]) -> None:
        self.rows += 1
        event = row["event"]
        self.last |= row
        for name, key in CURVES.get(event, {}).items():
            if row.get(key) is not None:
                curve = self.curves.setdefault((int(row["layer"]), name), Envelope())
                curve.add(float(row["readings"]), float(row["device_seconds"]), float(row[key]))
        told = line_of(row, self._measure, every=LINES_PER_LAYER)
        if told is not None:
            seconds = row.get("device_seconds", row.get("device_s"))
            self._note(*told, None if seconds is None else float(seconds))

    def _note(self, level: str, text: str, seconds: float | None) -> None:
        self._lines += 1
        self.log.append(LogLine(self._lines, seconds, level, text))
