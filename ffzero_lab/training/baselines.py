"""Honesty baselines: what one gets without training the device, or without the device."""

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.datasets import Dataset

FloatArray = NDArray[np.float64]

RIDGE = 1e-3
ITERATIONS = 300


def linear_classifier_accuracy(dataset: Dataset) -> float:
    """Return the test accuracy of softmax regression on the raw, standardised features.

    The mean cross-entropy plus ``RIDGE``/2·‖W‖² is minimised by the bound of Böhning (1992): the Hessian never
    exceeds ½XᵀX/S in each class, so one factorisation serves all iterations, accelerated by Nesterov's momentum.
    """
    mean, spread = dataset.train_inputs.mean(axis=0), dataset.train_inputs.std(axis=0)
    spread[spread == 0.0] = 1.0
    train = _with_constant((dataset.train_inputs - mean) / spread)
    test = _with_constant((dataset.test_inputs - mean) / spread)
    weights = _softmax_regression(train, np.eye(dataset.n_classes)[dataset.train_labels])
    return float(((test @ weights).argmax(axis=1) == dataset.test_labels).mean())


def _with_constant(features: FloatArray) -> FloatArray:
    return np.hstack([features, np.ones((len(features), 1))])


def _softmax_regression(features: FloatArray, targets: FloatArray) -> FloatArray:
    """Return weights (F, C) for features (S, F) and one-hot targets (S, C)."""
    n_patterns, n_features = features.shape
    bound: FloatArray = 0.5 * features.T @ features / n_patterns + RIDGE * np.eye(n_features)
    inverse = np.linalg.inv(bound).astype(np.float64)
    weights: FloatArray = np.zeros((n_features, targets.shape[1]))
    ahead = weights
    for iteration in range(ITERATIONS):
        logits: FloatArray = features @ ahead
        logits -= logits.max(axis=1, keepdims=True)
        probability = np.exp(logits)
        probability /= probability.sum(axis=1, keepdims=True)
        gradient = features.T @ (probability - targets) / n_patterns + RIDGE * ahead
        stepped = ahead - inverse @ gradient
        ahead = stepped + iteration / (iteration + 3.0) * (stepped - weights)
        weights = stepped
    return weights
