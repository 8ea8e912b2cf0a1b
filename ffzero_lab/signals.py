"""SIGINT, SIGTERM and SIGHUP: the first asks the run to end, the second ends it at once, parking is never disturbed."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption(BaseException):
    """The run shall end: by a signal or by request. Not an Exception, so that nothing on the way swallows it."""

    def __init__(self, reason: str, exit_code: int) -> None:
        super().__init__(reason)
        self.exit_code = exit_code


class Signals:
    """Handles the signals while a run goes on; a context manager that restores what stood before.

    The first signal is only noted: :meth:`heed`, called between exchanges with the device, raises Interruption. A
    second one raises it from wherever the program is. Once :meth:`parking` was called, signals are noted and nothing
    else.
    """

    def __init__(self) -> None:
        self._received: list[int] = []
        self._parking = False
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def heed(self) -> None:
        """Raise Interruption when a signal has come in."""
        if self._received:
            raise self._interruption()

    def parking(self) -> None:
        """Let nothing disturb what follows."""
        self._parking = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._received.append(number)
        if len(self._received) > 1 and not self._parking:
            raise self._interruption()

    def _interruption(self) -> Interruption:
        first = signal.Signals(self._received[0])
        return Interruption(f"interrupted by {first.name}", 128 + first.value)

    def __enter__(self) -> Self:
        for number in HANDLED:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
