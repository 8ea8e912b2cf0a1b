"""Prototypes: the corners of a regular simplex, turned by a rotation that prefers no direction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ffzero_lab.rule.prototypes import haar_orthogonal, simplex_prototypes


@given(st.integers(2, 20), st.integers(0, 30), st.integers(0, 2**32))
def test_any_two_prototypes_have_the_cosine_of_a_regular_simplex(n_classes: int, spare: int, seed: int):
    n = n_classes + spare
    prototypes = simplex_prototypes(n_classes, n, np.random.default_rng(seed))
    assert prototypes.shape == (n_classes, n)
    expected = np.full((n_classes, n_classes), -1.0 / (n_classes - 1))
    np.fill_diagonal(expected, 1.0)
    np.testing.assert_allclose(prototypes @ prototypes.T, expected, rtol=0, atol=1e-12)


@given(st.integers(2, 20), st.integers(0, 10))
def test_prototypes_sum_to_zero_so_that_no_class_is_preferred(n_classes: int, spare: int):
    prototypes = simplex_prototypes(n_classes, n_classes + spare, np.random.default_rng(0))
    np.testing.assert_allclose(prototypes.sum(axis=0), 0.0, atol=1e-12)


@pytest.mark.parametrize(("n_classes", "n"), [(4, 3), (10, 9), (1, 5), (0, 5), (2, 1), (2, 0)])
def test_more_classes_than_outputs_or_fewer_than_two_are_refused_by_name(n_classes: int, n: int):
    with pytest.raises(ValueError, match=f"{n_classes} prototypes .* {n} outputs"):
        simplex_prototypes(n_classes, n, np.random.default_rng(0))


def test_prototypes_come_back_with_their_seed_and_differ_without():
    first, again, other = (simplex_prototypes(5, 12, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_a_prototype_points_anywhere_on_the_sphere():
    """One coordinate x of a uniform unit vector in n dimensions: (x + 1)/2 ~ Beta((n−1)/2, (n−1)/2)."""
    n, rng = 6, np.random.default_rng(11)
    drawn = np.array([simplex_prototypes(4, n, rng) for _ in range(1500)])
    beta = stats.beta((n - 1) / 2, (n - 1) / 2, loc=-1, scale=2)
    p_values = [stats.kstest(drawn[:, c, j], beta.cdf).pvalue for c in range(4) for j in range(n)]
    assert min(p_values) > 1e-4


@given(st.integers(1, 40), st.integers(0, 2**32))
def test_a_rotation_is_orthogonal(n: int, seed: int):
    rotation = haar_orthogonal(n, np.random.default_rng(seed))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(n), rtol=0, atol=1e-12)


def test_rotations_have_the_moments_of_the_haar_measure():
    """E q = 0, E q² = 1/n, E q⁴ = 3/(n(n+2)), E tr = 0, E tr² = 1: without the sign of R's diagonal E tr is off."""
    n, n_draws, rng = 5, 4000, np.random.default_rng(7)
    drawn = np.array([haar_orthogonal(n, rng) for _ in range(n_draws)])
    trace = np.trace(drawn, axis1=1, axis2=2)

    def z_score(samples: np.ndarray, expected: float) -> np.ndarray:
        return (samples.mean(axis=0) - expected) / (samples.std(axis=0, ddof=1) / np.sqrt(n_draws))

    for samples, expected in (
        (drawn, 0.0),
        (drawn**2, 1.0 / n),
        (drawn**4, 3.0 / (n * (n + 2))),
        (trace, 0.0),
        (trace**2, 1.0),
        (np.linalg.det(drawn), 0.0),
    ):
        assert np.abs(z_score(samples, expected)).max() < 4.5
    entry = stats.beta((n - 1) / 2, (n - 1) / 2, loc=-1, scale=2)
    assert min(stats.kstest(drawn[:, i, j], entry.cdf).pvalue for i in range(n) for j in range(n)) > 1e-4


def test_rotations_are_distributed_like_those_of_scipy():
    ours = [np.trace(haar_orthogonal(4, rng)) for rng in [np.random.default_rng(1)] for _ in range(2000)]
    theirs = np.trace(stats.ortho_group(4).rvs(2000, random_state=2), axis1=1, axis2=2)
    assert stats.ks_2samp(ours, theirs).pvalue > 1e-3
