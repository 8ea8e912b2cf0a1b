"""Ideal physics of a dense array: every column adds the currents of all its crosspoints."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.twin.crossbar.geometry import LayerShape

FloatArray = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]

ROUNDING = 4.0 * float(np.finfo(np.float64).eps)
"""Share of the largest setpoint by which the centre of a pair may miss that of the others."""


class DenseProduct:
    """z = xW + b."""

    kernel = "numpy"

    def __init__(self, shape: LayerShape) -> None:
        self._shape = shape

    def columns(self, inputs: Floats, conductances: Floats) -> Floats:
        """Return what the columns add up to, (B, n_out), for inputs (B, n_in) and conductances (P,)."""
        conductances = conductances.astype(inputs.dtype, copy=False)
        added = inputs @ conductances[: self._shape.n_weights].reshape(self._shape.weights_shape)
        if self._shape.bias:
            added += conductances[self._shape.n_weights :]
        return added

    def columns_of_pairs(self, inputs: Floats, settings: FloatArray) -> Iterator[Floats] | None:
        """Return the same for each of *settings* (K, P), in order; None when it would spare nothing.

        Readings θ ± εv around one θ share its product: x(W ± εV) = xW ± εxV. K directions cost K + 1 products instead
        of 2K, and the order + − − + costs two instead of four. Equal to `columns` within rounding.
        """
        if len(settings) < 4 or len(settings) % 2:
            return None
        centre = 0.5 * (settings[0] + settings[1])
        allowed = ROUNDING * float(np.abs(settings[0]).max() + np.abs(settings[1]).max())
        for first, second in zip(settings[2::2], settings[3::2], strict=True):
            if np.abs(0.5 * (first + second) - centre).max() > allowed:
                return None
        return self._around(centre, inputs, settings)

    def _around(self, centre: FloatArray, inputs: Floats, settings: FloatArray) -> Iterator[Floats]:
        middle = self.columns(inputs, centre)
        last, apart = np.zeros_like(centre), np.zeros_like(middle)
        for first, second in zip(settings[::2], settings[1::2], strict=True):
            half = 0.5 * (first - second)
            apart = -apart if np.array_equal(half, -last) else self.columns(inputs, half)
            last = half
            yield middle + apart
            yield middle - apart
