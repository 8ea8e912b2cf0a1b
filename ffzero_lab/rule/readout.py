"""From the similarities of all layers to one predicted class, or one number."""

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


def predicted_numbers(similarity: FloatArray, readout: ReadoutName) -> FloatArray:
    """Return the scaled number (S,) for similarities (layers, S, 1): the layers' sum, or the last layer's own."""
    return similarity[-1, :, 0] if readout == "last" else similarity[:, :, 0].sum(axis=0)
