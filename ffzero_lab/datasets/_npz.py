"""Reads finite numbers from NPZ files, never by pickle; every fault names file, array, row, column."""

from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.archives import unpack_archive
from ffzero_lab.datasets._files import read_bytes
from ffzero_lab.datasets._labels import label_fault, number_name
from ffzero_lab.errors import InputError


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays x, y, x_test and y_test as far as present; raise `InputError` for a corrupt file."""
    arrays, present = unpack_archive(read_bytes(path), path, {"x", "y", "x_test", "y_test"})
    if "x" not in arrays:
        raise InputError(f"{path} has no array 'x'; it holds: {', '.join(present) or 'nothing'}")
    return arrays


def features(arrays: dict[str, NDArray[Any]], name: str, path: Path) -> NDArray[np.float64]:
    """Return the array *name* as (S, F) float64, images flattened row by row."""
    raw = arrays[name]
    if raw.dtype.kind not in "buif":
        raise InputError(f"{path}, array {name!r} has type {raw.dtype}; allowed: integers and floating-point numbers")
    if raw.ndim < 2 or raw.size == 0:
        raise InputError(
            f"{path}, array {name!r} has shape {raw.shape}; allowed: (samples, features), neither of them 0"
        )
    values = raw.reshape(raw.shape[0], -1).astype(np.float64)
    faults = np.argwhere(~np.isfinite(values))
    if faults.size:
        row, column = (int(position) for position in faults[0])
        kind = "NaN" if np.isnan(values[row, column]) else "infinity"
        raise InputError(
            f"{kind} in {path}, array {name!r}, row {row + 1}, column {column + 1} (counted from 1); "
            "every feature must be a finite number"
        )
    return values


def label_names(arrays: dict[str, NDArray[Any]], name: str, n_samples: int, path: Path) -> list[str]:
    """Return the labels in the array *name* (S,) as texts; numbers and words are allowed."""
    raw = arrays.get(name)
    if raw is None:
        raise InputError(f"{path} has no array {name!r} (the labels)")
    if raw.shape != (n_samples,):
        raise InputError(f"{path}, array {name!r} has shape {raw.shape}; needed: ({n_samples},), one label per sample")
    if raw.dtype.kind not in "buifU":
        raise InputError(f"{path}, array {name!r} has type {raw.dtype}; allowed: integers, numbers and text")
    values = cast("list[float | str]", (raw.astype(np.float64) if raw.dtype.kind == "f" else raw).tolist())
    names = [value.strip() if isinstance(value, str) else number_name(value) for value in values]
    for row, text in enumerate(names, start=1):
        if label_fault(text):
            raise InputError(
                f"{label_fault(text)} in {path}, array {name!r}, row {row} (counted from 1); "
                "every row needs a label (a word or a finite number)"
            )
    return names
