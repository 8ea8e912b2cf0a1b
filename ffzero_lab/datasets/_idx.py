"""Reads IDX files (LeCun, Cortes and Burges 1998), plain or gzipped; every fault names file, found and expected."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.datasets._files import read_bytes
from ffzero_lab.errors import InputError

UNSIGNED_BYTES = 0x08
_TYPES = {
    UNSIGNED_BYTES: "unsigned bytes",
    0x09: "signed bytes",
    0x0B: "16-bit integers",
    0x0C: "32-bit integers",
    0x0D: "32-bit floating-point numbers",
    0x0E: "64-bit floating-point numbers",
}
_HOLDS = {1: "labels (1 dimension)", 3: "images (3 dimensions)"}


def read_idx(path: Path, n_dimensions: int) -> NDArray[np.uint8]:
    """Return the array of unsigned bytes in an IDX file, which is gzipped when its content says so.

    Parameters
    ----------
    path
        The file.
    n_dimensions
        1 for labels (S,), 3 for images (S, height, width).

    Raises
    ------
    InputError
        For a file that is missing, corrupt, truncated, too long, empty of samples, or of another type or dimension.
    """
    content = _unzipped(read_bytes(path), path)
    if len(content) < 4 or content[:2] != b"\0\0":
        raise InputError(
            f"{path} is not an IDX file: it begins with 0x{content[:4].hex()}, expected 0x00000{UNSIGNED_BYTES}"
            f"{n_dimensions:02}"
        )
    kind, dimensions = content[2], content[3]
    if kind != UNSIGNED_BYTES:
        raise InputError(f"{path} holds {_TYPES.get(kind, f'an unknown type 0x{kind:02x}')}, expected unsigned bytes")
    if dimensions != n_dimensions:
        found = _HOLDS.get(dimensions, f"an array of {dimensions} dimensions")
        raise InputError(f"{path} holds {found}, expected {_HOLDS[n_dimensions]}")
    head = 4 + 4 * n_dimensions
    if len(content) < head:
        raise InputError(f"{path} is truncated: {len(content)} bytes, expected a head of {head}")
    shape = struct.unpack(f">{n_dimensions}I", content[4:head])
    expected = head + math.prod(shape)
    if len(content) != expected:
        fault = "is truncated" if len(content) < expected else "has bytes left over"
        raise InputError(f"{path} {fault}: {len(content)} bytes, expected {expected} for an array of {shape}")
    if 0 in shape:
        raise InputError(f"{path} holds an array of {shape}, expected at least one sample")
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def _unzipped(content: bytes, path: Path) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is a corrupt gzip file: {error}; expected a whole one, fetch it again") from None
