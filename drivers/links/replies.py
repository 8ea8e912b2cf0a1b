"""What an instrument is expected to answer: where the reply ends, and what it says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from drivers.links.parsers import FloatArray, block, block_end, content, numbers

LIMIT_BYTES = 65_536
NUMBER_TYPES = ("f4", "f8", "i1", "i2", "i4", "u1", "u2", "u4")

T_co = TypeVar("T_co", covariant=True)


class Reply(Protocol[T_co]):
    """The form of a reply. A dialect with replies of its own writes a class with these three members."""

    @property
    def limit_bytes(self) -> int:
        """Return the greatest length of a reply; what goes on longer is refused."""
        ...

    def end(self, received: bytes) -> int | None:
        """Return the length of the reply that begins *received*, None while more is needed.

        Raises ValueError as soon as it cannot become a reply any more.
        """
        ...

    def read(self, reply: bytes) -> T_co:
        """Return what a complete reply says; raises ValueError when it says anything else than expected."""
        ...


@dataclass(frozen=True)
class Nothing:
    """No reply at all."""

    limit_bytes: int = 0

    def end(self, received: bytes) -> int:
        """Return 0: nothing has to come."""
        del received
        return 0

    def read(self, reply: bytes) -> None:
        """Return None."""
        del reply


class _Line:
    """A reply of one line."""

    terminator: bytes

    def end(self, received: bytes) -> int | None:
        """Return the length of the line, None while the terminator is missing."""
        place = received.find(self.terminator)
        return None if place < 0 else place + len(self.terminator)


@dataclass(frozen=True)
class Text(_Line):
    """One line of printable ASCII, without the blanks around it."""

    terminator: bytes = b"\n"
    limit_bytes: int = LIMIT_BYTES

    def read(self, reply: bytes) -> str:
        """Return the text without terminator; raises ValueError for other characters."""
        return printable(content(reply, self.terminator))


@dataclass(frozen=True)
class Numbers(_Line):
    """One line of exactly *count* finite decimal numbers."""

    count: int
    separator: bytes = b","
    terminator: bytes = b"\n"
    limit_bytes: int = LIMIT_BYTES

    def __post_init__(self) -> None:
        if self.count < 1 or len(self.separator) != 1 or self.separator in b"0123456789+-.eE" or not self.terminator:
            raise ValueError(f"{self}: count is 1 or more, separator one character of no number, terminator not empty")

    def read(self, reply: bytes) -> FloatArray:
        """Return the numbers (count,)."""
        return numbers(reply, self.count, self.separator, self.terminator)


@dataclass(frozen=True)
class Block:
    """An IEEE-488.2 definite-length block of exactly *count* finite numbers; *number* as in :func:`parsers.block`."""

    count: int
    number: str = "<f4"
    terminator: bytes = b"\n"
    limit_bytes: int = LIMIT_BYTES

    def __post_init__(self) -> None:
        if self.count < 1 or self.number[:1] not in ("<", ">") or self.number[1:] not in NUMBER_TYPES:
            raise ValueError(f"{self}: count is 1 or more, number < or > and one of {', '.join(NUMBER_TYPES)}")

    def end(self, received: bytes) -> int | None:
        """Return the length that the head of the block announces; raises ValueError if it exceeds the limit."""
        end = block_end(received, self.terminator)
        if end is not None and end > self.limit_bytes:
            raise ValueError(f"a block of {end} bytes is announced, at most {self.limit_bytes} are expected")
        return None if end is None or len(received) < end else end

    def read(self, reply: bytes) -> FloatArray:
        """Return the numbers (count,)."""
        return block(reply, self.count, self.number, self.terminator)


@dataclass(frozen=True)
class Lines:
    """Lines of printable ASCII up to the one for which *is_last* holds, such as ``OK``."""

    is_last: Callable[[str], bool]
    terminator: bytes = b"\n"
    limit_bytes: int = LIMIT_BYTES

    def end(self, received: bytes) -> int | None:
        """Return the length up to the end of the last line; raises ValueError for a line that is not ASCII."""
        begin = 0
        while (place := received.find(self.terminator, begin)) >= 0:
            line = printable(received[begin:place])
            begin = place + len(self.terminator)
            if self.is_last(line):
                return begin
        return None

    def read(self, reply: bytes) -> list[str]:
        """Return all the lines, the last one included."""
        text = reply.removesuffix(self.terminator)
        if text == reply:
            raise ValueError("the terminator is missing: the reply may be cut off")
        return [printable(line) for line in text.split(self.terminator)]


def printable(line: bytes) -> str:
    """Return *line* as text without the blanks around it; raises ValueError unless it is printable ASCII."""
    text = line.decode("ascii").strip(" \t\r")
    if not text.isprintable():
        raise ValueError(f"characters that cannot be printed: {text!r}")
    return text
