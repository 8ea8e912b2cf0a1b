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
        if duration_s != 0.0:  # sleeping for nothing gives the processor away all the same
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


class HeldClock:
    """Time as it was when the last exchange ended: the same in a recorded run and in its replay.

    Parameters
    ----------
    start_s
        Where it begins.
    behind
        The clock that really lets time pass; None: nobody waits.
    """

    def __init__(self, start_s: float, behind: Clock | None = None) -> None:
        self._held_s, self._behind = start_s, behind

    def now_s(self) -> float:
        """Return the time in seconds at the end of the last exchange, plus what was slept since."""
        return self._held_s

    def sleep_s(self, duration_s: float) -> None:
        """Let *duration_s* seconds pass; raises ValueError for a negative duration."""
        if not duration_s >= 0.0:
            raise ValueError(f"cannot sleep for {duration_s} s: a clock never steps back")
        if self._behind is not None:
            self._behind.sleep_s(duration_s)
        self._held_s += duration_s

    def reached(self, now_s: float) -> None:
        """Note that an exchange ended at *now_s*."""
        self._held_s = max(self._held_s, now_s)

    def restore(self, now_s: float) -> None:
        """Continue at the time of a snapshot."""
        self._held_s = now_s


class VirtualHeldClock(HeldClock, VirtualClock):
    """The same for a device on which time passes only when somebody sleeps."""
