"""Local losses: values against SciPy and the paper's formulas, slopes against finite differences."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import approx_fprime
from scipy.special import log_softmax

from ffzero_lab.rule.losses import LossName, cosine, cross_entropy, loss_named, margin

FloatArray = NDArray[np.float64]
Labels = NDArray[np.int64]
NAMES: tuple[LossName, ...] = ("margin", "cosine", "cross-entropy")
WIDTH, SHARPNESS = 0.3, 15.0


def similarities(seed: int, n_patterns: int, n_classes: int) -> tuple[FloatArray, Labels]:
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (n_patterns, n_classes)), rng.integers(0, n_classes, n_patterns)


def written_out(name: LossName, similarity: FloatArray, labels: Labels) -> float:
    """Write the definition out, one pattern at a time."""
    per_pattern: list[float] = []
    for s, y in zip(similarity, labels, strict=True):
        if name == "margin":
            per_pattern.append(sum(max(0.0, WIDTH + s[c] - s[y]) for c in range(len(s)) if c != y))
        elif name == "cosine":
            per_pattern.append(1.0 - s[y])
        else:
            per_pattern.append(-float(log_softmax(SHARPNESS * s)[y]))
    return float(np.mean(per_pattern))


def away_from_kinks(similarity: FloatArray, labels: Labels) -> bool:
    excess = WIDTH + similarity - similarity[np.arange(len(labels)), labels][:, np.newaxis]
    excess[np.arange(len(labels)), labels] = 1.0
    return bool(np.abs(excess).min() > 1e-4)


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32), n_patterns=st.integers(1, 9), n_classes=st.integers(2, 7))
def test_the_loss_is_its_definition_averaged_over_the_batch(name: LossName, seed: int, n_patterns: int, n_classes: int):
    similarity, labels = similarities(seed, n_patterns, n_classes)
    loss = loss_named(name, margin_width=WIDTH, sharpness=SHARPNESS)
    assert loss(similarity, labels).mean == pytest.approx(written_out(name, similarity, labels), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32), n_patterns=st.integers(1, 4), n_classes=st.integers(2, 5))
def test_the_slope_is_the_finite_difference_of_the_definition(
    name: LossName, seed: int, n_patterns: int, n_classes: int
):
    similarity, labels = similarities(seed, n_patterns, n_classes)
    assume(away_from_kinks(similarity, labels))
    expected = np.empty_like(similarity)
    for at in np.ndindex(similarity.shape):
        step = np.zeros_like(similarity)
        step[at] = 1e-5
        above, below = (written_out(name, similarity + sign * step, labels) for sign in (1, -1))
        expected[at] = (above - below) / 2e-5
    slope = loss_named(name, margin_width=WIDTH, sharpness=SHARPNESS)(similarity, labels).slope
    np.testing.assert_allclose(slope, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32), repeats=st.integers(2, 5))
def test_repeating_the_batch_changes_neither_the_loss_nor_its_pull_on_a_pattern(
    name: LossName, seed: int, repeats: int
):
    similarity, labels = similarities(seed, 5, 4)
    loss = loss_named(name, margin_width=WIDTH, sharpness=SHARPNESS)
    once, often = loss(similarity, labels), loss(np.tile(similarity, (repeats, 1)), np.tile(labels, repeats))
    assert often.mean == pytest.approx(once.mean, rel=1e-12)
    pull = often.slope.reshape(repeats, *once.slope.shape).sum(axis=0)
    np.testing.assert_allclose(pull, once.slope, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_leaves_its_arguments_alone(name: LossName):
    similarity, labels = similarities(5, 6, 3)
    kept = similarity.copy()
    loss_named(name, margin_width=WIDTH, sharpness=SHARPNESS)(similarity, labels)
    assert np.array_equal(similarity, kept)


def test_a_pattern_that_wins_by_more_than_the_margin_pulls_no_more():
    value = margin(np.array([[0.9, 0.5, -1.0]]), np.array([0]), width=0.3)
    assert value.mean == 0.0
    assert not value.slope.any()


def test_the_margin_counts_every_class_that_comes_too_near():
    value = margin(np.array([[0.5, 0.4, 0.7, -1.0]]), np.array([0]), width=0.3)
    assert value.mean == pytest.approx(0.2 + 0.5)
    np.testing.assert_allclose(value.slope, [[-2.0, 1.0, 1.0, 0.0]])


def test_cosine_is_zero_when_every_pattern_lies_on_its_prototype():
    assert cosine(np.eye(4), np.arange(4)).mean == 0.0


def test_cross_entropy_of_equal_similarities_is_the_logarithm_of_the_number_of_classes():
    assert cross_entropy(np.full((3, 7), 0.2), np.array([0, 3, 6]), sharpness=15.0).mean == pytest.approx(np.log(7))


def test_cross_entropy_stays_finite_where_the_exponential_would_overflow():
    value = cross_entropy(np.array([[1.0, -1.0]]), np.array([1]), sharpness=1e4)
    assert value.mean == pytest.approx(2e4)
    np.testing.assert_allclose(value.slope, [[1e4, -1e4]])


def test_the_slope_of_cross_entropy_sums_to_zero_over_the_classes():
    similarity, labels = similarities(2, 8, 6)
    slope = cross_entropy(similarity, labels, sharpness=SHARPNESS).slope
    np.testing.assert_allclose(slope.sum(axis=1), 0.0, atol=1e-14)


def test_loss_named_hands_on_its_constants():
    similarity, labels = similarities(3, 8, 6)
    for width, sharpness in ((0.1, 3.0), (0.7, 30.0)):
        built = {name: loss_named(name, margin_width=width, sharpness=sharpness) for name in NAMES}
        assert built["margin"](similarity, labels).mean == margin(similarity, labels, width=width).mean
        logits = sharpness * similarity
        expected = -log_softmax(logits, axis=1)[np.arange(8), labels].mean()
        assert built["cross-entropy"](similarity, labels).mean == pytest.approx(expected)


def test_one_pattern_against_scipys_own_derivative():
    similarity, labels = similarities(4, 1, 5)
    expected = approx_fprime(similarity[0], lambda s: -log_softmax(SHARPNESS * s)[labels[0]], 1e-7)
    slope = cross_entropy(similarity, labels, sharpness=SHARPNESS).slope[0]
    np.testing.assert_allclose(slope, expected, atol=2e-5)
