"""Who holds the health readings against the interlocks: nobody forgets to, and nobody stops without being noticed."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import isfinite, nan

from ffzero_lab.device.clock import VirtualClock
from ffzero_lab.device.interlocks import Interlock, InterlockGuard, InterlockJudge, NoInterlocks
from ffzero_lab.device.port import Device
from ffzero_lab.device.synchronous import SynchronousInterlocks
from ffzero_lab.device.trip import Trip, unreadable
from ffzero_lab.device.watched import WatchedReading

POLL_INTERVAL_S = 1.0
STALE_AFTER_S = 5.0
JOIN_DEADLINE_S = 1.0


class Watcher(InterlockGuard):
    """Reads the health in a thread of its own, for hardware, and trips as well when that thread dies or hangs.

    It serves one run: once stopped or tripped it is never started again. The health is read while the caller's
    thread exchanges with the same device, so that the driver must allow both at once.

    Whoever checks parks the device when a check raises. If nobody checks for ``stale_s`` after a trip (the caller's
    thread stands at a disk that hangs, or in a long computation), the watcher's thread parks it.

    Parameters
    ----------
    judge
        What the readings are held against; from the start on only the thread uses it.
    device
        The device whose health is read.
    interval_s
        Pause between two readings.
    stale_s
        Oldest reading to rely on, counted from the moment it was asked for; and how long a trip may go unheeded.
    clock
        Monotonic seconds.
    wait
        Lets a pause pass, or less once the event is set.
    """

    def __init__(
        self,
        judge: InterlockJudge,
        device: Device,
        interval_s: float,
        stale_s: float,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        if not 0.0 < interval_s < stale_s or not isfinite(stale_s):
            raise ValueError(
                f"interval_s {interval_s} must be above 0 and below stale_s {stale_s}, which must be finite: else "
                "every reading is stale, or none ever"
            )
        self._judge = judge
        self._device = device
        self._interval_s = interval_s
        self._stale_s = stale_s
        self._clock = clock
        self._wait = wait
        self._thread = threading.Thread(
            target=self._watch, name=f"interlocks of {device.description.name}", daemon=True
        )
        self._stopping = threading.Event()
        self._looked = threading.Event()
        self._heeded = threading.Event()
        """Whether somebody knows that the watch has ended, and parks by himself."""
        self._meanwhile = ""
        """What was done because nobody did."""
        self._lock = threading.Lock()
        self._trip: Trip | None = None
        self._good_s = nan
        """When the last good reading was asked for."""

    def start(self) -> None:
        """Start the thread and return after its first good reading.

        Raises
        ------
        InterlockTripped
            When that reading trips, fails or does not arrive within ``stale_s``.
        RuntimeError
            When the watcher was started before.
        """
        self._good_s = self._clock()
        self._thread.start()
        try:
            if not self._looked.wait(self._stale_s):
                self._latch(self._says(f"the first reading did not arrive within {self._stale_s} s; check the link"))
            self.check()
        except BaseException:
            self._heeded.set()
            self._stopping.set()
            raise

    def check(self) -> None:
        """Return when the last reading was good and is recent; costs a microsecond and reads nothing.

        Raises
        ------
        InterlockTripped
            When an interlock tripped, the thread died or hangs, or the watcher is not running. The first of these is
            kept and raised ever after.
        """
        age_s = self._clock() - self._good_s
        if self._trip is None and age_s <= self._stale_s and self._thread.is_alive():
            return
        self._heeded.set()
        error = self._first_trip(age_s).error()
        if self._meanwhile:
            error.add_note(self._meanwhile)
        raise error

    def stop(self, deadline_s: float = JOIN_DEADLINE_S) -> None:
        """End the thread, waiting at most *deadline_s* for a reading in flight; from then on every check raises.

        A thread that hangs is left behind: should its reading ever return, it ends without another.
        """
        self._latch(self._says("the watcher was stopped and nothing watches the device; start a new one"))
        self._heeded.set()
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(deadline_s)

    @property
    def watched(self) -> tuple[WatchedReading, ...]:
        """The channels that have bounds, as the thread last read them."""
        return self._judge.watched

    @property
    def readings(self) -> Mapping[str, float]:
        """All readings, as the thread last read them."""
        return self._judge.readings

    def _watch(self) -> None:
        try:
            while not self._stopping.is_set() and self._look():
                self._looked.set()
                self._wait(self._stopping, self._interval_s)
        except BaseException as error:  # noqa: BLE001 - whatever ends the watch is raised by the next check
            self._latch(unreadable(self._device, error), error)
        finally:
            self._looked.set()
        self._park_if_unheeded()

    def _park_if_unheeded(self) -> None:
        with suppress(Exception):  # what disturbs the pause was latched before; without a pause it is parked sooner
            self._wait(self._heeded, self._stale_s)
        if self._heeded.is_set():
            return
        nobody = self._says(f"nobody took notice of the trip for {self._stale_s} s, so that the watcher parked")
        try:
            self._device.park()
        except Exception as error:  # noqa: BLE001 - told by the next check, which parks again
            self._meanwhile = f"{nobody}, which failed ({type(error).__name__}: {error}); outputs may still be on"
        else:
            self._meanwhile = f"{nobody} the device"

    def _look(self) -> bool:
        asked_s = self._clock()
        reason = self._judge.judge(self._device.read_health())
        gap_s = self._clock() - self._good_s
        if reason is not None:
            self._latch(reason)
        elif not gap_s <= self._stale_s:  # tripped even when nobody checked meanwhile: what happened then is unknown
            self._latch(self._stale(gap_s))
        else:
            self._good_s = asked_s
            return True
        return False

    def _first_trip(self, age_s: float) -> Trip:
        if self._trip is None and self._thread.ident is None:
            return Trip(self._says("the watcher was never started and nothing watches the device; start it first"))
        if not self._thread.is_alive():
            return self._latch(self._says("the watching thread is gone (was the process forked?); start a new one"))
        return self._latch(self._stale(age_s))

    def _latch(self, reason: str, cause: BaseException | None = None) -> Trip:
        with self._lock:
            if self._trip is None:
                self._trip = Trip(reason, cause)
            return self._trip

    def _stale(self, age_s: float) -> str:
        return self._says(
            f"the last good reading is {age_s:.3g} s old, more than {self._stale_s} s: the reading hangs or the "
            "process was paused; check the link"
        )

    def _says(self, what: str) -> str:
        return f"{self._device.description.name}, interlocks: {what}"


def interlocks_on(
    device: Device,
    interlocks: tuple[Interlock, ...],
    *,
    interval_s: float = POLL_INTERVAL_S,
    stale_s: float = STALE_AFTER_S,
) -> InterlockGuard:
    """Return the guard of *interlocks* that suits the device's clock: synchronous on a virtual one, else a watcher."""
    if not interlocks:
        return NoInterlocks()
    judge = InterlockJudge(interlocks, device.description.name)
    if isinstance(device.clock, VirtualClock):
        return SynchronousInterlocks(judge, device)
    return Watcher(judge, device, interval_s, stale_s)
