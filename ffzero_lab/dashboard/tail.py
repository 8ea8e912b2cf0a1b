"""Follows ``metrics.jsonl`` as it grows: curves in bounded room, the last lines of the log, what was spent."""

import sys
from collections import deque
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, cast

from ffzero_lab.dashboard.envelope import Envelope
from ffzero_lab.dashboard.wording import line_of
from ffzero_lab.runs.parsing import parsed

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
PLACES = ("layer", "step")
"""Of the newest row, numbers; the rows of a protocol have the name of a step there."""


Row = dict[str, Any]


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
        except OSError as error:
            if self._position:
                self.epoch += 1
                self._forget()
            if not isinstance(error, FileNotFoundError) and not self.log:
                self._note("warning", f"the metrics cannot be read: {error.strerror}", None)

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
            whole, _, self._rest = (self._rest + chunk).rpartition(b"\n")
            for _, group in groupby(self._rows([line for line in whole.split(b"\n") if line]), key=_kind):
                self._heed(list(group))

    def _rows(self, lines: list[bytes]) -> list[Row]:
        """Return the rows of some lines: all at once where none is damaged, which takes half the time."""
        try:
            return [_checked(row) for row in parsed(b"[" + b",".join(lines) + b"]")]
        except ValueError:
            return [row for line in lines if (row := self._row(line)) is not None]

    def _row(self, line: bytes) -> Row | None:
        try:
            return _checked(parsed(line))
        except ValueError as error:
            self._note("warning", f"a row of metrics cannot be read: {error}", None)
            return None

    def _heed(self, rows: list[Row]) -> None:
        """Take in rows of one event of one layer, one after the other."""
        self.rows += len(rows)
        self.last |= {key: value for key, value in rows[-1].items() if key not in PLACES or isinstance(value, int)}
        event, layer = _kind(rows[0])
        for name, key in CURVES.get(event, {}).items():
            own = [row for row in rows if row[key] is not None]
            curve = self.curves.setdefault((layer, name), Envelope())
            curve.extend(*([row[column] for row in own] for column in ("readings", "device_seconds", key)))
        for row in rows:
            self._tell(row)

    def _tell(self, row: Row) -> None:
        try:
            told = line_of(row, self._measure, every=LINES_PER_LAYER)
        except (KeyError, TypeError, ValueError) as error:
            told = "warning", f"a row of metrics ({row['event']}) lacks something: {error!r}"
        if told is not None:
            self._note(*told, row.get("device_seconds", row.get("device_s")))

    def _note(self, level: str, text: str, seconds: float | None) -> None:
        self._lines += 1
        self.log.append(LogLine(self._lines, seconds, level, text))


def _kind(row: Row) -> tuple[str, int]:
    return row["event"], row.get("layer", -1)


def _checked(row: Any) -> Row:
    """Return a row as runs write them; raises ValueError for anything else."""
    if not isinstance(row, dict):
        raise ValueError("it is no table")
    checked = cast("Row", row)
    event = checked.get("event")
    if not isinstance(event, str):
        raise ValueError("it has no event")
    numbers = {"layer", "readings", "device_seconds", *CURVES[event].values()} if event in CURVES else ()
    for name in numbers:
        value = checked.get(name)
        if not isinstance(value, int | float) or abs(value) > sys.float_info.max:
            raise ValueError(f"its {name} is no number")
    return checked
