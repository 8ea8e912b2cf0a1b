"""What a rack is sent: vectors, one message for each module, and questions; as ASCII or as binary frames."""

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ffzero_lab.device import FloatArray

Form = Literal["ascii", "binary"]
Quantity = Literal["v", "i"]
UNITS: dict[Quantity, str] = {"v": "V", "i": "mA"}
PER_MODULE = 8
FULL_WORD = 0xFFFF
"""Full scale of a binary word, and of the converter behind every channel."""
BINARY, READ, DATA_EXTENDED, ODD_PARITY = 0x80, 0x08, 0x02, 0x01
VECTOR_CODES: dict[Quantity, int] = {"v": 0x00, "i": 0x01}


@dataclass(frozen=True)
class Question:
    """A message and the lines that answer it: ``OK``, or a number in the unit V or mA."""

    message: bytes
    answers: tuple[str, ...]


def vectors(quantity: Quantity, channels: Sequence[int], values: FloatArray, full: float, form: Form) -> list[Question]:
    """Return the messages that set *channels* (n,), rising, to *values* (n,) of *full* scale: one for each module.

    A module of which not all neighbours are given takes one message for each run of neighbours.
    """
    runs = list(_runs(channels))
    if form == "ascii":
        messages = [_line(quantity, channels[first], values[first:last], full) for first, last in runs]
    else:
        code, words = VECTOR_CODES[quantity], words_of(values, full)
        messages = [frame(code, channels[first], words[first:last]) for first, last in runs]
    return [Question(message, ("OK",)) for message in messages]


def frame(code: int, channel: int, words: Sequence[int]) -> bytes:
    """Return a binary frame that sets *words* (0 to 65535 of full scale) from *channel* on.

    Header with odd parity, command, three bytes of address (0, channel high, channel low), count, words; big-endian.
    """
    header = BINARY | DATA_EXTENDED
    header |= ODD_PARITY if header.bit_count() % 2 == 0 else 0
    head = bytes([header, code, 0]) + channel.to_bytes(2) + len(words).to_bytes(2)
    return head + struct.pack(f">{len(words)}H", *words)


def words_of(values: FloatArray, full: float) -> list[int]:
    """Return *values* (n,) as words; raises ValueError for one that is not between 0 and full scale."""
    words = np.rint(np.asarray(values) / full * FULL_WORD)
    if not ((words >= 0) & (words <= FULL_WORD)).all():
        raise ValueError(f"values between 0 and {full} were expected, not {values}")
    return words.astype(np.int64).tolist()


def setting(name: str, channel: int, value: float, full: float) -> Question:
    """Return the message that sets one quantity of one channel, such as its limit ``vmax``."""
    return Question(f"{name}{channel}={value:.{decimals(full)}f}\n".encode("ascii"), ("OK",))


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
    batch: list[Question] = []
    for question in questions:
        if batch and sum(len(one.message) for one in (*batch, question)) > most_bytes:
            yield batch
            batch = []
        batch.append(question)
    if batch:
        yield batch


def _runs(channels: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the places (first, last + 1) of neighbouring channels of one module."""
    first = 0
    for place in range(1, len(channels) + 1):
        if (
            place == len(channels)
            or channels[place] != channels[place - 1] + 1
            or channels[place] // PER_MODULE != channels[first] // PER_MODULE
        ):
            yield first, place
            first = place


def _line(quantity: Quantity, channel: int, values: FloatArray, full: float) -> bytes:
    numbers = ",".join([f"%.{decimals(full)}f"] * len(values)) % tuple(values.tolist())
    return f"{quantity}vec{channel}={numbers}\n".encode("ascii")
