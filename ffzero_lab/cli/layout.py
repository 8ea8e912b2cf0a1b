"""Brings text into the columns, and the signs, that a terminal has."""

import textwrap

_ASCII = str.maketrans(
    {"…": "...", "·": "-", "²": "2", "°": "deg ", "µ": "u", "Ω": "Ohm", "–": "-", "−": "-", "±": "+-"}
)


def wrapped(text: str, width: int) -> str:
    """Return *text* in lines of at most *width* columns, all as far from the left as it begins.

    A word that is wider, such as a path, is left whole: the terminal carries it on, and it can be copied.
    """
    indent = text[: len(text) - len(text.lstrip())]
    lines = textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def fitting(text: str, *, ascii_only: bool) -> str:
    """Return *text* as it is, or in ASCII, where a sign that has no likeness becomes a question mark."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii") if ascii_only else text
