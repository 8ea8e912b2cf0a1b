"""``function1`` and ``function2``, which Guo et al. (arXiv:2603.24790) fit, with noise on the training part."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.datasets.dataset import Dataset

FloatArray = NDArray[np.float64]

N_TRAIN: Final = 10_000
N_TEST: Final = 2_000
NOISE: Final = 0.05
"""Standard deviation of the noise as a share of that of the training targets; the test part is exact."""
_SEED: Final = 20260325  # no part of a run: every run sees the same points


def load_function1() -> Dataset:
    """Draw points of sin x₁ + cos x₂, both x uniform in -1 to 1."""
    return _drawn("function1", 2, lambda x: np.sin(x[0]) + np.cos(x[1]))


def load_function2() -> Dataset:
    """Draw points of exp(x₁) sin x₂ + x₃ cos x₄ - x₅ x₁, all x uniform in -1 to 1."""
    return _drawn("function2", 5, lambda x: np.exp(x[0]) * np.sin(x[1]) + x[2] * np.cos(x[3]) - x[4] * x[0])


def _drawn(name: str, n_features: int, function: Callable[[FloatArray], FloatArray]) -> Dataset:
    rng = np.random.Generator(np.random.Philox(_SEED))
    train = rng.uniform(-1.0, 1.0, (N_TRAIN, n_features))
    test = rng.uniform(-1.0, 1.0, (N_TEST, n_features))
    exact = function(train.T)
    noisy = exact + NOISE * exact.std() * rng.standard_normal(N_TRAIN)
    return Dataset.of_values(name, train, noisy, test, function(test.T))
