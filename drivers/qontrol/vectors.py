"""The messages that set all channels of a table at once: laid out when it is opened, filled in with every write."""

from collections.abc import Iterator, Sequence

import numpy as np

from drivers.qontrol.commands import (
    ACKNOWLEDGED,
    PER_MODULE,
    VECTOR_CODES,
    Form,
    Quantity,
    Question,
    decimals,
    frame,
    words_of,
)
from ffzero_lab.device import FloatArray

WORD_BYTES, BIG_ENDIAN = 2, np.dtype(">u2")


class Vectors:
    """Messages that set *channels* (n,), rising, to values between 0 and *full*: one for each module.

    A module of which not all neighbours are given takes one message for each run of neighbours.
    """

    def __init__(self, quantity: Quantity, channels: Sequence[int], full: float, form: Form) -> None:
        runs = list(_runs(channels))
        self._full = full
        self._text = None if form == "binary" else _text(quantity, channels, runs, decimals(full))
        heads = [frame(VECTOR_CODES[quantity], channels[a], [0] * (b - a))[: -WORD_BYTES * (b - a)] for a, b in runs]
        self._frames = [(head, WORD_BYTES * a, WORD_BYTES * b) for head, (a, b) in zip(heads, runs, strict=True)]
        """The head of each frame, and which bytes of the words of all channels follow it."""

    def of(self, values: FloatArray) -> list[Question]:
        """Return the messages for *values* (n,); raises ValueError for one that is not between 0 and full scale."""
        words = words_of(values, self._full)
        if self._text is not None:
            lines = (self._text % tuple(values.tolist())).encode("ascii").splitlines(keepends=True)
            return [Question(line, ACKNOWLEDGED) for line in lines]
        sent = words.astype(BIG_ENDIAN).tobytes()
        return [Question(head + sent[first:end], ACKNOWLEDGED) for head, first, end in self._frames]


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


def _text(quantity: Quantity, channels: Sequence[int], runs: Sequence[tuple[int, int]], places: int) -> str:
    """Return the lines with a place for every number."""
    number = f"%.{places}f"
    return "".join(f"{quantity}vec{channels[first]}={','.join([number] * (last - first))}\n" for first, last in runs)
