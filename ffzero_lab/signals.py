"""SIGINT, SIGTERM and SIGHUP: end at once while nothing is switched on, after the exchange in flight during a run."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption(BaseException):
    """The run shall end: by a signal or by request. Not an Exception, so that nothing on the way swallows it.

    Outputs: parked, after the exchange in flight; a second signal parks at once.

    Remedy: none is needed; go on with the command in the last line.
    """

    def __init__(self, reason: str, exit_code: int) -> None:
        super().__init__(reason)
        self.exit_code = exit_code


class Signals:
    """Handles the signals inside its block and restores what stood before; an ignored one (nohup) stays ignored.

    At first a signal raises Interruption from wherever the program is. After :meth:`finish_exchanges` the first one is
    only noted: :meth:`heed`, called between exchanges with the device, raises Interruption, and a second signal raises
    it at once. It is raised once: on the way to parking, and after :meth:`parking`, signals are noted and nothing else.

    Parameters
    ----------
    last
        Whether the block is the last thing that the process does: what comes after it is ignored, so that it cannot
        change the exit code any more.
    """

    def __init__(self, *, last: bool = False) -> None:
        self._last = last
        self._received: list[int] = []
        self._tolerated = 0
        self._undisturbed = False
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def finish_exchanges(self) -> None:
        """Let the first signal wait for :meth:`heed`, and the second disturb, from now on; also after parking."""
        self._tolerated = 1
        self._undisturbed = False

    def at_once(self) -> None:
        """Raise Interruption from wherever the program is, as at first, when a signal comes in from now on."""
        self._tolerated = len(self._received)
        self._undisturbed = False

    @property
    def received(self) -> bool:
        """Whether a signal has come in."""
        return bool(self._received)

    def heed(self) -> None:
        """Raise Interruption when a signal has come in."""
        if self._received:
            self._raise()

    def parking(self) -> None:
        """Let nothing disturb what follows."""
        self._undisturbed = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._received.append(number)
        if len(self._received) > self._tolerated and not self._undisturbed:
            self._raise()

    def _raise(self) -> None:
        self._undisturbed = True
        first = signal.Signals(self._received[0])
        raise Interruption(f"interrupted by {first.name}", 128 + first.value)

    def __enter__(self) -> Self:
        for number in HANDLED:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            after = signal.SIG_DFL if handler is None else handler
            signal.signal(number, signal.SIG_IGN if self._last else after)
