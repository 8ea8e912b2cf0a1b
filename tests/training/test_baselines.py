"""The linear classifier beside every result is a fair one."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp

from ffzero_lab.datasets import load_dataset
from ffzero_lab.training.baselines import RIDGE, linear_classifier_accuracy


def test_softmax_regression_reaches_what_a_general_minimiser_reaches() -> None:
    digits = load_dataset("digits")
    mean, spread = digits.train_inputs.mean(axis=0), digits.train_inputs.std(axis=0)
    spread[spread == 0.0] = 1.0
    train, test = (
        np.hstack([(inputs - mean) / spread, np.ones((len(inputs), 1))])
        for inputs in (digits.train_inputs, digits.test_inputs)
    )
    targets = np.eye(10)[digits.train_labels]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(65, 10)
        logits = train @ weights
        total = logsumexp(logits, axis=1, keepdims=True)
        value = (total[:, 0] - (logits * targets).sum(axis=1)).mean() + 0.5 * RIDGE * (weights**2).sum()
        gradient = train.T @ (np.exp(logits - total) - targets) / len(train) + RIDGE * weights
        return value, gradient.ravel()

    best = minimize(loss, np.zeros(650), jac=True, method="L-BFGS-B", options={"maxiter": 2000}).x.reshape(65, 10)
    expected = ((test @ best).argmax(axis=1) == digits.test_labels).mean()
    assert linear_classifier_accuracy(digits) == pytest.approx(expected, abs=2.5 / 360)
