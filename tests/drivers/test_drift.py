"""The Ornstein–Uhlenbeck walk: stationary, of the stated correlation, however often somebody looks."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

from drivers.twin.drift import OrnsteinUhlenbeck

ODDS = 1e-6
N = 4000


def walk(deviation: float = 0.2, time_s: float = 10.0, seed: int = 0) -> OrnsteinUhlenbeck:
    return OrnsteinUhlenbeck(N, deviation, time_s, (seed, (4, 0)))


@pytest.mark.parametrize("looks", [[0.0], [50.0], [0.1, 0.2, 3.0, 7.0, 7.5]])
def test_the_variance_is_the_stated_one_at_any_time(looks: list[float]) -> None:
    drift = walk()
    for at_s in looks:
        values = drift.at(at_s)
        low, high = stats.chi2.ppf([ODDS, 1.0 - ODDS], N)
        assert low < (values**2).sum() / 0.2**2 < high


@pytest.mark.parametrize("between", [[], [1.0], list(np.linspace(0.1, 4.9, 30))])
def test_what_is_left_of_a_value_falls_exponentially_however_often_somebody_looks(between: list[float]) -> None:
    drift = walk(time_s=8.0)
    before = drift.at(0.0)
    for at_s in between:
        drift.at(at_s)
    after = drift.at(5.0)
    left = np.exp(-5.0 / 8.0)
    residual = (after - left * before) / (0.2 * np.sqrt(1.0 - left**2))
    assert stats.kstest(residual, "norm").pvalue > ODDS
    assert abs(np.corrcoef(before, residual)[0, 1]) < 5.0 / N**0.5


def test_looking_twice_at_the_same_time_changes_nothing() -> None:
    drift = walk()
    assert_array_equal(drift.at(3.0), drift.at(3.0))


def test_two_walks_of_other_keys_are_independent() -> None:
    one, other = walk(seed=1).at(1.0), walk(seed=2).at(1.0)
    assert abs(np.corrcoef(one, other)[0, 1]) < 5.0 / N**0.5


def test_no_deviation_is_no_drift() -> None:
    drift = walk(deviation=0.0)
    assert not drift.drifts
    assert not drift.at(1e6).any()


def test_a_walk_goes_on_from_its_state_to_the_bit() -> None:
    first = walk()
    first.at(2.0)
    state = first.state()
    second = walk(seed=0)
    second.restore(*state)
    assert_array_equal(first.at(5.0), second.at(5.0))
