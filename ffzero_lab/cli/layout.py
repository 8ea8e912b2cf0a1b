"""Brings text into the columns, and the signs, that a terminal has."""

import re
import shutil
import sys
import textwrap
from collections.abc import Collection, Mapping, Sequence

import typer

_ASCII = str.maketrans(
    {"…": "...", "·": "-", "²": "2", "°": "deg ", "µ": "u", "Ω": "Ohm", "–": "-", "−": "-", "±": "+-"}
)


def wrapped(text: str, width: int) -> str:
    """Return *text* in lines of at most *width* columns, all as far from the left as it begins, behind its number.

    A word that is wider, such as a path, is left whole: the terminal carries it on, and it can be copied.
    """
    begins = re.match(r"\s*(?:\d+ (?=\S+  ))?", text)  # a step of a protocol: its number, its name, two spaces
    indent = " " * (len(begins.group()) if begins else 0)
    lines = textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def say(text: str) -> None:
    """Print *text* on standard output, wrapped between words where that is a terminal."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        text = "\n".join(wrapped(line, width) for line in text.splitlines())
    typer.echo(text)


def columns(
    rows: Sequence[Mapping[str, str]], width: int, left_out_first: Sequence[str] = (), numbers: Collection[str] = ()
) -> list[str]:
    """Return *rows* with the same keys as lines of columns under their names.

    Where they do not fit *width*, columns are left out in the order of *left_out_first*; nothing is ever cut. The
    columns of *numbers* stand at the right.
    """
    names = [*rows[0]]
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in names}
    for name in left_out_first:
        if sum(widths[each] + 2 for each in names) - 2 > width:
            names.remove(name)
    header = {name: name for name in names}

    def cell(row: Mapping[str, str], name: str) -> str:
        return row[name].rjust(widths[name]) if name in numbers else row[name].ljust(widths[name])

    return ["  ".join(cell(row, name) for name in names).rstrip() for row in (header, *rows)]


def fitting(text: str, *, ascii_only: bool) -> str:
    """Return *text* as it is, or in ASCII, where a sign that has no likeness becomes a question mark."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii") if ascii_only else text
