"""What a rack answers: lines in order, each complete and as its manual prints it, or an error line instead."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from drivers.links import printable, quantity
from drivers.qontrol.commands import ACKNOWLEDGED, Question
from drivers.qontrol.errors import UNASKED, ErrorLine, error_line
from ffzero_lab.device import FloatArray

LONGEST_LINE = 80
OK, ALL_WELL = b"OK", b"OK\n"
_QUANTITY = re.compile(r"[+-]\d{1,4}\.\d{6} (?:V|mA)", re.ASCII)
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

    def end(self, received: bytes) -> int | None:
        """Return the length of all answers, None while more is needed; raises ValueError for a line of another form."""
        if self._all_well and self._all_well.startswith(
            received
        ):  # a vector is waited for line by line, and nearly always goes well
            return len(received) if len(received) == len(self._all_well) else None
        place = question = answered = 0
        while question < len(self.questions):
            newline = received.find(b"\n", place)
            if newline < 0:
                return None
            line, place = received[place:newline], newline + 1
            answers = self.questions[question].answers
            if line == OK and answers[answered] == "OK":  # nearly every line is
                answered += 1
            elif (error := error_line(text := printable(line))) is None:
                _check(text, answers[answered])
                answered += 1
            elif error.code not in UNASKED:
                answered = len(answers)
            if answered == len(answers):
                question, answered = question + 1, 0
        return place

    def read(self, reply: bytes) -> Answered:
        """Return the numbers and the errors of complete answers."""
        if self.end(reply) != len(reply):
            raise ValueError("the answers are cut off, or there is more of them")
        if self._all_well and reply == self._all_well:
            return ALL_ACKNOWLEDGED
        values: list[float] = []
        errors: list[ErrorLine] = []
        for text in (printable(line) for line in reply.split(b"\n")[:-1] if line != OK):
            error = error_line(text)
            if error is None:
                if text != "OK":
                    values.append(quantity(text, text[text.index(" ") :]))
            elif error.code not in UNASKED:
                errors.append(error)
            else:
                self.heard(error)
        return Answered(np.array(values, dtype=np.float64), tuple(errors))


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


def _check(text: str, expected: str) -> None:
    """Raise ValueError unless *text* is what was *expected*: ``OK``, or a number in this unit with all its decimals."""
    is_number = _QUANTITY.fullmatch(text) is not None and text.endswith(f" {expected}")
    good = text == "OK" if expected == "OK" else is_number
    if not good:
        what = "OK" if expected == "OK" else f"a number such as +4.500000 {expected}"
        raise ValueError(f"{what} was expected, not {text!r}")
