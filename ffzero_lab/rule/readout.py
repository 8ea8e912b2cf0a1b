"""From the similarities of all layers to one predicted class."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ReadoutName = Literal["sum", "last", "vote"]
READOUTS: tuple[ReadoutName, ...] = get_args(ReadoutName)


def predicted_classes(similarity: FloatArray, readout: ReadoutName) -> NDArray[np.intp]:
    """Return the class (S,) for similarities (layers, S, C).

    ``sum`` adds the layers' similarities; ``last`` takes the last layer alone; ``vote`` is the majority over the
    layers' own answers, ties going to the tied class with the largest similarity in the last layer.
    """
    if readout == "sum":
        return similarity.sum(axis=0).argmax(axis=1)
    if readout == "last":
        return similarity[-1].argmax(axis=1)
    n_classes = similarity.shape[2]
    answers: NDArray[np.intp] = similarity.argmax(axis=2)
    votes = np.stack([np.count_nonzero(answers == c, axis=0) for c in range(n_classes)], axis=1)
    most: NDArray[np.intp] = np.max(votes, axis=1, keepdims=True)
    tied = votes == most
    return np.where(tied, similarity[-1], -np.inf).argmax(axis=1)


def accuracies(similarity: FloatArray, labels: NDArray[np.int64]) -> dict[ReadoutName, float]:
    """Return the share of correct answers of each readout for similarities (layers, S, C)."""
    return {name: float((predicted_classes(similarity, name) == labels).mean()) for name in READOUTS}
