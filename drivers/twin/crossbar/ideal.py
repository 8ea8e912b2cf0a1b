"""The ideal crossbar twin as a function that JAX can trace: cells, drivers, amplifiers and converters without error."""

# JAX leaves the types of arrays and of what its transformations return open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from typing import Any

from drivers.twin.crossbar.geometry import LayerShape, PatchGeometry
from drivers.twin.tracing import jax, jnp
from ffzero_lab.device import IdealModel


def ideal_model(shapes: Sequence[LayerShape]) -> IdealModel:
    """Return the outputs (B, n_out) behind the last of the arrays of *shapes* that the signal passes."""

    def outputs(values: Sequence[Any], inputs: Any) -> Any:
        signals = jnp.asarray(inputs, dtype=jnp.float64)
        for shape, conductances in zip(shapes, values, strict=True):
            signals = _array(shape, jnp.asarray(conductances), signals)
        return signals

    return outputs


def _array(shape: LayerShape, conductances: Any, inputs: Any) -> Any:
    weights = conductances[: shape.n_weights].reshape(shape.weights_shape)
    bias = conductances[shape.n_weights :] if shape.bias else 0.0
    if shape.patches is None:
        added = inputs @ weights + bias
    else:
        images = inputs.reshape(-1, *shape.input_shape)
        added = _convolved(shape.patches, images, weights) + bias  # channels last: the bias goes with them
        added = added.transpose(0, 3, 1, 2).reshape(len(images), -1)
    if shape.activation == "relu":
        return jax.nn.relu(added)
    return jnp.tanh(added) if shape.activation == "tanh" else added


def _convolved(geometry: PatchGeometry, images: Any, kernels: Any) -> Any:
    """Return the pooled convolution (B, h, w, C_out) of images (B, C, H, W) with kernels (C_out, C, k, k).

    As a product with patches side by side, whose slope is one as well; JAX's own convolution on the CPU has no
    quick one in double precision.
    """
    padding, stride, pool, size = geometry.padding, geometry.stride, geometry.pool, geometry.kernel
    padded = jnp.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    (rows, columns), (down, across) = geometry.pooled, geometry.patches
    shifted = [
        padded[:, :, i : i + stride * (down - 1) + 1 : stride, j : j + stride * (across - 1) + 1 : stride]
        for i in range(size)
        for j in range(size)
    ]
    patches = jnp.stack(shifted, axis=-1)[:, :, : rows * pool, : columns * pool]
    added = jnp.einsum("bchwk,ock->bhwo", patches, kernels.reshape(*kernels.shape[:2], -1))
    return added.reshape(len(images), rows, pool, columns, pool, -1).max(axis=(2, 4))
