"""Keeps an energised board from parking itself while its host is alive, and parks one that nobody uses any more."""

import threading
from collections.abc import Callable

from ffzero_lab.device import Clock, DeviceError

BEATS_PER_WATCHDOG = 4
ENDS_WITHIN_S = 2.0


class Heartbeat:
    """A thread that beats while the board is energised and nobody else speaks to it.

    A program that hangs must not keep a board energised for ever, nor may a run that is paused lose it at once: the
    heart beats on for *idle_s* after the last request that acted, and then *park* is called.

    Parameters
    ----------
    beat
        Speaks to the board; a DeviceError it raises is left to the next user of the link, which finds it tainted.
    park
        Parks the board; told what for.
    spoken_s
        When anybody last spoke to the board, on *clock*.
    period_s
        How long the board may be left without a word.
    idle_s
        How long the board may be energised without being used.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        beat: Callable[[], None],
        park: Callable[[float], None],
        spoken_s: Callable[[], float],
        period_s: float,
        idle_s: float,
    ) -> None:
        self._clock = clock
        self._beat = beat
        self._park = park
        self._spoken_s = spoken_s
        self._period_s = period_s
        self._idle_s = idle_s
        self._changed = threading.Condition()
        self._energised = False
        self._ended = False
        self._acted_s = clock.now_s()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def energised(self) -> None:
        """Take note that something was asked of the board that its watchdog watches over."""
        with self._changed:
            self._acted_s = self._clock.now_s()
            if not self._energised:
                self._energised = True
                self._changed.notify()

    def rest(self) -> None:
        """Beat no more until the board is energised again: also when parking fails, so that the watchdog parks it."""
        with self._changed:
            self._energised = False

    def end(self) -> None:
        """End the thread; calling it again does nothing."""
        with self._changed:
            self._energised, self._ended = False, True
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(ENDS_WITHIN_S)

    def _run(self) -> None:
        while self._wait():
            if not self._energised:
                continue  # put to rest meanwhile
            idle_s = self._clock.now_s() - self._acted_s
            try:
                if idle_s >= self._idle_s:
                    self._park(idle_s)
                elif self._clock.now_s() - self._spoken_s() >= 0.9 * self._period_s:
                    self._beat()
            except DeviceError:
                continue  # the link is tainted, or the loss was noted: whoever uses the board next is told

    def _wait(self) -> bool:
        """Wait until it may be time to beat; returns False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._energised or self._ended)
            self._changed.wait_for(lambda: self._ended, self._period_s)
            return not self._ended
