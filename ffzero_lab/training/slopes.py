"""Where the slope of a layer's loss comes from: what every source of slopes gives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Estimate:
    """What one look at a batch told.

    Attributes
    ----------
    gradient
        (Q,) slope of the loss along the coordinates that training moves, on the trained scale.
    loss, score
        Means over what was judged.
    dark
        Most patterns under the detection floor in anything judged.
    slope_rms
        RMS slope along a random direction, loss per typical change.
    over_error
        RMS slope along the directions over its standard error among the patterns; None where nobody measures.
    """

    gradient: FloatArray
    loss: float
    score: float
    dark: int
    slope_rms: float
    over_error: float | None = None


@dataclass(frozen=True)
class Look:
    """A look that is about to be taken.

    Attributes
    ----------
    headroom
        (P,) how far it moves each parameter to either side, on the trained scale.
    estimate
        Takes it: parameters (P,), on the trained scale, and the staged rows (B,) in, the estimate out.
    """

    headroom: FloatArray
    estimate: Callable[[FloatArray, Rows], Estimate]


class Prober(Protocol):
    """Measures slopes along given directions at a given amplitude."""

    def moves(self, directions: FloatArray, multiple: float) -> FloatArray:
        """Return the moves (K, P) of directions (K, Q) at *multiple* typical changes RMS, on the trained scale."""
        ...

    def slopes_along(self, directions: FloatArray, multiple: float, parameters: FloatArray, rows: Rows) -> FloatArray:
        """Measure slopes (K,) or (K, Q) along *directions* (K, Q), loss per typical change."""
        ...


class SlopeSource(Protocol):
    """Measures, or computes, the slope of one layer's loss."""

    def at(self, step: int) -> Look:
        """Return the look of one step; recomputing a step gives the same one."""
        ...
