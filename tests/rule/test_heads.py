"""Heads: outputs of several channels, each reduced and compared with prototypes of its own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from ffzero_lab.rule.heads import Head
from ffzero_lab.rule.losses import loss_named
from ffzero_lab.rule.prototypes import simplex_prototypes
from ffzero_lab.training.judgement import Judge

FloatArray = NDArray[np.float64]
CHANNELS, CLASSES, PATTERNS, MAP = 3, 4, 5, 9


def head(*, reduced: bool, centre: bool = True, seed: int = 0) -> Head:
    rng = np.random.default_rng(seed)
    features = 6 if reduced else MAP
    prototypes = np.stack([simplex_prototypes(CLASSES, features, rng) for _ in range(CHANNELS)])
    return Head(prototypes, rng.standard_normal((MAP, features)) if reduced else None, centre)


def outputs_of(seed: int) -> FloatArray:
    return np.random.default_rng(seed).exponential(1.0, (PATTERNS, CHANNELS * MAP))


def channel_similarity(of: Head, outputs: FloatArray, channel: int) -> FloatArray:
    """Write one channel's similarity out, sharing nothing with the code under test."""
    maps = outputs[:, channel * MAP : (channel + 1) * MAP]
    seen = maps if of.reduction is None else maps @ of.reduction
    return 1.0 - cdist(seen - seen.mean(axis=1, keepdims=True) if of.centre else seen, of.prototypes[channel], "cosine")


@pytest.mark.parametrize("reduced", [False, True])
@given(seed=st.integers(0, 999), centre=st.booleans())
def test_each_channel_is_compared_with_its_own_prototypes(reduced: bool, seed: int, centre: bool) -> None:
    of, outputs = head(reduced=reduced, centre=centre), outputs_of(seed)
    measured = of.similarity(of.directions(outputs, 0.0))
    for channel in range(CHANNELS):
        assert_allclose(measured[channel], channel_similarity(of, outputs, channel), atol=1e-12)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("reduced", [False, True])
@given(seed=st.integers(0, 999))
def test_the_slope_in_the_outputs_is_the_finite_difference_of_the_losses_sum(
    together: bool, reduced: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    base, labels = rng.uniform(-1.0, 1.0, (PATTERNS, CLASSES)), rng.integers(0, CLASSES, PATTERNS)
    of, outputs = head(reduced=reduced), outputs_of(seed)
    judge = Judge(of, loss_named("cross-entropy", margin_width=0.3, sharpness=7.0), 0.0, together=together)
    slope = judge.slope_in_outputs(judge(outputs, labels, base))
    for _ in range(6):
        at = (int(rng.integers(PATTERNS)), int(rng.integers(CHANNELS * MAP)))
        moved = np.zeros_like(outputs)
        moved[at] = 1e-6
        above, below = (judge(outputs + sign * moved, labels, base).losses.sum() for sign in (1.0, -1.0))
        assert slope[at] == pytest.approx((above - below) / 2e-6, rel=1e-4, abs=1e-7)


def test_apart_each_channel_has_the_loss_of_its_own_similarity_alone() -> None:
    of, outputs = head(reduced=False), outputs_of(3)
    base, labels = np.zeros((PATTERNS, CLASSES)), np.array([0, 1, 2, 3, 0])
    loss = loss_named("cross-entropy", margin_width=0.3, sharpness=7.0)
    judged = Judge(of, loss, 0.0, together=False)(outputs, labels, base)
    for channel in range(CHANNELS):
        own = loss(channel_similarity(of, outputs, channel), labels).mean
        assert judged.losses[channel] == pytest.approx(own)
    assert_allclose(judged.similarity, sum(channel_similarity(of, outputs, channel) for channel in range(CHANNELS)))


def test_a_pattern_is_dark_when_all_its_channels_are() -> None:
    of, outputs = head(reduced=True), outputs_of(1)
    outputs[1, :MAP] = 1e-3
    outputs[2] = 1e-3
    directions = of.directions(outputs, 0.01)
    assert of.dark(directions).tolist() == [False, False, True, False, False]
    assert not of.similarity(directions)[:, 2].any()
    assert not of.similarity(directions)[0, 1].any()
