"""Slopes measured on the device: perturb, read, compare."""

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import Device
from ffzero_lab.rule.directions import DirectionDraw
from ffzero_lab.rule.slopes import attributed_estimate, total_estimate
from ffzero_lab.training.comparison import SIGNS, Compared, LayerTask, compare
from ffzero_lab.training.judgement import refuse_darkness
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
        self._own = own
        self.take(None)
        self._signs = np.array(SIGNS[settings.readings])

    def take(self, multiple: float | None) -> None:
        """Perturb by *multiple* typical changes from now on; None: as the settings say."""
        amplitude = self._scale.amplitude(self._settings) if multiple is None else self._scale.multiple(multiple)
        self._amplitude = amplitude[self._own]
        self._slope_unit = 2.0 * self._scale.in_typical_changes(amplitude)

    def moves(self, directions: FloatArray, multiple: float) -> FloatArray:
        """Return the moves (K, P) of directions (K, Q) at *multiple* typical changes RMS, on the trained scale."""
        return self._coordinates.spread(directions * self._scale.multiple(multiple)[self._own])

    def slopes_along(self, directions: FloatArray, multiple: float, parameters: FloatArray, rows: Rows) -> FloatArray:
        """Measure slopes (K,) or (K, Q) along *directions* (K, Q), loss per typical change."""
        compared = self._compare(self.moves(directions, multiple), parameters, rows)
        refuse_darkness(compared.dark, len(rows), self._task.where, self._task.judge.floor)
        return compared.differences / (2.0 * multiple)

    def at(self, step: int) -> Look:
        """Draw the directions of one step."""
        directions = self._directions.draw(step, self._settings.directions_per_step)
        moves = self._coordinates.spread(directions * self._amplitude)
        return Look(np.abs(moves).max(axis=0), partial(self._measure, directions, moves))

    def _measure(self, directions: FloatArray, moves: FloatArray, parameters: FloatArray, rows: Rows) -> Estimate:
        compared = self._compare(moves, parameters, rows)
        differences = compared.differences
        combine = total_estimate if differences.ndim == 1 else attributed_estimate
        return Estimate(
            combine(differences, directions, self._amplitude, self._directions.second_moment),
            compared.loss,
            compared.score,
            compared.dark,
            float(np.sqrt(np.mean(differences**2))) / self._slope_unit,
            compared.over_error,
        )

    def _compare(self, moves: FloatArray, parameters: FloatArray, rows: Rows) -> Compared:
        settings = self._scale.values(parameters + moves[:, np.newaxis] * self._signs[:, np.newaxis])
        outputs = self._device.probe(self._layer, settings.reshape(-1, len(parameters)), rows)
        readings = outputs.reshape(len(moves), len(self._signs), len(rows), -1)
        return compare(self._task, self._settings.readings, readings, rows)
