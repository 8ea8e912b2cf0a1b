"""Interlocks that are judged at every check: for twins, whose clock is a virtual one."""

from collections.abc import Mapping

from ffzero_lab.device.interlocks import InterlockGuard, InterlockJudge, SameReading
from ffzero_lab.device.port import Device
from ffzero_lab.device.trip import Trip, unreadable
from ffzero_lab.device.watched import WatchedReading


class SynchronousInterlocks(InterlockGuard):
    """Reads the health at every check: for twins, where it takes neither time nor noise and must be repeatable.

    Parameters
    ----------
    judge
        What the readings are held against.
    device
        The device whose health is read.
    """

    def __init__(self, judge: InterlockJudge, device: Device) -> None:
        self._judge = judge
        self._device = device
        self._trip: Trip | None = None

    def start(self) -> None:
        """Check once; raises InterlockTripped when an interlock is tripped already."""
        self.check()

    def check(self) -> None:
        """Read and judge the health; raises InterlockTripped when it is out of bounds or cannot be read."""
        if self._trip is None:
            self._trip = self._look()
        if self._trip is not None:
            raise self._trip.error()

    def stop(self) -> None:
        """Do nothing: a check reads the health by itself and cannot be left unwatched."""

    @property
    def watched(self) -> tuple[WatchedReading, ...]:
        """The channels that have bounds, as they were at the last check."""
        return self._judge.watched

    @property
    def readings(self) -> Mapping[str, float]:
        """All readings, as they were at the last check."""
        return self._judge.readings

    def _look(self) -> Trip | None:
        try:
            readings = self._device.read_health()
            reason = self._judge.reason if isinstance(readings, SameReading) else self._judge.judge(readings)
        except Exception as error:  # noqa: BLE001 - kept as the cause of the trip
            return Trip(unreadable(self._device, error), error)
        return None if reason is None else Trip(reason)
