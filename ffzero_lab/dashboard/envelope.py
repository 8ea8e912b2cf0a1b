"""A curve of any length in bounded room: neighbours are merged, and no extreme value is ever lost."""

from collections.abc import Sequence
from dataclasses import dataclass

MOST_BUCKETS = 800
"""More than a screen has columns for one curve; merging leaves half of it."""


@dataclass(slots=True)
class Bucket:
    """Neighbouring points as one: where the last of them stands, their extremes and their sum."""

    readings: float
    seconds: float
    low: float
    high: float
    total: float
    count: int

    def take(self, later: "Bucket") -> None:
        """Merge with the bucket behind."""
        self.readings, self.seconds = later.readings, later.seconds
        self.low, self.high = min(self.low, later.low), max(self.high, later.high)
        self.total += later.total
        self.count += later.count


@dataclass(frozen=True)
class Piece:
    """The buckets of a curve from a place on; what the receiver has from there on is replaced.

    ``generation`` counts how often the whole curve was merged: after that all of it is sent again.
    """

    generation: int
    start: int
    buckets: list[list[float]]
    """Measurements, device seconds, lowest, highest and mean value of each."""


class Envelope:
    """A curve over measurements that grows, in at most *most* buckets of equal count."""

    def __init__(self, most: int = MOST_BUCKETS) -> None:
        self._most = most
        self._capacity = 1
        self._buckets: list[Bucket] = []
        self._generation = 0
        self.points = 0
        """How many were added."""

    def extend(self, readings: Sequence[float], seconds: Sequence[float], values: Sequence[float]) -> None:
        """Append points; they come in the order of their measurements."""
        at = 0
        while at < len(values):
            grows = bool(self._buckets) and self._buckets[-1].count < self._capacity
            room = self._capacity - (self._buckets[-1].count if grows else 0)
            own = values[at : at + room]
            at += len(own)
            bucket = Bucket(readings[at - 1], seconds[at - 1], min(own), max(own), sum(own), len(own))
            if grows:
                self._buckets[-1].take(bucket)
                continue
            self._buckets.append(bucket)
            if len(self._buckets) > self._most:
                self._merge()
        self.points += at

    def since(self, generation: int, known: int) -> Piece:
        """Return what somebody lacks who has the first *known* buckets of *generation*; the last may have grown."""
        start = max(0, known - 1) if generation == self._generation else 0
        buckets = [
            [b.readings, round(b.seconds, 4), _short(b.low), _short(b.high), _short(b.total / b.count)]
            for b in self._buckets[start:]
        ]
        return Piece(self._generation, start, buckets)

    def __len__(self) -> int:
        return len(self._buckets)

    def _merge(self) -> None:
        """Make one bucket of every two; a last one without a neighbour stays and goes on to grow."""
        for first, second in zip(self._buckets[::2], self._buckets[1::2], strict=False):
            first.take(second)
        self._buckets = self._buckets[::2]
        self._capacity *= 2
        self._generation += 1


def _short(value: float) -> float:
    """Return *value* to six digits, which no screen shows more of."""
    return float(f"{value:.6g}")
