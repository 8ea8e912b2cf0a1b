"""The grammar of SCPI: commands as a manual prints them, and the messages that a client sends (IEEE 488.2, SCPI-99)."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from drivers.emulator.errors import ScpiError

_TOKEN = re.compile(
    r"(?P<optional>\[[a-z]\])|(?P<suffix><[a-z]>)|(?P<open>\[)|(?P<close>\])|(?P<mnemonic>\*?[A-Z]+[a-z]*)|(?P<mark>[:?])"
)
_HEADER = re.compile(r"(?:\*[A-Za-z]+|:?[A-Za-z]\w*(?::[A-Za-z]\w*)*)\??", re.ASCII)
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)", re.ASCII)
_WORD = re.compile(r"[A-Za-z]\w*", re.ASCII)
_DIGITS = r"\d{1,6}"
"""No instrument has a million channels; Python refuses to read numbers of thousands of digits."""


class Pattern:
    """A command as its manual prints it, such as ``:SENSe[n]:POWer:WAVelength[:ALL]?``.

    Capitals are the short form of a mnemonic and the whole word is the long one; nothing in between is understood.
    ``<n>`` is a numeric suffix that must be given, ``[n]`` one that is 1 when left out; ``[:ALL]`` is a node that may
    be left out. The case of what is received does not matter.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._regex = re.compile(_regex_of(text), re.IGNORECASE | re.ASCII)
        self.n_suffixes = self._regex.groups

    def match(self, header: str) -> tuple[int, ...] | None:
        """Return the numeric suffixes of a header that starts at the root, None when it is another command."""
        found = self._regex.fullmatch(header)
        return None if found is None else tuple(int(suffix or "1") for suffix in found.groups())


def _regex_of(text: str) -> str:
    regex, position = "", 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise ValueError(f"{text!r} is not a command of a manual: cannot read {text[position:]!r}")
        position = token.end()
        word = token.group()
        if token.lastgroup == "mnemonic":
            short = re.escape(word.rstrip("abcdefghijklmnopqrstuvwxyz"))
            regex += f"(?:{re.escape(word)}|{short})"
        else:
            plain = {"optional": f"({_DIGITS})?", "suffix": f"({_DIGITS})", "open": "(?:", "close": ")?"}
            regex += plain.get(str(token.lastgroup), re.escape(word))
    return regex


@dataclass(frozen=True)
class Unit:
    """One command of a message: its header from the root (``:SOUR2:VOLT``, ``*IDN?``) and its parameters as text."""

    header: str
    parameters: tuple[str, ...]


def units_of(message: str) -> Iterator[Unit]:
    """Yield the commands of one message; raises ScpiError where it stops being one.

    A header without a leading colon goes on from the node at which the one before it ended
    (``:SOUR1:VOLT 1;VOLT?``), a common command (``*…``) leaves that node as it is (SCPI-99 volume 1, 6.2.4).
    """
    if not message.isascii():
        raise ScpiError(-101, "a message must be ASCII")
    if not message.strip():
        return
    path = ""
    for part in _split(message, ";"):
        words = part.strip().split(maxsplit=1)
        if not words:
            raise ScpiError(-102, "a command is missing next to a semicolon")
        header = words[0]
        if not _HEADER.fullmatch(header):
            raise ScpiError(-102, header)
        if not header.startswith("*"):
            header = header if header.startswith(":") else f"{path}:{header}"
            path = header.rpartition(":")[0]
        yield Unit(header, _parameters(words[1]) if len(words) > 1 else ())


def _parameters(text: str) -> tuple[str, ...]:
    parameters = tuple(parameter.strip() for parameter in _split(text, ","))
    if not all(parameters):
        raise ScpiError(-102, "a parameter is missing next to a comma")
    return parameters


def _split(text: str, separator: str) -> list[str]:
    """Split *text* at the separators that stand outside of quotes."""
    if '"' not in text and "'" not in text:
        return text.split(separator)
    parts, quote = [""], ""
    for character in text:
        if character == separator and not quote:
            parts.append("")
            continue
        if character == quote:
            quote = ""
        elif not quote and character in "\"'":
            quote = character
        parts[-1] += character
    if quote:
        raise ScpiError(-151, "the quote is not closed")
    return parts


def number(text: str, units: Mapping[str, float]) -> float:
    """Return a finite decimal number times its unit (upper case; the empty one if it may be left out).

    Raises ScpiError for words (NAN and INF are words), other units and numbers that no double can hold.
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise ScpiError(-104 if _WORD.fullmatch(text) else -120, f"{text} is not a number")
    digits, unit = found.groups()
    if unit.upper() not in units:
        raise ScpiError(-131, f"{unit or 'a number without a unit'} is none of {', '.join(filter(None, units))}")
    value = float(digits) * units[unit.upper()]
    if not math.isfinite(value):
        raise ScpiError(-123, digits)
    return value


def whole_number(text: str) -> int:
    """Return a whole number; raises ScpiError for anything else."""
    if not re.fullmatch(rf"[+-]?{_DIGITS}", text, re.ASCII):
        raise ScpiError(-120, f"{text} is not a whole number")
    return int(text)


def choice(text: str, choices: Mapping[str, int]) -> int:
    """Return what a word (upper case) of *choices* stands for; raises ScpiError for any other."""
    if text.upper() not in choices:
        raise ScpiError(-224, f"{text} is none of {', '.join(choices)}")
    return choices[text.upper()]


def block(payload: bytes) -> bytes:
    """Return *payload* as an IEEE 488.2 definite-length block: ``#``, digits of the length, the length, the bytes."""
    length = str(len(payload))
    return f"#{len(length)}{length}".encode() + payload
