"""The data sets that come with the package, by name; a new one joins the registry at the end."""

from collections.abc import Callable
from importlib import resources

import numpy as np

from ffzero_lab.datasets.dataset import Dataset

DIGITS_FULL_SCALE = 16.0


def load_digits() -> Dataset:
    """Load 1,797 handwritten digits of 8 x 8 pixels (Alpaydin and Kaynak, UCI 1998), pixels scaled to 0-1.

    The split (1,437 for training, 360 for test) is part of the file; ``benchmarks/make_digits.py`` made it.
    """
    source = resources.files("ffzero_lab.datasets").joinpath("digits.npz")
    with source.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        inputs = arrays["images"].astype(np.float64) / DIGITS_FULL_SCALE
        labels = arrays["labels"].astype(np.int64)
        is_test = arrays["is_test"].astype(np.bool_)
    return Dataset(
        name="digits",
        train_inputs=inputs[~is_test],
        train_labels=labels[~is_test],
        test_inputs=inputs[is_test],
        test_labels=labels[is_test],
        classes=tuple(str(digit) for digit in range(10)),
    )


SHIPPED: dict[str, Callable[[], Dataset]] = {"digits": load_digits}
