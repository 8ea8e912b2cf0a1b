"""The data sets that come with the package, by name; a new one joins the registry at the end."""

from collections.abc import Callable
from functools import partial
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.datasets.dataset import Dataset
from ffzero_lab.datasets.functions import load_function1, load_function2

DIGITS_FULL_SCALE = 16.0


def load_digits() -> Dataset:
    """Load 1,797 handwritten digits of 8 x 8 pixels (Alpaydin and Kaynak, UCI 1998), pixels scaled to 0-1.

    The split (1,437 for training, 360 for test) is part of the file; ``benchmarks/make_digits.py`` made it.
    """
    arrays = _arrays("digits")
    inputs = arrays["images"].astype(np.float64) / DIGITS_FULL_SCALE
    return _parted("digits", inputs, arrays, tuple(str(digit) for digit in range(10)))


def load_table(name: str) -> Dataset:
    """Load a small table in its own units: ``iris`` (Fisher 1936) or ``wine`` (Aeberhard and Forina, UCI 1992).

    The split (30 % of each class for test) is part of the file; ``benchmarks/make_tables.py`` made it.
    """
    arrays = _arrays(name)
    return _parted(name, arrays["features"], arrays, tuple(str(word) for word in arrays["classes"]))


def _arrays(name: str) -> dict[str, NDArray[Any]]:
    source = resources.files("ffzero_lab.datasets").joinpath(f"{name}.npz")
    with source.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return dict(arrays)


def _parted(
    name: str, inputs: NDArray[np.float64], arrays: dict[str, NDArray[Any]], classes: tuple[str, ...]
) -> Dataset:
    labels, is_test = arrays["labels"].astype(np.int64), arrays["is_test"]
    return Dataset(name, inputs[~is_test], labels[~is_test], inputs[is_test], labels[is_test], classes)


SHIPPED: dict[str, Callable[[], Dataset]] = {
    "digits": load_digits,
    "iris": partial(load_table, "iris"),
    "wine": partial(load_table, "wine"),
    "function1": load_function1,
    "function2": load_function2,
}
