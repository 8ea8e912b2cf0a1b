"""Fewer points draw the same curve."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero_lab.report.thinning import smoothed, thinned


@given(st.integers(0, 400), st.integers(4, 60), st.integers(0, 2**32 - 1))
def test_the_highest_the_lowest_and_both_ends_stay(count: int, most: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(count)
    values[rng.uniform(size=count) < 0.1] = np.nan
    kept = thinned(values, most)
    known = np.flatnonzero(np.isfinite(values))
    assert len(kept) <= max(most, 0)
    assert (np.diff(kept) > 0).all()
    assert np.isfinite(values[kept]).all()
    if len(known):
        assert values[kept].min() == np.nanmin(values)
        assert values[kept].max() == np.nanmax(values)
        assert {known[0], known[-1]} <= set(kept.tolist())


def test_a_single_spike_among_a_hundred_thousand_is_drawn() -> None:
    values = np.zeros(100_000)
    values[[31_415, 92_653]] = 5.0, -5.0
    assert {31_415, 92_653} <= set(thinned(values).tolist())
    assert len(thinned(values)) <= 1200


def test_a_running_mean_takes_fewer_at_the_ends() -> None:
    assert smoothed(np.array([1.0, 2.0, 6.0, 3.0]), 3) == pytest.approx([1.5, 3.0, 11.0 / 3.0, 4.5])
