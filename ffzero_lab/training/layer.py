"""Trains one layer in place: perturb, read, attribute, update."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import Device, LayerDescription
from ffzero_lab.errors import InputError
from ffzero_lab.rule.directions import DirectionDraw
from ffzero_lab.rule.optimizers import Optimizer, scheduled
from ffzero_lab.rule.randomness import For, generator
from ffzero_lab.rule.slopes import attributed_estimate, total_estimate
from ffzero_lab.training.comparison import SIGNS, LayerTask, compare
from ffzero_lab.training.judgement import refuse_darkness
from ffzero_lab.training.scale import TrainedScale
from ffzero_lab.training.settings import Range, TrainSettings
from ffzero_lab.training.subspace import AlongAxes, EachParameter, narrowed
from ffzero_lab.training.watch import Watch

FloatArray = NDArray[np.float64]

LARGEST_COMPONENT = 6.0
"""Components of a random direction of RMS 1 stay below this, but for one in 10⁹ of the Gaussian ones."""

StopReason = Literal["steps", "budget", "patience"]

COUNTERS = ("step", "loss", "stopped_by", "dark", "wrapped", "projected")


@dataclass(frozen=True)
class Step:
    """What one step measured: the mean loss, the score of the batch, the RMS slope per typical change."""

    loss: float
    score: float
    slope_rms: float


class LayerTrainer:
    """One layer in training; its parameters are coordinates on the trained scale.

    Everything random is derived from the seed and the number of the step, so ``parameters``, ``optimizer`` and
    ``step`` are the whole state.
    """

    def __init__(
        self,
        device: Device,
        layer: int,
        task: LayerTask,
        settings: TrainSettings,
        steps: int,
        parameters: FloatArray,
        optimizer: Optimizer,
        coordinates: EachParameter | AlongAxes | None = None,
    ) -> None:
        described = device.description.layers[layer]
        self._coordinates = coordinates or EachParameter(described)
        own = self._coordinates.stands_for
        self.task = replace(task, reach=narrowed(task.reach, self._coordinates), channel=task.channel[own])
        self.device, self.layer, self.settings, self.steps = device, layer, settings, steps
        self._scale = TrainedScale(described)
        self.parameters = self._scale.coordinates(parameters)
        self.optimizer = optimizer
        self.watch = Watch()
        self.step = 0
        self.loss = float("inf")
        self.stopped_by: StopReason | None = None
        self.dark = 0
        self.wrapped = 0
        self.projected = 0
        groups = self._coordinates.groups
        self._directions = DirectionDraw(settings.directions, groups, len(own), settings.seed, layer)
        amplitude = self._scale.amplitude(settings)
        self._amplitude = amplitude[own]
        self._rate = self._scale.learning_rate(settings)[own]
        self._check_room(self._coordinates.rms(self._amplitude))
        self._slope_unit = 2.0 * self._scale.in_typical_changes(amplitude)
        self._signs = np.array(SIGNS[settings.readings])

    def advance(self) -> Step:
        """Measure K directions on one batch and update the parameters once.

        Raises DarkBatch when more than 1 % of the batch is under the detection floor, and whatever the device raises.
        """
        rows = self.task.rows[self._batch()]
        directions = self._directions.draw(self.step, self.settings.directions_per_step)
        moves = self._coordinates.spread(directions * self._amplitude)
        self._settle(np.abs(moves).max(axis=0))
        settings = self._scale.values(self.parameters + moves[:, np.newaxis] * self._signs[:, np.newaxis])
        outputs = self.device.probe(self.layer, settings.reshape(-1, len(self.parameters)), rows)
        readings = outputs.reshape(len(directions), len(self._signs), len(rows), -1)
        compared = compare(self.task, self.settings.readings, readings, rows)
        self._note_darkness(compared.dark, len(rows))
        differences = compared.differences
        estimate = total_estimate if differences.ndim == 1 else attributed_estimate
        gradient = estimate(differences, directions, self._amplitude, self._directions.second_moment)
        rate = self._rate * scheduled(self.settings.schedule, self.step, self.steps)
        self.parameters = self.parameters + self._coordinates.spread(self.optimizer.update(gradient, rate))
        self.step += 1
        self.loss = compared.loss
        return Step(compared.loss, compared.score, float(np.sqrt(np.mean(differences**2))) / self._slope_unit)

    def settled(self) -> FloatArray:
        """Return the parameters (P,) in the device's units and bounds, no room kept for a perturbation."""
        return self._scale.values(self._scale.box.settle(self.parameters).values)

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return the whole state as arrays and plain values; nothing of it is ever changed in place."""
        watch_arrays, watched = self.watch.to_state()
        optimizer = {f"optimizer.{name}": values for name, values in self.optimizer.state().items()}
        axes = {"axes": self._coordinates.axes} if isinstance(self._coordinates, AlongAxes) else {}
        return {"parameters": self.parameters, **axes, **watch_arrays, **optimizer}, {
            **watched,
            **{name: getattr(self, name) for name in COUNTERS},
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]], plain: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.parameters = arrays["parameters"]
        if isinstance(self._coordinates, AlongAxes):
            self._coordinates = replace(self._coordinates, axes=arrays["axes"])
        self.watch = Watch.from_state(arrays, plain)
        prefix = "optimizer."
        self.optimizer.restore({k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)})
        for name in COUNTERS:
            setattr(self, name, plain[name])

    def _batch(self) -> NDArray[np.intp]:
        """Return positions among the training rows, drawn without replacement."""
        n_rows = len(self.task.rows)
        rng = generator(self.settings.seed, For.BATCH, self.layer, self.step)
        return rng.choice(n_rows, min(self.settings.batch, n_rows), replace=False, shuffle=False)

    def _check_room(self, rms: FloatArray) -> None:
        """Raise InputError when directions along the axes are too large for the box; they are known only now."""
        box, described = self._scale.box, self.device.description.layers[self.layer]
        share = 2.0 * LARGEST_COMPONENT * rms / (box.upper - box.lower)
        index = int(np.argmax(share))
        if isinstance(self._coordinates, AlongAxes) and share[index] >= 1.0:
            raise InputError(
                f"{self.device.description.name}, layer {self.layer}: along {self.settings.subspace} axes directions "
                f"move {described.name_of(index)} by {rms[index]:.3g} {described.unit_of(index)} RMS, which leaves no "
                f"room in its range; use more axes, or a {1.0 / share[index]:.2g} times smaller epsilon"
            )

    def _settle(self, headroom: FloatArray) -> None:
        settled = self._scale.box.shrunk(headroom).settle(self.parameters)
        self.parameters = settled.values
        self.wrapped += settled.wrapped
        self.projected += settled.projected

    def _note_darkness(self, dark: int, n_patterns: int) -> None:
        self.dark += dark
        refuse_darkness(dark, n_patterns, f"{self.device.description.name}, layer {self.layer}", self.task.judge.floor)


def initial_parameters(
    described: LayerDescription, seed: int, layer: int, ranges: Mapping[str, Range] | None = None
) -> FloatArray:
    """Draw starting parameters (P,) in the device's units, uniformly on the trained scale, from *ranges* by group.

    Dead channels stay at the end of their range that is nearest to zero.
    """
    scale = TrainedScale(described)
    drawn = scale.values(generator(seed, For.INITIAL_PARAMETERS, layer).uniform(*scale.start(ranges)))
    lower, upper = described.per_parameter("lower"), described.per_parameter("upper")
    initial = np.clip(0.0, lower, upper)
    initial[described.alive] = np.clip(drawn, lower, upper)[described.alive]  # against rounding at the edges
    return initial
