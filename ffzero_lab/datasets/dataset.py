"""A data set in memory: training part, test part, what is wanted of either, and a fingerprint of it all."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.errors import InputError

Task = Literal["classification", "regression"]
Features = NDArray[np.floating[Any]]

_HASHED_AT_ONCE: Final = 1 << 20  # numbers; a copy of the whole in double precision could exceed the memory


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and what is wanted of them, already split; the test part never moves between runs.

    A classification has labels and classes. A regression has targets instead, no class and no label.

    Attributes
    ----------
    name
        The specification it was loaded from, such as ``digits`` or ``csv:flowers.csv``.
    train_inputs, test_inputs
        Shapes (S, F) and (T, F), in the data's own units (digits: 0 to 1); single precision when F is large.
    train_labels, test_labels
        Shapes (S,) and (T,), integers from 0 to C - 1 that index *classes*; shape (0,) for a regression.
    classes
        The C class names as they stood in the source; none for a regression.
    train_targets, test_targets
        Shapes (S,) and (T,), the numbers of a regression in their own unit; None for a classification.
    """

    name: str
    train_inputs: Features
    train_labels: NDArray[np.int64]
    test_inputs: Features
    test_labels: NDArray[np.int64]
    classes: tuple[str, ...]
    train_targets: NDArray[np.float64] | None = None
    test_targets: NDArray[np.float64] | None = None

    @classmethod
    def of_values(
        cls,
        name: str,
        train_inputs: Features,
        train_targets: NDArray[np.float64],
        test_inputs: Features,
        test_targets: NDArray[np.float64],
    ) -> Self:
        """Return a regression."""
        none = np.array([], dtype=np.int64)
        return cls(name, train_inputs, none, test_inputs, none, (), train_targets, test_targets)

    @property
    def task(self) -> Task:
        """Whether classes or numbers are wanted."""
        return "classification" if self.train_targets is None else "regression"

    @property
    def n_train(self) -> int:
        """Number of training samples S."""
        return self.train_inputs.shape[0]

    @property
    def n_test(self) -> int:
        """Number of test samples T."""
        return self.test_inputs.shape[0]

    @property
    def n_features(self) -> int:
        """Number of features F of one sample."""
        return self.train_inputs.shape[1]

    @property
    def n_classes(self) -> int:
        """Number of classes C."""
        return len(self.classes)

    def for_task(self, task: Task) -> "Dataset":
        """Return this set for *task*: a classification gives a regression of its class names, read as numbers.

        Raises InputError when a name is no number, or for the classes of a regression.
        """
        if task == self.task:
            return self
        if task == "classification":
            raise InputError(f"dataset {self.name!r} is a regression, it has no classes; leave task out")
        try:
            values = np.array([float(word) for word in self.classes])
        except ValueError:
            raise InputError(
                f"dataset {self.name!r} is no regression: its classes ({', '.join(self.classes)}) are no numbers"
            ) from None
        return self.of_values(
            self.name, self.train_inputs, values[self.train_labels], self.test_inputs, values[self.test_labels]
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over arrays, shapes and class names, without the set's own name: a moved file keeps it."""
        digest = hashlib.sha256()
        for inputs in (self.train_inputs, self.test_inputs):
            digest.update(repr(inputs.shape).encode())
            for start in range(0, len(inputs), rows := max(1, _HASHED_AT_ONCE // inputs.shape[1])):
                digest.update(np.ascontiguousarray(inputs[start : start + rows], dtype="<f8").tobytes())
        for labels in (self.train_labels, self.test_labels):
            digest.update(np.ascontiguousarray(labels, dtype="<i8").tobytes())
        digest.update(repr(self.classes).encode())
        for targets in (self.train_targets, self.test_targets):
            if targets is not None:
                digest.update(np.ascontiguousarray(targets, dtype="<f8").tobytes())
        return digest.hexdigest()
