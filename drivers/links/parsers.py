"""Numbers out of complete replies: exactly the expected count of finite ones, or ValueError; pure functions."""

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_DECIMALS = b"0123456789+-.eE"
_BLANKS = b" \t\r"


def numbers(reply: bytes, count: int, separator: bytes = b",", terminator: bytes = b"\n") -> FloatArray:
    """Return the *count* finite decimal numbers of an ASCII reply, as float64 (count,).

    Raises ValueError when the terminator is missing (``1.11`` may be the beginning of ``1.111000``), when the count is
    another one, and for anything else than finite decimal numbers: words, ``nan``, ``inf``, ``1_000``, empty fields.
    """
    text = content(reply, terminator)
    fields = text.decode("ascii", "replace").split(separator.decode())
    if len(fields) != count:
        raise ValueError(f"{len(fields)} numbers instead of {count}")
    if text.translate(None, (_DECIMALS + _BLANKS).replace(separator, b"")) != separator * (count - 1):
        raise ValueError("something else than decimal numbers")
    return finite(np.array(list(map(float, fields))))


def quantity(text: str, unit: str = "") -> float:
    """Return the finite number of a text such as ``+4.500000 V``; raises ValueError unless it ends in *unit*."""
    if not text.endswith(unit):
        raise ValueError(f"{text!r} does not end in the unit {unit}")
    number = text.removesuffix(unit).encode()
    if number.translate(None, _DECIMALS + _BLANKS):
        raise ValueError(f"{text!r} is not a decimal number and the unit {unit}")
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not finite")
    return value


def content(reply: bytes, terminator: bytes) -> bytes:
    """Return what stands before the one *terminator* at the end of *reply*; raises ValueError where it does not end."""
    end = reply.find(terminator)
    if end < 0:
        raise ValueError("the terminator is missing: the reply may be cut off")
    if end + len(terminator) != len(reply):
        raise ValueError("more than one reply")
    return reply[:end]


def block_end(received: bytes, terminator: bytes = b"\n") -> int | None:
    """Return the length of the IEEE-488.2 definite-length block that begins *received*, None while more is needed.

    The form is ``#``, one digit n, n digits that give the length, so many bytes, terminator (IEEE 488.2-1992, 8.7.9).
    Raises ValueError when it is something else, also for a block of indefinite length (``#0``): nothing tells its end.
    """
    if not received:
        return None
    if received[:1] != b"#":
        raise ValueError("a definite-length block begins with #")
    digits = received[1:2]
    if digits and digits not in b"123456789":
        raise ValueError(f"a definite-length block says how long it is, this one begins with #{digits!r}")
    length = received[2 : 2 + int(digits or b"1")]
    if length and not length.isdigit():
        raise ValueError(f"the length of the block is not a number: {length!r}")
    if not digits or len(length) < int(digits):
        return None
    return 2 + len(length) + int(length) + len(terminator)


def block(reply: bytes, count: int, number: str = "<f4", terminator: bytes = b"\n") -> FloatArray:
    """Return the *count* finite numbers of an IEEE-488.2 definite-length block, as float64 (count,).

    Parameters
    ----------
    reply
        The whole reply with its terminator (which may be empty).
    count
        How many numbers there have to be.
    number
        Byte order, ``<`` (Intel) or ``>``, and type: ``f4``, ``f8``, ``i1``, ``i2``, ``i4``, ``u1``, ``u2`` or ``u4``.
    terminator
        What follows the block.
    """
    if block_end(reply, terminator) != len(reply) or not reply.endswith(terminator):
        raise ValueError("the block is cut off, or something else than the terminator follows it")
    values = reply[2 + int(reply[1:2]) : len(reply) - len(terminator)]
    kind = np.dtype(number)
    if len(values) != count * kind.itemsize:
        raise ValueError(f"{len(values)} bytes instead of {count} numbers of {kind.itemsize}")
    return finite(np.frombuffer(values, kind).astype(np.float64))


def finite(values: FloatArray) -> FloatArray:
    """Return *values* if all of them are finite; raises ValueError with the place of the first that is not."""
    good = np.isfinite(values)
    if not good.all():
        raise ValueError(f"number {int(np.argmin(good))} (from 0) is {values[int(np.argmin(good))]}")
    return values
