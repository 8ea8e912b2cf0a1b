"""The stratified split: disjoint, complete, every class on both sides, in proportion, and always the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero_lab.datasets import stratified_split
from ffzero_lab.errors import InputError

CLASS_SIZES = st.lists(st.integers(2, 60), min_size=1, max_size=8)
FRACTIONS = st.floats(0.01, 0.99)


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def shuffled_labels(sizes: list[int]) -> np.ndarray:
    return generator(7).permutation(np.repeat(np.arange(len(sizes)), sizes))


@given(CLASS_SIZES, FRACTIONS)
def test_parts_are_disjoint_complete_and_ascending(sizes: list[int], fraction: float) -> None:
    labels = shuffled_labels(sizes)
    train, test = stratified_split(labels, fraction, generator())
    assert sorted([*train, *test]) == list(range(labels.size))
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()


@given(CLASS_SIZES, FRACTIONS)
def test_each_class_stands_in_both_parts_within_one_sample_of_its_share(sizes: list[int], fraction: float) -> None:
    labels = shuffled_labels(sizes)
    train, test = stratified_split(labels, fraction, generator())
    counts = np.bincount(labels[test], minlength=len(sizes))
    assert (counts >= 1).all()
    assert (np.bincount(labels[train], minlength=len(sizes)) >= 1).all()
    assert (np.abs(counts - np.array(sizes) * fraction) <= 1.0 + 1e-6).all()


@given(st.lists(st.integers(10, 60), min_size=1, max_size=8))
def test_the_total_is_the_fraction_rounded_up(sizes: list[int]) -> None:
    _, test = stratified_split(shuffled_labels(sizes), 0.2, generator())
    assert test.size == -(-sum(sizes) // 5)  # exact integer arithmetic


def test_the_same_generator_state_gives_the_same_split_and_another_gives_another() -> None:
    labels = shuffled_labels([40, 60])
    first, again, other = (stratified_split(labels, 0.2, generator(seed))[1] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_class_of_one_sample_is_refused_by_name() -> None:
    with pytest.raises(
        InputError, match=r"class 'rare' has 1 sample to draw from: a test share of 0\.2 needs at least"
    ):
        stratified_split(np.array(["often", "often", "rare"]), 0.2, generator())
    with pytest.raises(InputError, match=r"class 'rare' has 1 sample to draw from: a validation share of 0\.1 needs"):
        stratified_split(np.array([0, 1, 0]), 0.1, generator(), classes=("often", "rare"), part="validation")
    with pytest.raises(InputError, match="no samples"):
        stratified_split(np.array([]), 0.2, generator())


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_a_fraction_outside_zero_to_one_is_refused(fraction: float) -> None:
    with pytest.raises(InputError, match=r"the test share is .*more than 0 and less than 1"):
        stratified_split(np.array([0, 0, 1, 1]), fraction, generator())
