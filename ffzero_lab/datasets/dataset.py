"""A labelled data set in memory: training part, test part, class names and a fingerprint of all three."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.floating[Any]]

_HASHED_AT_ONCE: Final = 1 << 20  # numbers; a copy of the whole in double precision could exceed the memory


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and class labels, already split; the test part never moves between runs.

    Attributes
    ----------
    name
        The specification it was loaded from, such as ``digits`` or ``csv:flowers.csv``.
    train_inputs, test_inputs
        Shapes (S, F) and (T, F), in the data's own units (digits: 0 to 1); single precision when F is large.
    train_labels, test_labels
        Shapes (S,) and (T,), integers from 0 to C - 1 that index *classes*.
    classes
        The C class names as they stood in the source.
    """

    name: str
    train_inputs: Features
    train_labels: NDArray[np.int64]
    test_inputs: Features
    test_labels: NDArray[np.int64]
    classes: tuple[str, ...]

    @property
    def n_features(self) -> int:
        """Number of features F of one sample."""
        return self.train_inputs.shape[1]

    @property
    def n_classes(self) -> int:
        """Number of classes C."""
        return len(self.classes)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over arrays, shapes and class names, without the name: a moved file keeps it."""
        digest = hashlib.sha256()
        for inputs in (self.train_inputs, self.test_inputs):
            digest.update(repr(inputs.shape).encode())
            for start in range(0, len(inputs), rows := max(1, _HASHED_AT_ONCE // inputs.shape[1])):
                digest.update(np.ascontiguousarray(inputs[start : start + rows], dtype="<f8").tobytes())
        for labels in (self.train_labels, self.test_labels):
            digest.update(np.ascontiguousarray(labels, dtype="<i8").tobytes())
        digest.update(repr(self.classes).encode())
        return digest.hexdigest()
