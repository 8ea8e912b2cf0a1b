"""Health channels as they were last read, beside the bounds they are held against; telling them reads nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal, Protocol

NEAR = 0.1
"""A reading is near a bound within so much of the magnitude of the bound, or of the span between both if that is less.

Nothing is near a bound of 0, at which a heat or a current stands when it is switched off.
"""

Place = Literal["within", "near", "beyond"]


class Bounded(Protocol):
    """What watches one channel."""

    @property
    def channel(self) -> str:
        """Its name."""
        ...

    @property
    def unit(self) -> str:
        """Its unit."""
        ...

    @property
    def lower(self) -> float | None:
        """Smallest reading that is allowed."""
        ...

    @property
    def upper(self) -> float | None:
        """Largest reading that is allowed."""
        ...


@dataclass(frozen=True)
class WatchedReading:
    """One channel: its last reading, not a number where it was missing, and the tightest bounds on it."""

    channel: str
    unit: str
    value: float
    lower: float | None
    upper: float | None

    @property
    def place(self) -> Place:
        """Where the reading stands; one that is no finite number is beyond its bounds."""
        value, lower, upper = self.value, self.lower, self.upper
        if not isfinite(value):
            return "beyond"
        if (lower is not None and value < lower) or (upper is not None and value > upper):
            return "beyond"
        span = upper - lower if lower is not None and upper is not None else inf
        near = any(abs(value - bound) < NEAR * min(abs(bound), span) for bound in (lower, upper) if bound is not None)
        return "near" if near else "within"


def watched_readings(bounds: Iterable[Bounded], readings: Mapping[str, float]) -> tuple[WatchedReading, ...]:
    """Return one entry for each channel that has bounds, in their order, with the tightest of them."""
    seen: dict[str, WatchedReading] = {}
    for bound in bounds:
        before = seen.get(bound.channel)
        lowers = [side for side in (bound.lower, before and before.lower) if side is not None]
        uppers = [side for side in (bound.upper, before and before.upper) if side is not None]
        seen[bound.channel] = WatchedReading(
            bound.channel,
            bound.unit,
            float(readings.get(bound.channel, float("nan"))),
            max(lowers, default=None),
            min(uppers, default=None),
        )
    return tuple(seen.values())
