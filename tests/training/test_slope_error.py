"""How far a slope stands out of its standard error."""

import numpy as np
import pytest

from ffzero_lab.training.comparison import over_standard_error


def test_of_noise_alone_the_square_is_one_on_average() -> None:
    rng = np.random.default_rng(1)
    squares = [(over_standard_error(rng.normal(size=(1, 64))) or 0.0) ** 2 for _ in range(4000)]
    # that of a t with 63 degrees of freedom: 63/61, its standard error over 4000 draws 0.023
    assert np.mean(squares) == pytest.approx(63.0 / 61.0, abs=0.08)


def test_a_slope_adds_its_signal_to_noise() -> None:
    rng = np.random.default_rng(2)
    # each pattern contributes 0.5 ± 1: the sum over 100 is 50 ± 10
    squares = [(over_standard_error(0.5 + rng.normal(size=(4, 100))) or 0.0) ** 2 for _ in range(500)]
    assert np.mean(squares) == pytest.approx(26.0, rel=0.05)


def test_it_is_the_t_statistic_of_one_direction() -> None:
    shares = np.array([[1.0, 2.0, 3.0, 6.0]])
    expected = shares.mean() / (shares.std(ddof=1) / np.sqrt(4.0))
    assert over_standard_error(shares) == pytest.approx(expected)


@pytest.mark.parametrize("shares", [np.ones((2, 5)), np.ones((1, 1))])
def test_without_scatter_there_is_no_error_to_compare_with(shares: np.ndarray) -> None:
    assert over_standard_error(shares) is None
