"""Local losses on similarities, each a mean over the batch with its slope."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Labels = NDArray[np.int64]
Targets = NDArray[np.float64]
LossName = Literal["cross-entropy", "margin", "cosine", "mse"]


@dataclass(frozen=True)
class LossValue:
    """A loss and its slope: the mean over the batch, and ∂(mean)/∂s of shape (B, C)."""

    mean: float
    slope: FloatArray


class Loss(Protocol):
    """Similarities (B, C) and labels, or scaled targets, (B,) in, the loss and its slope out."""

    def __call__(self, similarity: FloatArray, wanted: Any) -> LossValue:
        """Evaluate the loss on one batch."""
        ...


def margin(similarity: FloatArray, labels: Labels, *, width: float) -> LossValue:
    """Σ_{c≠y} max(0, m + s_c − s_y), the paper's loss without its constant c = y term."""
    rows = np.arange(len(labels))
    excess = width + similarity - similarity[rows, labels][:, np.newaxis]
    excess[rows, labels] = 0.0
    slope = (excess > 0.0).astype(np.float64)
    slope[rows, labels] = -slope.sum(axis=1)
    return LossValue(float(np.maximum(excess, 0.0).sum() / len(labels)), slope / len(labels))


def cosine(similarity: FloatArray, labels: Labels) -> LossValue:
    """1 − s_y, the paper's loss for its photonic network."""
    rows = np.arange(len(labels))
    slope = np.zeros_like(similarity)
    slope[rows, labels] = -1.0 / len(labels)
    return LossValue(float(1.0 - similarity[rows, labels].mean()), slope)


def cross_entropy(similarity: FloatArray, labels: Labels, *, sharpness: float) -> LossValue:
    """−log softmax_y(τ·s) with τ = *sharpness*; ours, with more use of every pattern than a margin."""
    rows = np.arange(len(labels))
    logits = sharpness * similarity
    logits -= logits.max(axis=1, keepdims=True)
    weights = np.exp(logits)
    total = weights.sum(axis=1, keepdims=True)
    mean = float((np.log(total[:, 0]) - logits[rows, labels]).mean())
    weights /= total
    weights[rows, labels] -= 1.0
    weights *= sharpness / len(labels)
    return LossValue(mean, weights)


def mean_square(similarity: FloatArray, targets: Targets) -> LossValue:
    """(s − y)² of the one similarity (B, 1) and a target scaled to [−1, 1]."""
    excess = similarity[:, 0] - targets
    return LossValue(float((excess**2).mean()), (2.0 / len(targets)) * excess[:, np.newaxis])


def loss_named(name: LossName, *, margin_width: float, sharpness: float) -> Loss:
    """Return the loss of that name with its constants filled in."""
    losses: dict[LossName, Callable[..., LossValue]] = {
        "margin": partial(margin, width=margin_width),
        "cosine": cosine,
        "mse": mean_square,
        "cross-entropy": partial(cross_entropy, sharpness=sharpness),
    }
    return losses[name]
