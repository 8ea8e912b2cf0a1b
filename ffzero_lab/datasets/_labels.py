"""Turns the labels of a table, any words or numbers, into class indices and ordered class names."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.errors import InputError


def number(text: str) -> float:
    """Return the number that *text* spells, NaN and infinities included; raises ValueError for anything else."""
    if "_" in text:  # Python reads 1_000 as a thousand; in a table it is a word
        raise ValueError(text)
    return float(text)


def as_number(text: str) -> float | None:
    """Return the number that *text* spells (NaN and infinities included), or None for anything else."""
    try:
        return number(text)
    except ValueError:
        return None


def number_name(value: float) -> str:
    """Name a numeric class: ``3`` for 3 and 3.0, ``0.5`` for 0.5."""
    whole = not isinstance(value, float) or value.is_integer()
    return str(int(value)) if whole else repr(value)  # -0.0 is 0


def _numeric_label(text: str) -> float | None:
    """Return the number that a label spells; a whole one exactly, as identifiers may exceed a float's 53 bits."""
    approximate = as_number(text)
    if approximate is None or not math.isfinite(approximate):
        return approximate
    try:
        return int(text)
    except ValueError:
        return approximate


def label_fault(text: str) -> str:
    """Say why *text* cannot name a class (``NaN``, ``empty cell``), or return an empty string."""
    if not text:
        return "empty label"
    value = as_number(text)
    return "" if value is None or math.isfinite(value) else ("NaN" if math.isnan(value) else "infinity")


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
    numbers = [_numeric_label(name) for name in names]
    numeric = [value for value in numbers if value is not None]
    if len(numeric) == len(names):
        names = [number_name(value) for value in numeric]
        value_of = dict(zip(names, numeric, strict=True))
        classes = sorted(value_of, key=value_of.__getitem__)
    else:
        classes = sorted(set(names))
    if len(classes) < 2:
        raise InputError(f"{path} has one class only ({classes[0]!r}); at least 2 classes are needed")
    order = {name: index for index, name in enumerate(classes)}
    return np.array([order[name] for name in names], dtype=np.int64), tuple(classes)


def label_values(names: Sequence[str], path: Path, where: str) -> NDArray[np.float64]:
    """Return labels as the targets (S,) of a regression; raises `InputError` for the first that is no number."""
    numbers = [as_number(name) for name in names]
    if None in numbers:
        row = numbers.index(None)
        raise InputError(
            f"{path}: the {where} of sample {row + 1} (counted from 1) is {names[row]!r}; "
            "a regression needs numbers only"
        )
    return np.array(numbers, dtype=np.float64)


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
