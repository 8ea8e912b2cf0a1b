"""Messages to a Qontrol rack as its firmware takes them apart: lines of ASCII, and binary frames."""

import re
import struct
from dataclasses import dataclass

_LINE = re.compile(r"\s*([a-z]+)(\d{0,5})\s*([=?])\s*(.*?)\s*", re.IGNORECASE | re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d{1,9}\.?\d{0,12}|\.\d{1,12})", re.ASCII)
HEAD_BYTES, WORD_BYTES = 5, 2
MOST_WORDS = 4096
BINARY, BROADCAST, ALL_CHANNELS, BY_SERIAL, READ, DATA_EXTENDED = 0x80, 0x40, 0x20, 0x10, 0x08, 0x02
FULL_WORD = 0xFFFF
BINARY_NAMES = {0x00: "v", 0x01: "i", 0x02: "vmax", 0x03: "imax"}

UNRECOGNISED, BAD_PARAMETER, BAD_CHANNEL, FORBIDDEN, OVERFLOW, GARBLED, TIMED_OUT = 10, 11, 12, 13, 14, 15, 16


class Refused(Exception):
    """A message that is not obeyed, with its number and the channel that it is about."""

    def __init__(self, code: int, channel: int = 0) -> None:
        super().__init__(f"E{code:02d}:{channel:02d}")
        self.code, self.channel = code, channel


@dataclass(frozen=True)
class Command:
    """What a message says.

    Attributes
    ----------
    name
        In small letters, such as ``v``, ``vmax``, ``vvec``, ``nupall``.
    channel
        The number behind the name, None where there is none.
    asks
        Whether it is a question.
    values
        What is set: numbers in V or mA, in a binary frame shares of the full scale.
    is_share
        Whether they are shares.
    """

    name: str
    channel: int | None
    asks: bool
    values: tuple[float, ...] = ()
    is_share: bool = False


def message_end(received: bytes) -> int | None:
    """Return the length of the message that begins *received*; None while more is needed."""
    if received[0] < BINARY:
        return received.find(b"\n") + 1 or None
    if not received[0] & DATA_EXTENDED:
        end = HEAD_BYTES if received[0] & READ else HEAD_BYTES + WORD_BYTES
    elif len(received) < HEAD_BYTES + WORD_BYTES:
        return None
    else:
        count = min(int.from_bytes(received[HEAD_BYTES : HEAD_BYTES + WORD_BYTES]), MOST_WORDS)
        end = HEAD_BYTES + WORD_BYTES * (1 + count)
    return end if len(received) >= end else None


def command_of(message: bytes) -> Command:
    """Return what a whole *message* says; raises Refused for one that says nothing."""
    return _of_frame(message) if message[0] >= BINARY else _of_line(message)


def _of_line(message: bytes) -> Command:
    found = _LINE.fullmatch(message.decode("latin-1"))
    if found is None:
        raise Refused(UNRECOGNISED)
    name, channel, operator, rest = found.groups()
    number = int(channel) if channel else None
    if operator == "?":
        if rest:
            raise Refused(BAD_PARAMETER, number or 0)
        return Command(name.lower(), number, asks=True)
    texts = rest.split(",")
    if not all(_DECIMAL.fullmatch(text.strip()) for text in texts):
        raise Refused(BAD_PARAMETER, number or 0)
    return Command(name.lower(), number, asks=False, values=tuple(map(float, texts)))


def _of_frame(message: bytes) -> Command:
    header, code, _, *address = message[:HEAD_BYTES]
    channel = int.from_bytes(address)
    if header.bit_count() % 2 == 0:
        raise Refused(GARBLED, channel)
    if code not in BINARY_NAMES:
        raise Refused(UNRECOGNISED, channel)
    if header & (BROADCAST | ALL_CHANNELS | BY_SERIAL):
        raise Refused(FORBIDDEN, channel)
    name = BINARY_NAMES[code]
    if header & READ:
        return Command(name, channel, asks=True)
    start = HEAD_BYTES + (WORD_BYTES if header & DATA_EXTENDED else 0)
    words = struct.unpack(f">{(len(message) - start) // WORD_BYTES}H", message[start:])
    if not words:
        raise Refused(BAD_PARAMETER, channel)
    shares = tuple([word / FULL_WORD for word in words])
    vector = f"{name}vec" if header & DATA_EXTENDED and name in ("v", "i") else name
    return Command(vector, channel, asks=False, values=shares, is_share=True)
