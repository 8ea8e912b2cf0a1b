"""Exact slopes in an array's conductances. Training in place has no use for it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.twin.crossbar.convolution import PATCHES_AT_ONCE, in_squares, seen_patches
from drivers.twin.crossbar.geometry import LayerShape, PatchGeometry

FloatArray = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]


def conductance_slopes(
    shape: LayerShape, inputs: FloatArray, conductances: FloatArray, slopes_in_sums: FloatArray
) -> FloatArray:
    """Carry slopes in what the columns add up to, pooled, back to the conductances.

    Parameters
    ----------
    shape
        Of the layer.
    inputs
        (B, n_in) what drives the rows.
    conductances
        (P,) at which the slope is taken: they decide what the pool keeps.
    slopes_in_sums
        (B, n_out) ∂L/∂(sums).

    Returns
    -------
    NDArray[np.float64]
        (P,) ∂L/∂G.
    """
    if shape.patches is None:
        in_weights, by_column = inputs.T @ slopes_in_sums, slopes_in_sums
    else:
        images = inputs.reshape(-1, *shape.input_shape)
        kernels = conductances[: shape.n_weights].reshape(shape.weights_shape)
        slopes = slopes_in_sums.reshape(-1, *shape.output_shape)
        in_weights, by_column = _kernel_slopes(shape.patches, images, kernels, slopes), slopes.sum(axis=(2, 3))
    return np.concatenate([in_weights.ravel(), by_column.sum(axis=0)] if shape.bias else [in_weights.ravel()])


def _kernel_slopes(geometry: PatchGeometry, images: FloatArray, kernels: FloatArray, slopes: FloatArray) -> FloatArray:
    """Return (C_out, C, k, k) from the slopes (B, C_out, h, w) in the pooled outputs of images (B, C, H, W)."""
    down, across = geometry.patches
    at_once = max(1, PATCHES_AT_ONCE // (down * across))
    total = np.zeros_like(kernels)
    for start in range(0, len(images), at_once):
        patches = seen_patches(images[start : start + at_once], geometry)
        in_outputs = _to_the_largest(in_squares(patches, kernels, geometry), slopes[start : start + at_once])
        total += np.tensordot(in_outputs, patches, axes=((0, 1, 2), (0, 2, 3)))
    return total


def _to_the_largest(squares: Floats, slopes: FloatArray) -> Floats:
    """Give each slope (B, C_out, h, w) to the largest output of its square, (B, h·pool, w·pool, C_out)."""
    batch, down, pool, across, _, channels = squares.shape
    places = squares.transpose(0, 1, 3, 5, 2, 4).reshape(batch, down, across, channels, pool * pool)
    given = np.zeros_like(places)
    largest = places.argmax(axis=-1)[..., np.newaxis]
    np.put_along_axis(given, largest, slopes.transpose(0, 2, 3, 1)[..., np.newaxis], axis=-1)
    spread = given.reshape(batch, down, across, channels, pool, pool).transpose(0, 1, 4, 2, 5, 3)
    return spread.reshape(batch, down * pool, across * pool, channels)
