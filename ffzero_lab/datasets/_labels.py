"""Turns the labels of a table, any words or numbers, into class indices and ordered class names."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.errors import InputError


def as_number(text: str) -> float | None:
    """Return the number that *text* spells (NaN and infinities included), or None for anything else."""
    try:
        return float(text)
    except ValueError:
        return None


def number_name(value: float) -> str:
    """Name a numeric class: ``3`` for 3 and 3.0, ``0.5`` for 0.5."""
    return repr(value + 0.0).removesuffix(".0") if isinstance(value, float) else str(int(value))  # -0.0 is 0


def label_fault(text: str) -> str:
    """Say why *text* cannot name a class (``NaN``, ``empty cell``), or return an empty string."""
    if not text:
        return "empty label"
    number = as_number(text)
    return "" if number is None or math.isfinite(number) else ("NaN" if math.isnan(number) else "infinity")


def class_indices(names: Sequence[str], path: Path) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return class indices; classes are sorted, numerically when every label is a number (10 after 9).

    Returns
    -------
    tuple
        ``(labels, classes)``: indices of shape (S,) and the C class names they point to.

    Raises
    ------
    InputError
        When there are fewer than two classes.
    """
    numbers = [as_number(name) for name in names]
    numeric = [number for number in numbers if number is not None]
    if len(numeric) == len(names):
        names = [number_name(number) for number in numeric]
        classes = sorted(set(names), key=float)
    else:
        classes = sorted(set(names))
    if len(classes) < 2:
        raise InputError(f"{path} has one class only ({classes[0]!r}); at least 2 classes are needed")
    order = {name: index for index, name in enumerate(classes)}
    return np.array([order[name] for name in names], dtype=np.int64), tuple(classes)


def require_samples(labels: NDArray[np.int64], classes: tuple[str, ...], least: int, path: Path, reason: str) -> None:
    """Raise `InputError` naming the first class with fewer than *least* samples in *labels* (S,)."""
    counts = np.bincount(labels, minlength=len(classes))
    scarce = np.flatnonzero(counts < least)
    if scarce.size:
        first = int(scarce[0])
        others = f" (so do {scarce.size - 1} other classes)" if scarce.size > 1 else ""
        raise InputError(
            f"{path}: class {classes[first]!r} has {counts[first]} sample(s){others}; at least {least} needed {reason}"
        )
