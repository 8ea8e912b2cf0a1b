"""Looks at the outputs of one batch as the local loss sees them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import DarkBatch
from ffzero_lab.rule.heads import Head
from ffzero_lab.rule.losses import Loss
from ffzero_lab.rule.similarity import Directions

MAX_DARK_SHARE = 0.01

FloatArray = NDArray[np.float64]
Wanted = NDArray[np.int64] | NDArray[np.float64]


@dataclass(frozen=True)
class Judgement:
    """One batch at one setting as the loss sees it.

    Attributes
    ----------
    losses
        (K,) mean loss over the batch, of each channel; one for all when they are judged together.
    slope
        (K, B, C) slope of the sum of the losses in the similarities of each channel.
    similarity
        (B, C) accumulated over the channels and the layers before.
    directions
        What carries the slope back to the outputs.
    dark
        Patterns under the detection floor.
    """

    losses: FloatArray
    slope: FloatArray
    similarity: FloatArray
    directions: Directions
    dark: int

    @property
    def loss(self) -> float:
        """Mean over the channels."""
        return float(self.losses.mean())


@dataclass(frozen=True)
class Judge:
    """The local objective of one layer.

    Attributes
    ----------
    head
        The layer's prototypes and how outputs are compared with them.
    loss
        The local loss.
    floor
        Detection floor in the output's unit.
    together
        Whether the channels answer together, by the sum of their similarities, or each has a loss of its own.
    """

    head: Head
    loss: Loss
    floor: float
    together: bool = True

    def __call__(self, outputs: FloatArray, wanted: Wanted, base: FloatArray) -> Judgement:
        """Judge outputs (B, n) by what is *wanted* (B,), on top of the similarity *base* (B, C) of earlier layers."""
        directions = self.head.directions(outputs, self.floor)
        own = self.head.similarity(directions)
        similarity = base + own.sum(axis=0)
        dark = int(np.count_nonzero(self.head.dark(directions)))
        if self.together:
            value = self.loss(similarity, wanted)
            return Judgement(
                np.array([value.mean]), np.broadcast_to(value.slope, own.shape), similarity, directions, dark
            )
        values = [self.loss(base + channel, wanted) for channel in own]
        losses, slope = np.array([value.mean for value in values]), np.stack([value.slope for value in values])
        return Judgement(losses, slope, similarity, directions, dark)

    def slope_in_outputs(self, judged: Judgement) -> FloatArray:
        """Return ∂L/∂z (B, n) of a judgement of this judge."""
        return self.head.slope_in_outputs(judged.slope, judged.directions)


def refuse_darkness(dark: int, n_patterns: int, where: str, floor: float) -> None:
    """Raise DarkBatch when more than 1 % of the patterns of a reading are under the detection floor."""
    if dark > MAX_DARK_SHARE * n_patterns:
        raise DarkBatch(
            f"{where}: {dark} of {n_patterns} patterns are under the detection floor of {floor:.3g}; at most 1 % may "
            "be. Raise the optical power or the detectors' gain, or leave dark patterns out"
        )
