"""Readouts against a plain implementation in Python loops, ties included."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from ffzero_lab.rule.readout import READOUTS, ReadoutName, predicted_classes, predicted_numbers
from ffzero_lab.training.aim import Classes

FloatArray = NDArray[np.float64]
COARSE = arrays(
    np.float64,
    array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6),
    elements=st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]),
)
"""Similarities of so few values that most votes are tied."""


def best(scores: list[float]) -> int:
    return max(range(len(scores)), key=lambda c: scores[c])


def naively(similarity: FloatArray, readout: ReadoutName) -> list[int]:
    layers, patterns, classes = similarity.shape
    answers: list[int] = []
    for b in range(patterns):
        if readout == "last":
            answers.append(best([similarity[-1, b, c] for c in range(classes)]))
        elif readout == "sum":
            answers.append(best([sum(similarity[layer, b, c] for layer in range(layers)) for c in range(classes)]))
        else:
            votes = Counter(best(similarity[layer, b].tolist()) for layer in range(layers))
            most = max(votes.values())
            tied = sorted(c for c in votes if votes[c] == most)
            answers.append(max(tied, key=lambda c: similarity[-1, b, c]))
    return answers


@pytest.mark.parametrize("readout", READOUTS)
@given(similarity=COARSE)
def test_a_readout_is_what_plain_loops_give(readout: ReadoutName, similarity: FloatArray):
    assert predicted_classes(similarity, readout).tolist() == naively(similarity, readout)


def test_a_tied_vote_goes_to_the_tied_class_the_last_layer_prefers_not_to_its_favourite():
    """Votes 2 : 2 for classes 0 and 2; the last layer likes class 1 best, then 2, then 0."""
    votes = {0: [1.0, 0.0, 0.0], 2: [0.0, 0.0, 1.0]}
    similarity = np.array([[votes[0]], [votes[0]], [votes[2]], [votes[2]], [[0.1, 0.9, 0.5]]])
    assert predicted_classes(similarity, "vote").tolist() == [2]
    assert predicted_classes(similarity, "last").tolist() == [1]
    assert predicted_classes(similarity, "sum").tolist() == [2]


def test_a_majority_outvotes_one_very_sure_layer():
    similarity = np.array([[[0.2, 0.1]], [[0.2, 0.1]], [[-1.0, 1.0]]])
    assert [int(predicted_classes(similarity, name)[0]) for name in ("sum", "last", "vote")] == [1, 1, 0]


@given(similarity=COARSE)
def test_with_one_layer_all_readouts_agree(similarity: FloatArray):
    one = similarity[:1]
    assert len({tuple(predicted_classes(one, name)) for name in READOUTS}) == 1


@given(similarity=COARSE, seed=st.integers(0, 2**32))
def test_accuracies_are_shares_of_right_answers_of_every_readout(similarity: FloatArray, seed: int):
    labels = np.random.default_rng(seed).integers(0, similarity.shape[2], similarity.shape[1])
    measured = Classes(tuple("abcdefghij"[: similarity.shape[2]])).scores(similarity, labels)
    assert set(measured) == {"sum", "last", "vote"}
    for name in READOUTS:
        right = sum(a == y for a, y in zip(naively(similarity, name), labels.tolist(), strict=True))
        assert measured[name] == pytest.approx(right / len(labels))


def test_a_number_is_the_layers_sum_or_the_last_layers_own():
    similarity = np.array([[[0.25], [-0.5]], [[0.5], [0.125]]])
    assert predicted_numbers(similarity, "sum").tolist() == [0.75, -0.375]
    assert predicted_numbers(similarity, "last").tolist() == [0.5, 0.125]
