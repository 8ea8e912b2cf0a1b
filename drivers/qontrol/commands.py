"""What a rack is sent: settings, questions, and binary frames."""

import math
import struct
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from ffzero_lab.device import FloatArray

Form = Literal["ascii", "binary"]
Quantity = Literal["v", "i"]
UNITS: dict[Quantity, str] = {"v": "V", "i": "mA"}
PER_MODULE = 8
FULL_WORD = 0xFFFF
"""Full scale of a binary word, and of the converter behind every channel."""
BINARY, READ, DATA_EXTENDED, ODD_PARITY = 0x80, 0x08, 0x02, 0x01
ACKNOWLEDGED = ("OK",)
VECTOR_CODES: dict[Quantity, int] = {"v": 0x00, "i": 0x01}


class Question(NamedTuple):
    """A message and the lines that answer it: ``OK``, or a number in the unit V or mA."""

    message: bytes
    answers: tuple[str, ...]


def frame(code: int, channel: int, words: Sequence[int]) -> bytes:
    """Return a binary frame that sets *words* (0 to 65535 of full scale) from *channel* on.

    Header with odd parity, command, three bytes of address (0, channel high, channel low), count, words; big-endian.
    """
    header = BINARY | DATA_EXTENDED
    header |= ODD_PARITY if header.bit_count() % 2 == 0 else 0
    head = bytes([header, code, 0]) + channel.to_bytes(2) + len(words).to_bytes(2)
    return head + struct.pack(f">{len(words)}H", *words)


def words_of(values: FloatArray, full: float) -> FloatArray:
    """Return *values* (n,) as words, whole numbers; raises ValueError for one that is not between 0 and full scale."""
    words = np.rint(values * (FULL_WORD / full))
    if not ((words >= 0) & (words <= FULL_WORD)).all():  # a NaN is not within
        raise ValueError(f"values between 0 and {full} were expected, not {values}")
    return words


def setting(name: str, channel: int, value: float, full: float) -> Question:
    """Return the message that sets one quantity of one channel, such as its limit ``vmax``."""
    return Question(f"{name}{channel}={value:.{decimals(full)}f}\n".encode("ascii"), ACKNOWLEDGED)


def asking(name: str, channel: int) -> Question:
    """Return the message that asks for one quantity of one channel: ``v``, ``i``, ``vmax`` or ``imax``."""
    return Question(f"{name}{channel}?\n".encode("ascii"), (UNITS["v" if name[0] == "v" else "i"],))


def asking_all(quantity: Quantity, n_channels: int) -> Question:
    """Return the message that asks for a measured quantity of all channels of the chain."""
    return Question(f"{quantity}all?\n".encode("ascii"), (*[UNITS[quantity]] * n_channels, "OK"))


def decimals(full: float) -> int:
    """Return how many decimals tell the steps of the converter apart, a twentieth of one being lost at most."""
    return max(0, math.ceil(-math.log10(full / FULL_WORD / 10.0)))


def batches(questions: Sequence[Question], most_bytes: int) -> Iterator[list[Question]]:
    """Split *questions* so that those sent at once fit into the rack's buffer; one that does not goes alone."""
    if sum([len(question.message) for question in questions]) <= most_bytes and questions:
        yield [*questions]
        return
    batch: list[Question] = []
    filled = 0
    for question in questions:
        size = len(question.message)
        if batch and filled + size > most_bytes:
            yield batch
            batch, filled = [], 0
        batch.append(question)
        filled += size
    if batch:
        yield batch
