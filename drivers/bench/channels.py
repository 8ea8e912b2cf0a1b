"""Channels of an instrument as a bench file writes them: ``8``, ``"1-28"``, ``"1, 3, 5-8"`` or ``[1, 3, "5-8"]``."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, WithJsonSchema

MOST = 65536
_RANGE = re.compile(r"\s*(\d{1,6})\s*(?:-\s*(\d{1,6})\s*)?")


def parse_channels(given: object) -> tuple[int, ...]:
    """Return the channels that *given* names, in its order.

    Raises ValueError for anything that is not a channel from 0 to 65535, a rising range, or an array of these, and for
    a channel named twice.
    """
    channels = tuple(_listed(given))
    if not channels:
        raise ValueError("names no channel")
    twice = sorted(channel for channel, times in Counter(channels).items() if times > 1)
    if twice:
        raise ValueError(f"names {_plural(twice)} twice")
    return channels


def parse_own_channels(given: object) -> tuple[int, ...]:
    """Return the channels that an instrument has: a number counts them from 1, the rest is as everywhere."""
    if isinstance(given, int) and not isinstance(given, bool):
        if not 1 <= given < MOST:
            raise ValueError(f"an instrument has 1 to {MOST - 1} channels")
        return tuple(range(1, given + 1))
    return parse_channels(given)


def format_channels(channels: Sequence[int]) -> str:
    """Return *channels* in their order, with rising neighbours as ranges: ``1-4, 9, 7``."""
    runs: list[tuple[int, int]] = []
    for channel in channels:
        if runs and channel == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], channel)
        else:
            runs.append((channel, channel))
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)


def _listed(given: object) -> Iterable[int]:
    if isinstance(given, bool):
        raise ValueError(_allowed(given))
    if isinstance(given, int):
        return _run(given, given)
    if isinstance(given, str):
        return [channel for part in given.split(",") for channel in _part(part)]
    if isinstance(given, list | tuple):
        return [channel for part in cast("Sequence[object]", given) for channel in _listed(part)]
    raise ValueError(_allowed(given))


def _part(text: str) -> Iterable[int]:
    found = _RANGE.fullmatch(text) if text.isascii() else None
    if found is None:
        raise ValueError(_allowed(text))
    first = int(found[1])
    return _run(first, first if found[2] is None else int(found[2]))


def _run(first: int, last: int) -> range:
    if last < first:
        raise ValueError(f"{first}-{last} counts down; write the channels one by one if that is how they are wired")
    if first < 0 or last >= MOST:
        raise ValueError(f"channels are 0 to {MOST - 1}, not {first if first < 0 else last}")
    return range(first, last + 1)


def _allowed(given: object) -> str:
    return f'{given!r} is no channel; allowed: 7, "1-28", "1, 3, 5-8" or [1, 3, "5-8"]'


def _plural(channels: Sequence[int]) -> str:
    return f"channel{'s' if len(channels) > 1 else ''} {format_channels(channels)}"


_SCHEMA: dict[str, Any] = {"type": ["integer", "string", "array"]}
Channels = Annotated[tuple[int, ...], BeforeValidator(parse_channels), WithJsonSchema(_SCHEMA)]
OwnChannels = Annotated[tuple[int, ...], BeforeValidator(parse_own_channels), WithJsonSchema(_SCHEMA)]
