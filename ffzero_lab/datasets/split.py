"""Splits labelled samples into a training and a test part that hold every class in the same proportion."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.errors import InputError

TEST_FRACTION: Final = 0.2
SPLIT_SEED: Final = 20260324
_ROUNDING: Final = 1e-9  # 0.2 * 35 is 7.000000000000001; the test part must not grow by a rounding error


def split_generator() -> np.random.Generator:
    """Return the generator of every split: its seed is no part of a run, so that the test set never moves."""
    return np.random.Generator(np.random.Philox(SPLIT_SEED))


def stratified_split(
    labels: NDArray[Any],
    fraction: float,
    rng: np.random.Generator,
    *,
    classes: Sequence[str] = (),
    part: str = "test",
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw a test part that takes the same fraction of each class.

    Every class gives its share rounded down; the samples still missing from the total (rounded up) come from
    the classes with the largest remainders. Each class keeps at least one sample on either side.

    Parameters
    ----------
    labels
        Class of each sample, shape (S,), any sortable values.
    fraction
        Share of the test part, between 0 and 1 (exclusive).
    rng
        Source of the draw; the same state gives the same split.
    classes
        Names of the classes that integer *labels* point to, for messages; empty: the labels name themselves.
    part
        What the part is called in messages: the test or the validation part.

    Returns
    -------
    tuple
        ``(train_index, test_index)``: ascending positions in *labels*, disjoint and complete.

    Raises
    ------
    InputError
        When *fraction* is not inside (0, 1) or a class has fewer than two samples.
    """
    if not 0.0 < fraction < 1.0:
        raise InputError(f"the {part} share is {fraction}; allowed: more than 0 and less than 1")
    values, members, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.size == 0:
        raise InputError(f"there are no samples to take a {part} share of {fraction:g} from")
    if counts.min() < 2:
        scarce = values[counts.argmin()]
        name = classes[scarce] if classes else str(scarce)
        raise InputError(
            f"class {name!r} has 1 sample to draw from: a {part} share of {fraction:g} "
            "needs at least 2 of every class, one for either part"
        )

    share = counts * fraction
    n_test = np.floor(share + _ROUNDING).astype(np.int64)
    missing = int(np.ceil(share.sum() - _ROUNDING)) - int(n_test.sum())
    n_test[np.argsort(n_test - share, kind="stable")[:missing]] += 1
    n_test = np.clip(n_test, 1, counts - 1)

    is_test = np.zeros(labels.shape[0], dtype=np.bool_)
    for position, taken in enumerate(n_test):
        is_test[rng.permutation(np.flatnonzero(members == position))[:taken]] = True
    return np.flatnonzero(~is_test).astype(np.int64), np.flatnonzero(is_test).astype(np.int64)
