"""Shapes of one layer: rows, columns and patches of its array, and what a pattern and its reading look like."""

from dataclasses import dataclass
from math import prod
from typing import Literal

ActivationName = Literal["none", "relu", "tanh"]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class PatchGeometry:
    """How the patches of a convolution lie on an image, and how its outputs are pooled.

    Attributes
    ----------
    channels, height, width
        Of the image.
    kernel
        Side of a patch, in pixels.
    stride
        Distance of neighbouring patches, in pixels.
    padding
        Pixels of zero around the image.
    pool
        Side of the square of outputs of which the largest is kept.
    """

    channels: int
    height: int
    width: int
    kernel: int
    stride: int
    padding: int
    pool: int

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width of the image, padding included."""
        return self.height + 2 * self.padding, self.width + 2 * self.padding

    @property
    def patches(self) -> tuple[int, int]:
        """Patches down and across."""
        down, across = self.padded
        return (down - self.kernel) // self.stride + 1, (across - self.kernel) // self.stride + 1

    @property
    def pooled(self) -> tuple[int, int]:
        """Outputs of one channel, down and across; what fills no square of the pool is left out."""
        down, across = self.patches
        return down // self.pool, across // self.pool


@dataclass(frozen=True)
class LayerShape:
    """What one layer's array is made of.

    Attributes
    ----------
    input_shape, output_shape
        Of one pattern and of its reading: (n,), or (channels, height, width).
    weights_shape
        (inputs, outputs), or (channels out, channels in, kernel, kernel).
    bias
        Whether a row that is always fully driven has one more crosspoint with each column.
    activation
        Circuit behind the columns.
    patches
        Geometry of a convolution; None for a dense layer.
    """

    input_shape: Shape
    output_shape: Shape
    weights_shape: Shape
    bias: bool
    activation: ActivationName
    patches: PatchGeometry | None

    @property
    def columns(self) -> int:
        """Columns of the array: outputs, or channels."""
        return self.output_shape[0]

    @property
    def fan_in(self) -> int:
        """Rows that patterns drive: inputs, or pixels of a patch."""
        return prod(self.weights_shape) // self.columns

    @property
    def n_weights(self) -> int:
        """Crosspoints, but for those of the bias, which come behind them."""
        return prod(self.weights_shape)

    @property
    def n_parameters(self) -> int:
        """All crosspoints."""
        return self.n_weights + self.columns * self.bias

    @property
    def n_outputs(self) -> int:
        """Values of one reading of one pattern."""
        return prod(self.output_shape)

    @property
    def vectors(self) -> int:
        """Products that one pattern takes."""
        return 1 if self.patches is None else prod(self.patches.patches)
