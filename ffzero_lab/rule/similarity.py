"""From outputs to similarities with the prototypes, and from a slope in the similarities back to the outputs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

ROUNDING = 1e-12
"""Centred outputs smaller than this share of the raw ones are nothing but the rounding of their mean."""


@dataclass(frozen=True)
class Directions:
    """Outputs reduced to their direction.

    Attributes
    ----------
    unit
        (B, n) unit vectors ẑ; zero for a dark pattern.
    norm
        (B,) norms of the (centred) outputs, in the output's unit.
    dark
        (B,) True where the outputs are under the detection floor.
    """

    unit: FloatArray
    norm: FloatArray
    dark: NDArray[np.bool_]
    centred: bool


def directions_of(outputs: FloatArray, *, centre: bool, floor: float = 0.0) -> Directions:
    """Normalise outputs (B, n): z ← z − mean(z) when *centre*, then ẑ = z/‖z‖.

    A pattern none of whose raw outputs exceeds *floor* in magnitude, or whose outputs are all equal, is dark: its
    direction is zero, so that its similarity with every prototype is 0.
    """
    shifted = outputs - _row_means(outputs) if centre else outputs
    norm = np.sqrt(np.einsum("bn,bn->b", shifted, shifted))
    largest = np.maximum(outputs.max(axis=1), -outputs.min(axis=1))
    dark = (norm <= ROUNDING * largest) | (largest < floor)
    scale = np.divide(1.0, norm, out=np.zeros_like(norm), where=~dark)
    return Directions(shifted * scale[:, np.newaxis], norm, dark, centre)


def similarities(directions: Directions, prototypes: FloatArray) -> FloatArray:
    """Return s_c = ẑ·r_c, shape (B, C), for *prototypes* (C, n)."""
    return directions.unit @ prototypes.T


def slope_in_outputs(slope: FloatArray, directions: Directions, prototypes: FloatArray | None) -> FloatArray:
    """Carry ∂L/∂s (B, C) back to ∂L/∂z (B, n) through the normalisation and the centring.

    Without *prototypes* the slope is one in the directions already, ∂L/∂ẑ (B, n). ∂ẑ/∂z = (I − ẑẑᵀ)/‖z‖, and centring
    is the projection I − 11ᵀ/n. Dark patterns get zero.
    """
    towards = slope.copy() if prototypes is None else slope @ prototypes
    along = np.einsum("bn,bn->b", towards, directions.unit)
    scale = np.divide(1.0, directions.norm, out=np.zeros_like(directions.norm), where=~directions.dark)
    towards -= along[:, np.newaxis] * directions.unit
    towards *= scale[:, np.newaxis]
    if directions.centred:
        towards -= _row_means(towards)
    return towards


def _row_means(values: FloatArray) -> FloatArray:
    """Return the mean of each row, shape (B, 1); a matrix product is four times as quick as a reduction here."""
    return values @ np.full((values.shape[1], 1), 1.0 / values.shape[1])
