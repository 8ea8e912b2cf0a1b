"""Reads npz archives that may be damaged: every fault is one readable message, and no pickle is ever loaded."""

import io
import zipfile
import zlib
from collections.abc import Container
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.errors import InputError

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    OSError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
)


def unpack_archive(
    content: bytes, path: Path, wanted: Container[str] | None = None
) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Return the *wanted* arrays (None: all) of an npz archive and the names of all it holds.

    *path* is named in the message. Raises InputError when the content is no archive, is damaged or
    holds Python objects.
    """
    if not content.startswith(b"PK"):
        raise InputError(f"{path} is not an NPZ file (a zip archive of arrays, as numpy.savez writes it)")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            present = list(archive.files)
            chosen = [name for name in present if wanted is None or name in wanted]
            return {name: cast("NDArray[Any]", archive[name]) for name in chosen}, present
    except _DAMAGE as error:
        raise InputError(f"{path} is a corrupt NPZ file or holds Python objects: {error}") from None
