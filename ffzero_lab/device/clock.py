"""Device time: the wall clock on hardware, a virtual one on twins."""

import time
from typing import Protocol


class Clock(Protocol):
    """What the engine and the drivers ask of time."""

    def now_s(self) -> float:
        """Return the seconds since an arbitrary, fixed origin; never steps back."""
        ...

    def sleep_s(self, duration_s: float) -> None:
        """Let *duration_s* seconds pass on this clock."""
        ...


class WallClock:
    """Real time, from the operating system's monotonic clock."""

    def now_s(self) -> float:
        """Return the monotonic time in seconds."""
        return time.monotonic()

    def sleep_s(self, duration_s: float) -> None:
        """Block the calling thread for *duration_s* seconds."""
        time.sleep(duration_s)


class VirtualClock:
    """Time that passes only when somebody sleeps: latency is accounted, nobody waits."""

    def __init__(self, start_s: float = 0.0) -> None:
        self._now_s = start_s

    def now_s(self) -> float:
        """Return the virtual time in seconds."""
        return self._now_s

    def sleep_s(self, duration_s: float) -> None:
        """Advance the virtual time by *duration_s* seconds; raises ValueError for a negative duration."""
        if not duration_s >= 0.0:
            raise ValueError(f"cannot sleep for {duration_s} s: a clock never steps back")
        self._now_s += duration_s

    def restore(self, now_s: float) -> None:
        """Continue at the time of a snapshot."""
        self._now_s = now_s
