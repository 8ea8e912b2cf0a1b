"""Time as a twin sees it: virtual or real, and put back exactly from a snapshot."""

from ffzero_lab.device import Clock, VirtualClock, WallClock


def clock_for(clock: Clock | None, *, realtime: bool) -> Clock:
    """Return the clock that was given, else a real or a virtual one."""
    if clock is not None:
        return clock
    return WallClock() if realtime else VirtualClock()


class DeviceTime:
    """Seconds on a virtual clock, or on a real one since the twin was switched on; drift and settling follow it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._origin_s = 0.0 if isinstance(clock, VirtualClock) else clock.now_s()

    def now_s(self) -> float:
        """Return the device time in seconds."""
        return self._clock.now_s() - self._origin_s

    def restore(self, now_s: float) -> None:
        """Continue at the device time of a snapshot."""
        if isinstance(self._clock, VirtualClock):
            self._clock.restore(now_s)
        else:
            self._origin_s = self._clock.now_s() - now_s
