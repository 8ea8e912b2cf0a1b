"""Reads JSON as runs write it; Python's own reader also takes numbers that no browser does."""

import json
from typing import Any


def _refused(told: str) -> float:
    raise ValueError(f"{told} is no number of JSON")


_DECODER = json.JSONDecoder(parse_constant=_refused)


def parsed(content: bytes | str) -> Any:
    """Return what *content* (UTF-8) holds; raises ValueError for what is no JSON, NaN and infinities among it."""
    try:
        return _DECODER.decode(content if isinstance(content, str) else content.decode())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
