"""Looks at the outputs of one batch as the local loss sees them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import DarkBatch
from ffzero_lab.rule.losses import Loss, LossValue
from ffzero_lab.rule.similarity import Directions, directions_of, similarities, slope_in_outputs

MAX_DARK_SHARE = 0.01

FloatArray = NDArray[np.float64]
Wanted = NDArray[np.int64] | NDArray[np.float64]


@dataclass(frozen=True)
class Judgement:
    """The loss and the accumulated similarity (B, C) of one batch at one setting, and what carries its slope back."""

    loss: LossValue
    similarity: FloatArray
    directions: Directions

    @property
    def dark(self) -> int:
        """Patterns under the detection floor."""
        return int(np.count_nonzero(self.directions.dark))


@dataclass(frozen=True)
class Judge:
    """The local objective of one layer.

    Attributes
    ----------
    prototypes
        (C, n) unit vectors.
    loss
        The local loss.
    centre
        Whether outputs are centred before they are normalised.
    floor
        Detection floor in the output's unit.
    """

    prototypes: FloatArray
    loss: Loss
    centre: bool
    floor: float

    def __call__(self, outputs: FloatArray, wanted: Wanted, base: FloatArray) -> Judgement:
        """Judge outputs (B, n) by what is *wanted* (B,), on top of the similarity *base* (B, C) of earlier layers."""
        directions = directions_of(outputs, centre=self.centre, floor=self.floor)
        similarity = base + similarities(directions, self.prototypes)
        return Judgement(self.loss(similarity, wanted), similarity, directions)

    def slope_in_outputs(self, judged: Judgement) -> FloatArray:
        """Return ∂L/∂z (B, n) of a judgement of this judge."""
        return slope_in_outputs(judged.loss.slope, judged.directions, self.prototypes)


def refuse_darkness(dark: int, n_patterns: int, where: str, floor: float) -> None:
    """Raise DarkBatch when more than 1 % of the patterns of a reading are under the detection floor."""
    if dark > MAX_DARK_SHARE * n_patterns:
        raise DarkBatch(
            f"{where}: {dark} of {n_patterns} patterns are under the detection floor of {floor:.3g}; at most 1 % may "
            "be. Raise the optical power or the detectors' gain, or leave dark patterns out"
        )
