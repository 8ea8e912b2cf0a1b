"""From outputs to similarities and back: invariances, dark patterns, slopes against finite differences."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import log_softmax

from ffzero_lab.rule.heads import Head
from ffzero_lab.rule.losses import LossName, loss_named
from ffzero_lab.rule.prototypes import simplex_prototypes
from ffzero_lab.rule.similarity import directions_of, similarities, slope_in_outputs
from ffzero_lab.training.judgement import Judge

FloatArray = NDArray[np.float64]
Labels = NDArray[np.int64]
NAMES: tuple[LossName, ...] = ("margin", "cosine", "cross-entropy")
WIDTH, SHARPNESS = 0.3, 6.0


def batch(seed: int, n_patterns: int = 5, n: int = 8, n_classes: int = 4):
    """Return intensities, labels, prototypes and the similarity that earlier layers contribute."""
    rng = np.random.default_rng(seed)
    outputs = rng.exponential(0.3, (n_patterns, n)) + 0.05
    labels = rng.integers(0, n_classes, n_patterns)
    return outputs, labels, simplex_prototypes(n_classes, n, rng), rng.uniform(-1, 1, (n_patterns, n_classes))


def judge_of(prototypes: FloatArray, name: LossName = "cosine", *, centre: bool = True, floor: float = 0.0) -> Judge:
    loss = loss_named(name, margin_width=WIDTH, sharpness=SHARPNESS)
    return Judge(Head(prototypes[np.newaxis], None, centre), loss, floor)


def full_loss(
    name: LossName, outputs: FloatArray, labels: Labels, prototypes: FloatArray, base: FloatArray, *, centre: bool
) -> float:
    """Write the loss of the outputs out, sharing nothing with the code under test."""
    shifted = outputs - outputs.sum(axis=1, keepdims=True) / outputs.shape[1] if centre else outputs
    s = base + 1.0 - cdist(shifted, prototypes, "cosine")
    rows = np.arange(len(labels))
    own = s[rows, labels][:, np.newaxis]
    if name == "cosine":
        return float(np.mean(1.0 - own))
    if name == "cross-entropy":
        return float(-log_softmax(SHARPNESS * s, axis=1)[rows, labels].mean())
    return float((np.maximum(0.0, WIDTH + s - own).sum(axis=1) - WIDTH).mean())


@pytest.mark.parametrize("centre", [False, True])
@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32))
def test_the_slope_in_the_outputs_is_the_finite_difference_of_the_whole_loss(name: LossName, centre: bool, seed: int):
    outputs, labels, prototypes, base = batch(seed, n_patterns=3, n=6)
    judge = Judge(
        Head(prototypes[np.newaxis], None, centre), loss_named(name, margin_width=WIDTH, sharpness=SHARPNESS), floor=0.0
    )
    judged = judge(outputs, labels, base)
    assert judged.loss == pytest.approx(
        full_loss(name, outputs, labels, prototypes, base, centre=centre), rel=1e-9, abs=1e-9
    )
    if name == "margin":
        s = base + similarities(judged.directions, prototypes)
        excess = WIDTH + s - s[np.arange(3), labels][:, np.newaxis]
        assume(np.abs(excess).min() > 1e-3)
    step = 1e-6
    expected = np.empty_like(outputs)
    for at in np.ndindex(outputs.shape):
        moved = np.zeros_like(outputs)
        moved[at] = step
        above, below = (
            full_loss(name, outputs + sign * moved, labels, prototypes, base, centre=centre) for sign in (1, -1)
        )
        expected[at] = (above - below) / (2 * step)
    slope = judge.slope_in_outputs(judged)
    np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-6 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("centre", [False, True])
@given(seed=st.integers(0, 2**32))
def test_a_similarity_is_the_cosine_with_the_prototype(centre: bool, seed: int):
    outputs, _, prototypes, _ = batch(seed)
    shifted = outputs - outputs.mean(axis=1, keepdims=True) if centre else outputs
    measured = similarities(directions_of(outputs, centre=centre), prototypes)
    np.testing.assert_allclose(measured, 1.0 - cdist(shifted, prototypes, "cosine"), atol=1e-12)


@given(seed=st.integers(0, 2**32), offset=st.floats(-10, 10), factor=st.floats(1e-9, 1e9))
def test_centred_similarity_ignores_a_common_offset_and_a_positive_factor(seed: int, offset: float, factor: float):
    outputs, _, prototypes, _ = batch(seed)
    before = similarities(directions_of(outputs, centre=True), prototypes)
    after = similarities(directions_of((outputs + offset) * factor, centre=True), prototypes)
    np.testing.assert_allclose(after, before, atol=1e-10)


@given(seed=st.integers(0, 2**32), factor=st.floats(1e-9, 1e9))
def test_similarity_without_centring_ignores_a_positive_factor_but_not_an_offset(seed: int, factor: float):
    outputs, _, prototypes, _ = batch(seed)
    before = similarities(directions_of(outputs, centre=False), prototypes)
    scaled = similarities(directions_of(outputs * factor, centre=False), prototypes)
    shifted = similarities(directions_of(outputs + 1.0, centre=False), prototypes)
    np.testing.assert_allclose(scaled, before, atol=1e-12)
    assert np.abs(shifted - before).max() > 1e-3


@given(seed=st.integers(0, 2**32), dark_rows=st.sets(st.integers(0, 4), max_size=5), centre=st.booleans())
def test_dark_patterns_are_flagged_have_no_similarity_and_pull_on_nothing(seed: int, dark_rows: set[int], centre: bool):
    outputs, labels, prototypes, base = batch(seed)
    floor, dark = 0.01, sorted(dark_rows)
    outputs[:, 0] = 1.0
    outputs[dark] = np.random.default_rng(seed).uniform(-0.0099, 0.0099, (len(dark), 8))
    directions = directions_of(outputs, centre=centre, floor=floor)
    assert np.flatnonzero(directions.dark).tolist() == dark
    assert not similarities(directions, prototypes)[dark].any()
    slope = slope_in_outputs(np.random.default_rng(1).normal(size=(5, 4)), directions, prototypes)
    assert not slope[dark].any()
    bright = [row for row in range(5) if row not in dark_rows]
    assert (np.abs(slope[bright]).max(axis=1) > 0).all()
    judged = Judge(
        Head(prototypes[np.newaxis], None, centre), loss_named("cosine", margin_width=1, sharpness=1), floor
    )(outputs, labels, base)
    assert judged.dark == len(dark)


def test_a_pattern_is_dark_by_its_largest_magnitude_not_by_its_sum_or_sign():
    outputs = np.array([[0.009, 0.009, 0.009], [0.0, 0.0, -0.02], [0.01, 0.0, 0.0], [0.0, 0.0, 0.0]])
    dark = directions_of(outputs, centre=False, floor=0.01).dark
    assert dark.tolist() == [True, False, False, True]


@given(value=st.floats(1e-12, 1e6), n=st.integers(1, 900))
def test_equal_outputs_are_dark_when_centred_although_their_mean_is_rounded(value: float, n: int):
    directions = directions_of(np.full((1, n), value), centre=True)
    assert directions.dark.tolist() == [True]
    assert not directions.unit.any()


def test_a_faint_pattern_on_a_large_common_mode_is_not_dark():
    outputs = 1.0 + 1e-6 * np.array([[1.0, -1.0, 0.0]])
    directions = directions_of(outputs, centre=True)
    assert directions.dark.tolist() == [False]
    np.testing.assert_allclose(directions.unit, [[0.5**0.5, -(0.5**0.5), 0.0]], atol=1e-9)


@given(seed=st.integers(0, 2**32), centre=st.booleans())
def test_a_slope_never_points_along_the_output_nor_along_the_common_mode(seed: int, centre: bool):
    """Scaling a pattern, or with centring shifting it, cannot change its loss."""
    outputs, _, prototypes, _ = batch(seed)
    directions = directions_of(outputs, centre=centre)
    slope = slope_in_outputs(np.random.default_rng(seed).normal(size=(5, 4)), directions, prototypes)
    scale = np.abs(slope).max() + 1.0
    np.testing.assert_allclose((slope * outputs).sum(axis=1) / scale, 0.0, atol=1e-9)
    if centre:
        np.testing.assert_allclose(slope.sum(axis=1) / scale, 0.0, atol=1e-9)


def test_outputs_are_left_alone():
    outputs, *_ = batch(1)
    kept = outputs.copy()
    directions_of(outputs, centre=True, floor=0.1)
    assert np.array_equal(outputs, kept)


def test_the_judge_adds_to_the_similarity_of_earlier_layers():
    outputs, _, prototypes, _ = batch(9, n_patterns=40)
    own = 1.0 - cdist(outputs - outputs.mean(axis=1, keepdims=True), prototypes, "cosine")
    base = np.random.default_rng(2).uniform(-0.5, 0.5, own.shape)
    labels = np.random.default_rng(3).integers(0, 4, 40)
    judge = Judge(
        Head(prototypes[np.newaxis], None, centre=True), loss_named("cosine", margin_width=1, sharpness=1), floor=0.0
    )
    for added in (np.zeros_like(base), base):
        np.testing.assert_allclose(judge(outputs, labels, added).similarity, own + added, atol=1e-12)
