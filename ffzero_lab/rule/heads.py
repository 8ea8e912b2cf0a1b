"""How the outputs of one layer are compared with its prototypes: as a whole, or channel by channel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.rule.similarity import Directions, directions_of, similarities, slope_in_outputs

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Head:
    """The frozen reading of one layer; a layer without channels is one channel.

    Attributes
    ----------
    prototypes
        (K, C, r) unit vectors, a set for each of K channels.
    reduction
        (m, r) fixed random linear map from a channel's m outputs to r values, or None where r = m.
    centre
        Whether what is compared is centred before it is normalised.
    """

    prototypes: FloatArray
    reduction: FloatArray | None
    centre: bool

    @property
    def n_channels(self) -> int:
        """K."""
        return self.prototypes.shape[0]

    @property
    def n_outputs(self) -> int:
        """Outputs of the layer, K·m."""
        per_channel = self.prototypes.shape[2] if self.reduction is None else self.reduction.shape[0]
        return self.n_channels * per_channel

    def directions(self, outputs: FloatArray, floor: float) -> Directions:
        """Reduce and normalise outputs (B, n), channel by channel; the rows of a pattern stand together, (B·K, r)."""
        maps = outputs.reshape(len(outputs) * self.n_channels, -1)
        if self.reduction is None:
            return directions_of(maps, centre=self.centre, floor=floor)
        seen = directions_of(maps @ self.reduction, centre=self.centre)
        dark = seen.dark | (np.abs(maps).max(axis=1) < floor)
        seen.unit[dark] = 0.0
        return Directions(seen.unit, seen.norm, dark, seen.centred)

    def similarity(self, directions: Directions) -> FloatArray:
        """Return the similarities (K, B, C) of each channel."""
        if self.n_channels == 1:
            return similarities(directions, self.prototypes[0])[np.newaxis]
        return self._by_channel(directions.unit) @ self.prototypes.transpose(0, 2, 1)

    def dark(self, directions: Directions) -> NDArray[np.bool_]:
        """Tell which patterns (B,) are dark in every channel."""
        return np.logical_and.reduce(directions.dark.reshape(-1, self.n_channels), axis=1)

    def slope_in_outputs(self, slope: FloatArray, directions: Directions) -> FloatArray:
        """Carry ∂L/∂s (K, B, C) back to ∂L/∂z (B, n)."""
        if self.n_channels == 1:
            towards = slope_in_outputs(slope[0], directions, self.prototypes[0])
        else:
            pulled = (slope @ self.prototypes).transpose(1, 0, 2).reshape(directions.unit.shape)
            towards = slope_in_outputs(pulled, directions, None)
        if self.reduction is not None:
            towards = towards @ self.reduction.T
        return towards.reshape(towards.shape[0] // self.n_channels, -1)

    def _by_channel(self, rows: FloatArray) -> FloatArray:
        """Return rows (B·K, r) as (K, B, r)."""
        return rows.reshape(-1, self.n_channels, rows.shape[1]).transpose(1, 0, 2)
