"""What a run aims at: the class of every pattern, or a number; how answers are read from similarities and scored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ffzero_lab.datasets import Dataset
from ffzero_lab.rule.prototypes import random_prototype, simplex_prototypes
from ffzero_lab.rule.readout import READOUTS, ReadoutName, predicted_classes, predicted_numbers

FloatArray = NDArray[np.float64]
Wanted = NDArray[np.int64] | NDArray[np.float64]
Measure = Literal["accuracy", "r2"]


class Aim(Protocol):
    """Classes or numbers; similarities are (…, C) with C = ``n_prototypes``."""

    @property
    def measure(self) -> Measure:
        """What a score is: the share of right answers, or R²."""
        ...

    @property
    def n_prototypes(self) -> int:
        """C, prototypes of each layer."""
        ...

    def prototypes(self, n: int, rng: Generator) -> FloatArray:
        """Draw the prototypes (C, n) of a layer of n outputs."""
        ...

    def wanted(self, dataset: Dataset) -> tuple[Wanted, Wanted]:
        """Return what similarities shall show, for the training and the test part: class numbers, or scaled targets."""
        ...

    def score(self, similarity: FloatArray, wanted: Wanted) -> float:
        """Score one layer's, or the accumulated, similarity (S, C)."""
        ...

    def scores(self, similarity: FloatArray, wanted: Wanted) -> dict[ReadoutName, float]:
        """Score every readout of similarities (layers, S, C)."""
        ...

    def answers(self, similarity: FloatArray, readout: ReadoutName) -> list[tuple[str | float, float]]:
        """Return the answer for each of S patterns and how sure it is (a class's mean similarity)."""
        ...

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the constants for the checkpoint."""
        ...


@dataclass(frozen=True)
class Classes:
    """One of several classes, the one whose prototype is the most similar."""

    names: tuple[str, ...]

    @property
    def measure(self) -> Measure:
        """The share of right answers."""
        return "accuracy"

    @property
    def n_prototypes(self) -> int:
        """One for each class."""
        return len(self.names)

    def prototypes(self, n: int, rng: Generator) -> FloatArray:
        """Draw the corners (C, n) of a regular simplex."""
        return simplex_prototypes(len(self.names), n, rng)

    def wanted(self, dataset: Dataset) -> tuple[Wanted, Wanted]:
        """Return the labels."""
        return dataset.train_labels, dataset.test_labels

    def score(self, similarity: FloatArray, wanted: Wanted) -> float:
        """Return the share of right answers."""
        return float((similarity.argmax(axis=1) == wanted).mean())

    def scores(self, similarity: FloatArray, wanted: Wanted) -> dict[ReadoutName, float]:
        """Return the share of right answers of each readout."""
        return {name: float((predicted_classes(similarity, name) == wanted).mean()) for name in READOUTS}

    def answers(self, similarity: FloatArray, readout: ReadoutName) -> list[tuple[str | float, float]]:
        """Return the class and its mean similarity over the layers, for each pattern."""
        predicted = predicted_classes(similarity, readout)
        sure: list[float] = similarity.mean(axis=0)[np.arange(len(predicted)), predicted].tolist()
        return [(self.names[index], own) for index, own in zip(predicted.tolist(), sure, strict=True)]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the names."""
        return {"classes": np.array(self.names)}


@dataclass(frozen=True)
class Numbers:
    """A number: the similarity with one prototype, scaled from [−1, 1] to the range of the training targets."""

    lower: float
    upper: float

    @property
    def measure(self) -> Measure:
        """R²."""
        return "r2"

    @property
    def n_prototypes(self) -> int:
        """One."""
        return 1

    def prototypes(self, n: int, rng: Generator) -> FloatArray:
        """Draw one random unit vector (1, n)."""
        return random_prototype(n, rng)

    def wanted(self, dataset: Dataset) -> tuple[Wanted, Wanted]:
        """Return the targets, scaled so that those of the training part fill [−1, 1]."""
        if dataset.train_targets is None or dataset.test_targets is None:
            raise ValueError(f"dataset {dataset.name} has no targets")
        middle, half = 0.5 * (self.lower + self.upper), 0.5 * (self.upper - self.lower)
        return (dataset.train_targets - middle) / half, (dataset.test_targets - middle) / half

    def score(self, similarity: FloatArray, wanted: Wanted) -> float:
        """Return R² = 1 − Σ(y − ŷ)²/Σ(y − ȳ)², which scaling does not change."""
        return _r2(similarity[:, 0], wanted)

    def scores(self, similarity: FloatArray, wanted: Wanted) -> dict[ReadoutName, float]:
        """Return R² of the readouts that numbers have: ``sum`` and ``last``."""
        return {name: _r2(predicted_numbers(similarity, name), wanted) for name in READOUTS if name != "vote"}

    def answers(self, similarity: FloatArray, readout: ReadoutName) -> list[tuple[str | float, float]]:
        """Return the number, in the targets' own unit, and its similarity, for each pattern."""
        scaled = predicted_numbers(similarity, readout)
        values = 0.5 * (self.lower + self.upper) + 0.5 * (self.upper - self.lower) * scaled
        return list(zip(values.tolist(), scaled.tolist(), strict=True))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the range."""
        return {"target_range": np.array([self.lower, self.upper])}


def aim_of(dataset: Dataset) -> Aim:
    """Return what *dataset* is for; the range of numbers is that of its training part."""
    if dataset.train_targets is None:
        return Classes(dataset.classes)
    return Numbers(float(dataset.train_targets.min()), float(dataset.train_targets.max()))


def aim_from(arrays: Mapping[str, NDArray[Any]]) -> Aim:
    """Read back what ``to_arrays`` gave; raises KeyError when it is missing."""
    if "target_range" in arrays:
        lower, upper = arrays["target_range"].tolist()
        return Numbers(lower, upper)
    return Classes(tuple(str(name) for name in arrays["classes"]))


def _r2(found: FloatArray, wanted: Wanted) -> float:
    spread = float(((wanted - wanted.mean()) ** 2).sum())
    return 1.0 - float(((wanted - found) ** 2).sum()) / spread if spread > 0.0 else 0.0
