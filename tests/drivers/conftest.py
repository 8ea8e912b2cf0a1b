"""Settings, patterns and a loss for any twin."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

from ffzero_lab.device import Device, FloatArray, ParameterGroup

BATCH = 9


@dataclass(frozen=True)
class BentLoss:
    """Σ w·sin(p·z), in which every output has a weight and a curvature of its own."""

    weights: FloatArray
    pitch: FloatArray

    def of(self, outputs: Any, sin: Callable[[Any], Any] = np.sin) -> Any:
        return (self.weights * sin(self.pitch * outputs)).sum()

    def slope_of(self, outputs: FloatArray) -> FloatArray:
        return self.weights * self.pitch * np.cos(self.pitch * outputs)


class Drawing:
    """Draws what a test needs of a device, each time something new."""

    def __init__(self, rng: Generator) -> None:
        self.rng = rng
        self.rows = np.arange(BATCH)[::-1]

    def settings(self, device: Device, layer: int) -> FloatArray:
        """Return parameters from all over the range in which training begins."""
        return np.concatenate([self._group(group) for group in device.description.layers[layer].groups])

    def patterns(self, device: Device, layer: int) -> FloatArray:
        inputs = device.description.layers[layer]
        return self.rng.uniform(inputs.input_lower, inputs.input_upper, (BATCH, inputs.n_inputs))

    def loss(self, device: Device, layer: int) -> BentLoss:
        of_layer = device.description.layers[layer]
        weights, pitch = self.rng.standard_normal((2, BATCH, of_layer.n_outputs))
        return BentLoss(weights, 0.1 * pitch if of_layer.output_unit == "mm" else pitch)

    def _group(self, group: ParameterGroup) -> FloatArray:
        lower, upper = group.start or (group.lower, group.upper)
        if group.scale == "log":
            return np.exp(self.rng.uniform(np.log(lower), np.log(upper), group.size))
        return self.rng.uniform(lower, upper, group.size)


@pytest.fixture
def draw() -> Drawing:
    return Drawing(np.random.default_rng(7))
