"""Slopes measured on the device: perturb, read, compare."""

from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import Device, LayerDescription
from ffzero_lab.rule.directions import DirectionDraw
from ffzero_lab.rule.slopes import attributed_estimate, total_estimate
from ffzero_lab.training.comparison import SIGNS, LayerTask, compare
from ffzero_lab.training.scale import TrainedScale
from ffzero_lab.training.settings import TrainSettings
from ffzero_lab.training.slopes import Estimate, Look

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]


class ProbedSlopes:
    """Directional derivatives of one layer from forward readings alone."""

    def __init__(self, device: Device, layer: int, task: LayerTask, settings: TrainSettings) -> None:
        described = device.description.layers[layer]
        self._device, self._layer, self._task, self._settings = device, layer, task, settings
        self._scale = TrainedScale(described)
        self._directions = DirectionDraw(
            settings.directions, alive_groups(described), described.n_parameters, settings.seed, layer
        )
        self._amplitude = self._scale.amplitude(settings)
        self._slope_unit = 2.0 * self._scale.in_typical_changes(self._amplitude)
        self._signs = np.array(SIGNS[settings.readings])

    def at(self, step: int) -> Look:
        """Draw the directions of one step."""
        directions = self._directions.draw(step, self._settings.directions_per_step)
        moves = directions * self._amplitude
        return Look(np.abs(moves).max(axis=0), partial(self._measure, directions, moves))

    def _measure(self, directions: FloatArray, moves: FloatArray, parameters: FloatArray, rows: Rows) -> Estimate:
        settings = self._scale.values(parameters + moves[:, np.newaxis] * self._signs[:, np.newaxis])
        outputs = self._device.probe(self._layer, settings.reshape(-1, len(parameters)), rows)
        readings = outputs.reshape(len(directions), len(self._signs), len(rows), -1)
        compared = compare(self._task, self._settings.readings, readings, rows)
        differences = compared.differences
        combine = total_estimate if differences.ndim == 1 else attributed_estimate
        return Estimate(
            combine(differences, directions, self._amplitude, self._directions.second_moment),
            compared.loss,
            compared.score,
            compared.dark,
            float(np.sqrt(np.mean(differences**2))) / self._slope_unit,
        )


def alive_groups(described: LayerDescription) -> list[NDArray[np.intp]]:
    """Return, for each parameter group, the indices of its parameters that move."""
    edges = np.cumsum([0, *(group.size for group in described.groups)])
    alive = described.alive
    return [alive[(alive >= start) & (alive < stop)] for start, stop in pairwise(edges)]
