"""The payloads of requests."""

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from drivers.board.frames import PROTOCOL_VERSION
from drivers.board.messages import Codes

STAGE_HEAD = 4
ANEW = 1


def hello(nonce: int, version: int = PROTOCOL_VERSION) -> bytes:
    """Begin a conversation."""
    return struct.pack("<HHI", version, 0, nonce)


def limits(layer: int, first: int, count: int) -> bytes:
    """Ask for the limits of *count* parameters."""
    return struct.pack("<BBHH", layer, 0, first, count)


def stage(layer: int, first: int, patterns: Codes, *, anew: bool) -> bytes:
    """Put *patterns* (n, n_in) into the memory from row *first* on; *anew* forgets all that was there."""
    return struct.pack("<BBH", layer, ANEW if anew else 0, first) + little(patterns)


def write(layer: int, setting: Codes) -> bytes:
    """Move all parameters (P,) of a layer."""
    return bytes((layer, 0)) + little(setting)


def read(layer: int, rows: NDArray[np.integer]) -> bytes:
    """Read staged *rows* at the standing setting."""
    return bytes((layer, 0)) + little(rows)


def probe(layer: int, settings: Codes, rows: NDArray[np.integer]) -> bytes:
    """Read staged *rows* at each of the *settings* (K, P)."""
    return struct.pack("<BBH", layer, 0, len(settings)) + little(settings) + little(rows)


def setpoints(layer: int) -> bytes:
    """Ask where a layer stands."""
    return bytes((layer, 0))


def log(first: int) -> bytes:
    """Ask for the log from entry *first* on."""
    return struct.pack("<I", first)


def little(values: NDArray[np.integer]) -> bytes:
    """Return whole numbers as they go over the line."""
    return values.astype("<u2").tobytes()


def staging(layer: int, patterns: Codes, payload_max: int) -> Iterator[bytes]:
    """Yield the requests that stage *patterns* (S, n_in), each as large as the board takes."""
    at_once = (payload_max - STAGE_HEAD) // (2 * patterns.shape[1])
    for first in range(0, len(patterns), at_once):
        yield stage(layer, first, patterns[first : first + at_once], anew=first == 0)
