"""Commands as they stand in a bench file: text in the words of the manual, with places for numbers."""

import re
from collections.abc import Iterable
from string import Formatter
from typing import Annotated

from pydantic import AfterValidator, Field

_DECIMAL = re.compile(r"[+-]?\d+\.?\d*(?:[eE][+-]?\d+)?", re.ASCII)
"""What an instrument takes for one number; a separator of thousands would make two of it."""


def with_places(*places: str) -> AfterValidator:
    """Return a check that a command has every one of *places*, and no other."""

    def checked(command: str) -> str:
        found = {name for _, name, _, _ in Formatter().parse(command) if name is not None}
        if found != set(places):
            wanted = ", ".join(f"{{{place}}}" for place in places) or "none"
            raise ValueError(f"places in braces must be {wanted}; found {sorted(found) or 'none'}")
        if not command.isprintable() or not command.isascii():
            raise ValueError("only printable ASCII can be sent, one message in one line")
        return command

    return AfterValidator(checked)


Plain = Annotated[str, Field(min_length=1), with_places()]
"""A command or query as it is sent."""
OfChannel = Annotated[str, with_places("channel")]
"""A query of one channel."""
SetOne = Annotated[str, with_places("channel", "value")]
SetAll = Annotated[str, with_places("values")]
OfAddress = Annotated[str, with_places("address")]
OfAddresses = Annotated[str, with_places("addresses")]
StoreAt = Annotated[str, with_places("address", "values")]


def number_format(spec: str) -> str:
    """Return *spec* if numbers survive it; raises ValueError for one that gives something else than a number."""
    try:
        texts = [format(value, spec) for value in (123.456, -1234.5678, 1e-7)]
        kept = all(map(_DECIMAL.fullmatch, texts)) and abs(float(texts[0]) - 123.456) < 1.0
    except ValueError:
        kept = False
    if not kept:
        raise ValueError("it must be a Python format of a number, such as .9g or .4f")
    return spec


NumberFormat = Annotated[str, AfterValidator(number_format)]


def written(values: Iterable[float], spec: str, separator: str) -> str:
    """Return *values* as the instrument reads them."""
    return separator.join(format(value, spec) if spec else repr(float(value)) for value in values)


def one_message(commands: Iterable[str]) -> bytes:
    """Return *commands* as one compound message; each must begin at the root, with a colon or an asterisk."""
    return (";".join(commands) + "\n").encode("ascii")
