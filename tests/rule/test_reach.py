"""Reach: sums over ranges of outputs, against a dense masked product."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero_lab.device import Reach


@st.composite
def reaches(draw: st.DrawFn) -> Reach:
    n = draw(st.integers(1, 12))
    ranges = draw(st.lists(st.tuples(st.integers(0, n), st.integers(0, n)).map(sorted), min_size=1, max_size=15))
    first, stop = np.array(ranges).T
    return Reach(first, stop, n)


def mask_of(reach: Reach) -> np.ndarray:
    """Return (n, P): one where the output is in the parameter's reach."""
    outputs = np.arange(reach.n_outputs)[:, np.newaxis]
    return ((outputs >= reach.first) & (outputs < reach.stop)).astype(float)


@given(reaches(), st.lists(st.integers(1, 3), max_size=2), st.integers(0, 2**32))
def test_sums_over_the_reach_are_a_product_with_the_mask(reach: Reach, leading: list[int], seed: int):
    per_output = np.random.default_rng(seed).normal(size=(*leading, reach.n_outputs))
    summed = reach.sum_reached(per_output)
    assert summed.shape == (*leading, reach.n_parameters)
    np.testing.assert_allclose(summed, per_output @ mask_of(reach), atol=1e-12)


@given(reaches())
def test_whole_numbers_are_summed_without_rounding(reach: Reach):
    per_output = 2.0 ** np.arange(reach.n_outputs)
    assert np.array_equal(reach.sum_reached(per_output), per_output @ mask_of(reach))


def test_a_dense_layer_reads_its_column_and_an_empty_range_reads_nothing():
    reach = Reach(np.array([0, 1, 2, 3]), np.array([1, 2, 3, 3]), 3)
    np.testing.assert_array_equal(reach.sum_reached(np.array([5.0, 7.0, 11.0])), [5.0, 7.0, 11.0, 0.0])


@pytest.mark.parametrize(
    ("first", "stop"),
    [([-1], [2]), ([0], [5]), ([3], [2]), ([0, 0], [4, 5]), ([0, 0], [4]), ([[0]], [[4]])],
)
def test_ranges_outside_the_outputs_or_of_unlike_length_are_refused(first: list[int], stop: list[int]):
    with pytest.raises(ValueError, match=r"range must lie within the 4 outputs|same length"):
        Reach(np.array(first), np.array(stop), 4)


def test_reaches_are_equal_by_their_ranges():
    first, stop = np.array([0, 1]), np.array([2, 3])
    assert Reach(first, stop, 3) == Reach(first.copy(), stop.copy(), 3)
    assert Reach(first, stop, 3) != Reach(first, stop, 4)
    assert Reach(first, stop, 3) != Reach(first, np.array([2, 2]), 3)
    assert Reach(first, stop, 3).n_parameters == 2
