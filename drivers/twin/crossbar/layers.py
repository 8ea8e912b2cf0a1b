"""Layers of a crossbar as a user lists them."""

from math import prod
from typing import Annotated, Literal

from pydantic import Field

from drivers.twin.crossbar.geometry import ActivationName, LayerShape, PatchGeometry, Shape
from drivers.twin.tables import Table

Size = Annotated[int, Field(ge=1, le=2**20)]


class Dense(Table):
    """Every input meets every output in one crosspoint."""

    kind: Literal["dense"] = "dense"
    outputs: Size
    """Columns."""
    activation: ActivationName | None = None
    """Circuit behind the columns; None: the device's."""
    bias: bool = True
    """Whether a row that is always fully driven adds a constant to each column."""

    def shape_behind(self, inputs: Shape, activation: ActivationName) -> LayerShape:
        """Return the shape of this layer for *inputs*, with the device's *activation* unless it has its own."""
        weights = (prod(inputs), self.outputs)
        return LayerShape(inputs, (self.outputs,), weights, self.bias, self.activation or activation, None)


class Convolution(Table):
    """One array sees the inputs patch by patch; a peak detector may keep the largest of neighbouring outputs."""

    kind: Literal["conv"] = "conv"
    channels: Size
    """Columns, which are the channels of the output."""
    kernel: Size
    """Side of a patch, in pixels."""
    stride: Size = 1
    """Distance of neighbouring patches, in pixels."""
    padding: Annotated[int, Field(ge=0)] = 0
    """Pixels of zero around the image; less than a kernel."""
    pool: Size = 1
    """Side of the square of outputs of which the largest is kept; what fills no square is left out."""
    activation: ActivationName | None = None
    """Circuit behind the columns; None: the device's."""
    bias: bool = True
    """Whether a row that is always fully driven adds a constant to each channel."""

    def shape_behind(self, inputs: Shape, activation: ActivationName) -> LayerShape:
        """Return the shape of this layer for *inputs*; raises ValueError when it does not fit on them."""
        if len(inputs) != 3:
            raise ValueError(
                f"a convolution takes (channels, height, width), not {inputs}; write inputs = [1, 28, 28], for instance"
            )
        patches = PatchGeometry(*inputs, self.kernel, self.stride, self.padding, self.pool)
        if self.padding >= self.kernel:
            raise ValueError(f"padding {self.padding} leaves whole patches empty; at most {self.kernel - 1} here")
        if self.kernel > min(patches.padded):
            raise ValueError(f"kernel {self.kernel} exceeds the image of {patches.padded}, padding included")
        if self.pool > min(patches.patches):
            raise ValueError(f"pool {self.pool} exceeds the map of {patches.patches} outputs")
        weights = (self.channels, inputs[0], self.kernel, self.kernel)
        output = (self.channels, *patches.pooled)
        return LayerShape(inputs, output, weights, self.bias, self.activation or activation, patches)


Layer = Annotated[Dense | Convolution, Field(discriminator="kind")]
