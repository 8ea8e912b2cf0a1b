"""Honesty baselines: what one gets without training the device, or without the device."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.datasets import Dataset
from ffzero_lab.datasets.dataset import Features

RIDGE = 1e-3
ITERATIONS = 300
STILL = 1e-4
"""Share of the largest weight that no weight moves any more."""


def linear_baseline(dataset: Dataset) -> dict[str, float]:
    """Return the test score of a linear model on the raw features, by its name."""
    if dataset.task == "classification":
        return {"linear_classifier": linear_classifier_accuracy(dataset)}
    return {"linear_regression": linear_regression_r2(dataset)}


def linear_regression_r2(dataset: Dataset) -> float:
    """Return R² on the test part of least squares on the raw features; raises ValueError without targets."""
    if dataset.train_targets is None or dataset.test_targets is None:
        raise ValueError(f"dataset {dataset.name} has no targets")
    weights, *_ = np.linalg.lstsq(_with_constant(dataset.train_inputs), dataset.train_targets, rcond=None)
    missed = dataset.test_targets - _with_constant(dataset.test_inputs) @ weights
    return 1.0 - float((missed**2).sum() / ((dataset.test_targets - dataset.test_targets.mean()) ** 2).sum())


def linear_classifier_accuracy(dataset: Dataset) -> float:
    """Return the test accuracy of softmax regression on the raw, standardised features.

    The mean cross-entropy plus ``RIDGE``/2·‖W‖² is minimised by the bound of Böhning (1992): the Hessian never
    exceeds ½XᵀX/S in each class, so one factorisation serves all iterations, accelerated by Nesterov's momentum, until
    the weights stand still. Computed in the precision of the features.
    """
    mean, spread = dataset.train_inputs.mean(axis=0), dataset.train_inputs.std(axis=0)
    spread[spread == 0.0] = 1.0
    train = _with_constant((dataset.train_inputs - mean) / spread)
    test = _with_constant((dataset.test_inputs - mean) / spread)
    weights = _softmax_regression(train, dataset.train_labels, dataset.n_classes)
    return float(((test @ weights).argmax(axis=1) == dataset.test_labels).mean())


def _with_constant(features: Features) -> Features:
    return np.hstack([features, np.ones((len(features), 1), dtype=features.dtype)])


def _softmax_regression(features: Features, labels: NDArray[np.int64], n_classes: int) -> Features:
    """Return weights (F, C) for features (S, F) and labels (S,)."""
    n_patterns, n_features = features.shape
    rows = np.arange(n_patterns, dtype=np.intp)
    bound: NDArray[Any] = (0.5 / n_patterns) * (features.T @ features).astype(np.float64) + RIDGE * np.eye(n_features)
    inverse: NDArray[Any] = np.linalg.inv(bound).astype(features.dtype)
    weights: NDArray[Any] = np.zeros((n_features, n_classes), dtype=features.dtype)
    ahead = weights
    for iteration in range(ITERATIONS):
        probability: NDArray[Any] = features @ ahead
        probability -= probability.max(axis=1, keepdims=True)
        np.exp(probability, out=probability)
        probability /= probability.sum(axis=1, keepdims=True)
        probability[rows, labels] -= 1.0
        gradient: NDArray[Any] = features.T @ probability / n_patterns + RIDGE * ahead
        stepped: NDArray[Any] = ahead - inverse @ gradient
        moved = float(np.abs(stepped - weights).max())
        ahead = stepped + iteration / (iteration + 3.0) * (stepped - weights)
        weights = stepped
        if moved < STILL * float(np.abs(weights).max()):
            break
    return weights
