"""Errors as SCPI instruments report them: the standard numbers, and the queue that is read by ``SYST:ERR?``."""

from collections import deque

TEXTS = {
    0: "No error",
    -101: "Invalid character",
    -102: "Syntax error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -113: "Undefined header",
    -114: "Header suffix out of range",
    -120: "Numeric data error",
    -123: "Exponent too large",
    -131: "Invalid suffix",
    -151: "Invalid string data",
    -222: "Data out of range",
    -224: "Illegal parameter value",
    -230: "Data corrupt or stale",
    -240: "Hardware error",
    -241: "Hardware missing",
    -350: "Queue overflow",
    -363: "Input buffer overrun",
    -410: "Query INTERRUPTED",
}
"""Numbers and texts of SCPI-99, volume 2, chapter 21."""
LONGEST_TEXT = 255
DEPTH = 30
POWER_ON, OPERATION_COMPLETE = 128, 1
"""Bits of the standard event status register (IEEE 488.2, 11.5.1) that are set by other things than errors."""


class ScpiError(Exception):
    """A command that was not carried out, with its standard number and what it was about."""

    def __init__(self, number: int, about: str = "") -> None:
        super().__init__(f"{number}: {TEXTS[number]}; {about}")
        self.number = number
        self.about = about

    @property
    def is_command_error(self) -> bool:
        """True when the message was not understood, so that the rest of it is thrown away."""
        return -200 < self.number <= -100

    @property
    def event_bit(self) -> int:
        """The bit of the standard event status register for this class of errors."""
        return {1: 32, 2: 16, 3: 8, 4: 4}[-self.number // 100]


class ErrorQueue:
    """Errors, oldest first; when it is full, the last one becomes -350."""

    def __init__(self) -> None:
        self._entries: deque[str] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, error: ScpiError) -> ScpiError:
        """Append an error; returns the one that is now in the queue, which is the overflow when it was full."""
        if len(self._entries) == DEPTH:
            error = ScpiError(-350)
            self._entries.pop()
        text = TEXTS[error.number] + (f"; {error.about}" if error.about else "")
        self._entries.append(f'{error.number},"{_quotable(text)}"')
        return error

    def take(self) -> str:
        """Return the oldest error as ``number,"text"`` and forget it."""
        return self._entries.popleft() if self._entries else '0,"No error"'

    def clear(self) -> None:
        """Forget all errors."""
        self._entries.clear()


def _quotable(text: str) -> str:
    """Return *text* as the inside of a SCPI string: printable ASCII, no quote, bounded."""
    shown = "".join(character if character.isascii() and character.isprintable() else "?" for character in text)
    return shown.replace('"', "'")[:LONGEST_TEXT]
