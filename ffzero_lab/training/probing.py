"""Slopes measured on the device: perturb, read, compare."""

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import Device
from ffzero_lab.rule.directions import DirectionDraw
from ffzero_lab.rule.slopes import attributed_estimate, total_estimate
from ffzero_lab.training.comparison import SIGNS, LayerTask, compare
from ffzero_lab.training.scale import TrainedScale
from ffzero_lab.training.settings import TrainSettings
from ffzero_lab.training.slopes import Estimate, Look
from ffzero_lab.training.subspace import Coordinates, narrowed

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]


class ProbedSlopes:
    """Directional derivatives of one layer from forward readings alone."""

    def __init__(
        self, device: Device, layer: int, task: LayerTask, settings: TrainSettings, coordinates: Coordinates
    ) -> None:
        own = coordinates.stands_for
        self._device, self._layer, self._settings, self._coordinates = device, layer, settings, coordinates
        self._task = replace(task, reach=narrowed(task.reach, coordinates))
        self._scale = TrainedScale(device.description.layers[layer])
        self._directions = DirectionDraw(settings.directions, coordinates.groups, len(own), settings.seed, layer)
        amplitude = self._scale.amplitude(settings)
        self._amplitude = amplitude[own]
        self._slope_unit = 2.0 * self._scale.in_typical_changes(amplitude)
        self._signs = np.array(SIGNS[settings.readings])

    def at(self, step: int) -> Look:
        """Draw the directions of one step."""
        directions = self._directions.draw(step, self._settings.directions_per_step)
        moves = self._coordinates.spread(directions * self._amplitude)
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
