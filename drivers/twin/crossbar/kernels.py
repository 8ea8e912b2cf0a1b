"""Compiled (numba) convolution with pooling: the hot path of a convolutional crossbar.

Importing this module imports numba; `drivers.twin.crossbar.convolution` does so for the first convolution.

What makes it fast:

- Patterns stand in parts of `LANES`, in memory as (channel, row, column, lane), so that one crosspoint multiplies a
  whole part with vector instructions. A part stays in the cache for all patches.
- Four columns of the array and two neighbouring pixels are added up at a time, so that an input is loaded once for
  four products and a sum once for two.
- Patches are never copied side by side, and only pooled outputs are written.
- The innermost loops index whole arrays: a view inside them would be counted in and out.

Sums are never reordered: the same call gives the same bits on one machine, and a pattern the same outputs in any part.
"""

# numba has no type stubs: its decorators, and what they decorate, are of unknown type.
# pyright: reportMissingTypeStubs=false, reportUntypedFunctionDecorator=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from drivers.twin.crossbar.geometry import PatchGeometry

Floats = NDArray[np.floating[Any]]

LANES = 64
"""Patterns convolved together; 32 is 5 % slower in double and 50 % in single precision."""
COLUMNS, PIXELS = 4, 2
"""Columns of the array and neighbouring pixels added up together; missing ones are filled with zeros."""

_OPTIONS: dict[str, Any] = {"cache": True, "fastmath": {"contract", "nsz"}, "error_model": "numpy"}


def convolve(images: Floats, kernels: Floats, geometry: PatchGeometry, pooled: Floats) -> None:
    """Write the pooled convolution (B, C_out, h, w) of images (B, C, H, W) with kernels (C_out, C, k, k)."""
    spare_columns, spare_pixels = -len(kernels) % COLUMNS, -geometry.kernel % PIXELS
    filled = np.pad(kernels, ((0, spare_columns), (0, 0), (0, 0), (0, spare_pixels)))
    blocks = filled.reshape(-1, COLUMNS, *filled.shape[1:]).transpose(0, 2, 3, 4, 1).copy()
    down, across = geometry.padded
    part = np.zeros((geometry.channels, down, across + spare_pixels, LANES), dtype=images.dtype)
    sums = np.empty((2, COLUMNS, LANES), dtype=images.dtype)
    _convolve(images, blocks, geometry.padding, geometry.stride, geometry.pool, part, sums, pooled)


@njit(**_OPTIONS)
def _convolve(
    images: Any, blocks: Any, padding: int, stride: int, pool: int, part: Any, sums: Any, pooled: Any
) -> None:
    for start in range(0, len(images), LANES):
        count = min(LANES, len(images) - start)
        _load(images, start, count, padding, part)
        for block in range(len(blocks)):
            channels = min(COLUMNS, pooled.shape[1] - block * COLUMNS)
            for row in range(pooled.shape[2]):
                for column in range(pooled.shape[3]):
                    _largest(part, blocks, block, row * pool * stride, column * pool * stride, stride, pool, sums)
                    for channel in range(channels):
                        for lane in range(count):
                            pooled[start + lane, block * COLUMNS + channel, row, column] = sums[0, channel, lane]


@njit(**_OPTIONS)
def _load(images: Any, start: int, count: int, padding: int, part: Any) -> None:
    """Put *count* images from *start* on into the lanes of a part, inside its padding."""
    for lane in range(count):
        for channel in range(images.shape[1]):
            for row in range(images.shape[2]):
                for column in range(images.shape[3]):
                    part[channel, padding + row, padding + column, lane] = images[start + lane, channel, row, column]


@njit(**_OPTIONS)
def _largest(part: Any, blocks: Any, block: int, top: int, left: int, stride: int, pool: int, sums: Any) -> None:
    """Write the largest sums of the patches in one square of the pool to sums[0], (COLUMNS, LANES)."""
    _add_up(part, blocks, block, top, left, sums, 0)
    for place in range(1, pool * pool):
        _add_up(part, blocks, block, top + place // pool * stride, left + place % pool * stride, sums, 1)
        for channel in range(COLUMNS):
            for lane in range(LANES):
                sums[0, channel, lane] = max(sums[0, channel, lane], sums[1, channel, lane])


@njit(**_OPTIONS)
def _add_up(part: Any, blocks: Any, block: int, top: int, left: int, sums: Any, to: int) -> None:
    """Write the sums over one patch to sums[to], (COLUMNS, LANES)."""
    for channel in range(COLUMNS):
        for lane in range(LANES):
            sums[to, channel, lane] = 0.0
    for channel in range(blocks.shape[1]):
        for down in range(blocks.shape[2]):
            for across in range(0, blocks.shape[3], PIXELS):
                y, x = top + down, left + across
                a, e = blocks[block, channel, down, across, 0], blocks[block, channel, down, across + 1, 0]
                b, f = blocks[block, channel, down, across, 1], blocks[block, channel, down, across + 1, 1]
                c, g = blocks[block, channel, down, across, 2], blocks[block, channel, down, across + 1, 2]
                d, h = blocks[block, channel, down, across, 3], blocks[block, channel, down, across + 1, 3]
                for lane in range(LANES):
                    first, second = part[channel, y, x, lane], part[channel, y, x + 1, lane]
                    sums[to, 0, lane] += a * first + e * second
                    sums[to, 1, lane] += b * first + f * second
                    sums[to, 2, lane] += c * first + g * second
                    sums[to, 3, lane] += d * first + h * second
