"""What comes back after setting something: what stands there now, and whether the instrument complains."""

import re
from dataclasses import dataclass

import numpy as np

from drivers.links import Text
from drivers.links.parsers import numbers
from ffzero_lab.device import FloatArray

_ENTRY = re.compile(r'\s*([+-]?\d+)\s*(?:,\s*(?:"(.*)"|(.*)))?\s*')


@dataclass(frozen=True)
class Complaint:
    """An entry of the error queue: number and text; number 0 is none."""

    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.number} {self.text!r}"


@dataclass(frozen=True)
class Standing:
    """What an instrument says right after a command.

    Attributes
    ----------
    values
        (n,) what it reads back, one list behind the other; empty where it was not asked.
    complaint
        The oldest entry of its error queue, or None where it was not asked.
    """

    values: FloatArray
    complaint: Complaint | None


@dataclass(frozen=True)
class Answer:
    """One line with semicolons between the replies: lists of so many numbers and, if *complains*, an error entry."""

    counts: tuple[int, ...]
    separator: bytes
    complains: bool
    limit_bytes: int = 1 << 22

    def end(self, received: bytes) -> int | None:
        """Return the length of the line, None while the terminator is missing."""
        return Text().end(received)

    def read(self, reply: bytes) -> Standing:
        """Return what the line says; raises ValueError for any other line."""
        line = reply.removesuffix(b"\n")
        if line == reply or b"\n" in line:
            raise ValueError("one line with its terminator was expected")
        n_lists = len(self.counts)
        replies = line.split(b";", n_lists if self.complains else -1)
        if len(replies) != n_lists + self.complains:
            entry = " and an entry of the error queue" if self.complains else ""
            raise ValueError(f"{n_lists} lists{entry} were expected, with semicolons between them")
        lists = [numbers(one + b"\n", n, self.separator) for one, n in zip(replies, self.counts, strict=False)]
        told = complaint(replies[-1].decode("ascii", "replace")) if self.complains else None
        return Standing(np.concatenate([np.empty(0), *lists]), told)


def complaint(text: str) -> Complaint:
    """Return the entry of the error queue that *text* is; raises ValueError for anything else."""
    found = _ENTRY.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no entry of an error queue: number, text")
    return Complaint(int(found[1]), found[2] if found[2] is not None else found[3] or "")
