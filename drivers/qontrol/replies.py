"""What a rack answers: lines in order, each complete and as its manual prints it, or an error line instead."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from drivers.links import printable
from drivers.qontrol.commands import ACKNOWLEDGED, UNITS, Question
from drivers.qontrol.errors import UNASKED, ErrorLine, error_line
from ffzero_lab.device import FloatArray

LONGEST_LINE = 80
ALL_WELL = b"OK\n"
_QUANTITIES = {"OK": re.compile(rb"OK")} | {
    unit: re.compile(rb"[+-]\d{1,4}\.\d{6} " + unit.encode("ascii")) for unit in UNITS.values()
}
"""A line that answers, as it is printed: ``OK``, or a number in a unit with all its decimals."""
_MODULE = re.compile(r"(\S+):(\d+)")


@dataclass(frozen=True)
class Answered:
    """What came back: the numbers (n,) in their order, and the error lines that answered a message instead."""

    values: FloatArray
    errors: tuple[ErrorLine, ...]


ALL_ACKNOWLEDGED = Answered(np.empty(0), ())


class Answers:
    """The answers to several messages that were sent at once.

    A message is answered by all its lines or by one error line. What can only be said unasked is passed to *heard* and
    answers nothing.
    """

    def __init__(self, questions: Sequence[Question], heard: Callable[[ErrorLine], None]) -> None:
        self.questions, self.heard = questions, heard
        forms = [question.answers for question in questions]
        self.n_lines = sum(map(len, forms))
        self.limit_bytes = 2 * LONGEST_LINE * (1 + self.n_lines)
        """The greatest length of all answers, with an unasked line for each."""
        self._all_well = self.n_lines * ALL_WELL if forms.count(ACKNOWLEDGED) == len(forms) else b""
        """What comes where nothing but acknowledgements is expected and nothing is wrong; empty: else."""
        self._lines: _Lines | None = None
        """What was looked at so far."""

    def end(self, received: bytes) -> int | None:
        """Return the length of all answers, None while more is needed; raises ValueError for a line of another form."""
        if self._all_well and self._all_well.startswith(received):  # nearly always, and asked with every line
            return len(received) if len(received) == len(self._all_well) else None
        lines = self._lines
        if lines is None or not received.startswith(lines.seen):
            lines = self._lines = _Lines()
        return lines.walk(received, self.questions)

    def read(self, reply: bytes) -> Answered:
        """Return the numbers and the errors of complete answers."""
        if self.end(reply) != len(reply):
            raise ValueError("the answers are cut off, or there is more of them")
        if self._lines is None or reply == self._all_well:
            return ALL_ACKNOWLEDGED
        for error in self._lines.unasked:
            self.heard(error)
        return Answered(np.array(self._lines.values, dtype=np.float64), tuple(self._lines.errors))


class _Lines:
    """What complete lines said so far; each is looked at once, however the answers come in."""

    def __init__(self) -> None:
        self.seen = b""
        """The lines."""
        self.values: list[float] = []
        self.errors: list[ErrorLine] = []
        self.unasked: list[ErrorLine] = []
        self._question = self._answered = 0

    def walk(self, received: bytes, questions: Sequence[Question]) -> int | None:
        """Go on through *received*, which begins with what was seen; return the end of all answers, None before it."""
        place = len(self.seen)
        try:
            while self._question < len(questions):
                newline = received.find(b"\n", place)
                if newline < 0:
                    return None
                self._take(received[place:newline], questions[self._question].answers)
                place = newline + 1
        finally:
            self.seen = received[:place]
        return place

    def _take(self, line: bytes, answers: tuple[str, ...]) -> None:
        expected = answers[self._answered]
        if _QUANTITIES[expected].fullmatch(line) is not None:  # nearly every line is as it should be
            self._answered += 1
            if expected != "OK":
                self.values.append(float(line[: -len(expected)]))
        elif (error := error_line(text := printable(line))) is None:
            if _QUANTITIES[expected].fullmatch(text.encode()) is None:
                what = "OK" if expected == "OK" else f"a number such as +4.500000 {expected}"
                raise ValueError(f"{what} was expected, not {text!r}")
            self._take(text.encode(), answers)
            return
        elif error.code in UNASKED:
            self.unasked.append(error)
        else:
            self.errors.append(error)
            self._answered = len(answers)
        if self._answered == len(answers):
            self._question, self._answered = self._question + 1, 0


@dataclass(frozen=True)
class Words:
    """Lines of text up to the one for which *is_last* holds; *heard* is told of error lines among them.

    An error line that answers the question is refused.
    """

    is_last: Callable[[str], bool]
    heard: Callable[[ErrorLine], None]
    limit_bytes: int = 65_536

    def end(self, received: bytes) -> int | None:
        """Return the length up to the end of the last line, None while more is needed."""
        place = 0
        while (newline := received.find(b"\n", place)) >= 0:
            text, place = printable(received[place:newline]), newline + 1
            error = error_line(text)
            if error is not None and error.code not in UNASKED:
                raise ValueError(f"the answer is {error}")
            if error is None and self.is_last(text):
                return place
        return None

    def read(self, reply: bytes) -> list[str]:
        """Return the lines that are no errors."""
        if self.end(reply) != len(reply):
            raise ValueError("the lines are cut off, or there are more of them")
        lines = [printable(line) for line in reply.split(b"\n")[:-1]]
        for line in lines:
            if (error := error_line(line)) is not None:
                self.heard(error)
        return [line for line in lines if error_line(line) is None]


@dataclass(frozen=True)
class Unasked:
    """An error line that nobody asked for; *heard* is told of it. Any other line is a late reply, and refused."""

    heard: Callable[[ErrorLine], None]
    limit_bytes: int = LONGEST_LINE

    def end(self, received: bytes) -> int | None:
        """Return the length of the line."""
        return received.find(b"\n") + 1 or None

    def read(self, reply: bytes) -> None:
        """Tell of the error; raises ValueError for what is none."""
        error = error_line(printable(reply.removesuffix(b"\n")))
        if error is None:
            raise ValueError("a line came that nobody asked for, and that reports no error: a late reply?")
        self.heard(error)


def modules_of(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the modules that ``nupall?`` lists, in the order of the chain; raises ValueError for anything else."""
    found = [_MODULE.fullmatch(line) for line in lines]
    modules = [match[1] for match in found if match is not None]
    if len(modules) != len(lines) or [match[2] for match in found if match] != [str(n) for n in range(len(lines))]:
        raise ValueError(f"modules were expected, numbered from 0 in the order of the chain, not {list(lines)}")
    return tuple(modules)


def errors_in(received: bytes) -> list[ErrorLine]:
    """Return the error lines among complete lines of whatever was discarded."""
    lines = received.decode("latin-1").split("\n")[:-1]
    return [error for line in lines if (error := error_line(line.strip())) is not None]
