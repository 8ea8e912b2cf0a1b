"""Ideal physics of a convolution: one array sees an image patch by patch, and the largest neighbours are kept."""

from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from drivers.twin.crossbar.geometry import LayerShape, PatchGeometry

FloatArray = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]

PATCHES_AT_ONCE = 2**17
"""Patches in memory at a time: 36 pixels each take 38 MB."""


class PatchProduct:
    """z = max over each square of the pool of (patch · kernel + b).

    Parameters
    ----------
    shape
        Of the layer.
    kernel
        ``numba`` for the compiled one, ``numpy`` for products with all patches side by side, ``auto`` for numba where
        it is installed.
    """

    def __init__(self, shape: LayerShape, patches: PatchGeometry, kernel: Literal["auto", "numba", "numpy"]) -> None:
        self._shape, self._patches = shape, patches
        compiled = kernel == "numba" or (kernel == "auto" and find_spec("numba") is not None)
        self.kernel = "numba" if compiled else "numpy"
        self._kernels: Any = None
        if compiled:
            from drivers.twin.crossbar import kernels

            self._kernels = kernels

    def columns(self, inputs: Floats, conductances: Floats) -> Floats:
        """Return the pooled outputs (B, n_out) for inputs (B, n_in) and conductances (P,)."""
        conductances = conductances.astype(inputs.dtype, copy=False)
        kernels = conductances[: self._shape.n_weights].reshape(self._shape.weights_shape)
        images = inputs.reshape(len(inputs), *self._shape.input_shape)
        pooled = np.empty((len(inputs), *self._shape.output_shape), dtype=inputs.dtype)
        if self._kernels is not None:
            self._kernels.convolve(images, kernels, self._patches, pooled)
        else:
            at_once = max(1, PATCHES_AT_ONCE // self._shape.vectors)
            for start in range(0, len(images), at_once):
                convolve(images[start : start + at_once], kernels, self._patches, pooled[start : start + at_once])
        if self._shape.bias:
            pooled += conductances[self._shape.n_weights :, np.newaxis, np.newaxis]
        return pooled.reshape(len(inputs), -1)

    def columns_of_pairs(self, inputs: Floats, settings: FloatArray) -> None:
        """Return None: behind the pool, readings around one centre share nothing."""


def convolve(images: Floats, kernels: Floats, geometry: PatchGeometry, pooled: Floats) -> None:
    """Write the pooled convolution (B, C_out, h, w) of images (B, C, H, W) with kernels (C_out, C, k, k)."""
    squares = in_squares(seen_patches(images, geometry), kernels, geometry)
    pooled[:] = squares.max(axis=(2, 4)).transpose(0, 3, 1, 2)


def seen_patches(images: Floats, geometry: PatchGeometry) -> Floats:
    """Return a view (B, C, h·pool, w·pool, k, k) of the patches that fill a square of the pool."""
    padding, stride, pool = geometry.padding, geometry.stride, geometry.pool
    if padding:
        images = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    size = (geometry.kernel, geometry.kernel)
    patches = np.lib.stride_tricks.sliding_window_view(images, size, axis=(2, 3))[:, :, ::stride, ::stride]
    down, across = geometry.pooled
    return patches[:, :, : down * pool, : across * pool]


def in_squares(patches: Floats, kernels: Floats, geometry: PatchGeometry) -> Floats:
    """Return the products of *patches* and *kernels* in the squares of the pool, (B, h, pool, w, pool, C_out)."""
    (down, across), pool = geometry.pooled, geometry.pool
    outputs = np.tensordot(patches, kernels, axes=((1, 4, 5), (1, 2, 3)))
    return outputs.reshape(-1, down, pool, across, pool, len(kernels))
