"""Trains one layer in place: perturb, read, attribute, update."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import Device, LayerDescription, Reach
from ffzero_lab.rule.directions import DirectionDraw
from ffzero_lab.rule.optimizers import Optimizer, scheduled
from ffzero_lab.rule.randomness import For, generator
from ffzero_lab.rule.slopes import attributed_estimate, output_differences, total_estimate
from ffzero_lab.training.judgement import Judge, Wanted, refuse_darkness
from ffzero_lab.training.scale import TrainedScale
from ffzero_lab.training.settings import TrainSettings
from ffzero_lab.training.watch import Watch

FloatArray = NDArray[np.float64]

StopReason = Literal["steps", "budget", "patience"]

COUNTERS = ("step", "loss", "stopped_by", "dark", "wrapped", "projected")
SIGNS = {"pair": (1.0, -1.0), "abba": (1.0, -1.0, -1.0, 1.0)}


@dataclass(frozen=True)
class LayerTask:
    """What a layer is trained on; its patterns are staged already.

    Attributes
    ----------
    rows
        (T,) staged rows that training may draw.
    wanted
        (S,) class, or scaled target, of each staged row.
    base
        (S, C) similarity that earlier layers contribute; zeros where the layer stands alone.
    judge
        The local objective.
    reach
        Outputs each parameter can influence, for attributed slopes; None for the paper's total ones.
    channel
        (P,) channel that each parameter belongs to, where channels have losses of their own.
    score
        Scores similarities (B, C).
    """

    rows: NDArray[np.intp]
    wanted: Wanted
    base: FloatArray
    judge: Judge
    reach: Reach | None
    channel: NDArray[np.intp]
    score: Callable[[FloatArray, Wanted], float]


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
    ) -> None:
        described = device.description.layers[layer]
        self.device, self.layer, self.task, self.settings, self.steps = device, layer, task, settings, steps
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
        groups = alive_groups(described)
        self._directions = DirectionDraw(settings.directions, groups, described.n_parameters, settings.seed, layer)
        self._amplitude = self._scale.amplitude(settings)
        self._rate = self._scale.learning_rate(settings)
        self._slope_unit = 2.0 * self._scale.in_typical_changes(self._amplitude)
        self._signs = np.array(SIGNS[settings.readings])

    def advance(self) -> Step:
        """Measure K directions on one batch and update the parameters once.

        Raises DarkBatch when more than 1 % of the batch is under the detection floor, and whatever the device raises.
        """
        rows = self.task.rows[self._batch()]
        directions = self._directions.draw(self.step, self.settings.directions_per_step)
        moves = directions * self._amplitude
        self._settle(np.abs(moves).max(axis=0))
        settings = self._scale.values(self.parameters + moves[:, np.newaxis] * self._signs[:, np.newaxis])
        outputs = self.device.probe(self.layer, settings.reshape(-1, len(self.parameters)), rows)
        differences, step = self._compare(outputs.reshape(len(directions), len(self._signs), len(rows), -1), rows)
        estimate = total_estimate if differences.ndim == 1 else attributed_estimate
        gradient = estimate(differences, directions, self._amplitude, self._directions.second_moment)
        rate = self._rate * scheduled(self.settings.schedule, self.step, self.steps)
        self.parameters = self.parameters + self.optimizer.update(gradient, rate)
        self.step += 1
        self.loss = step.loss
        return step

    def settled(self) -> FloatArray:
        """Return the parameters (P,) in the device's units and bounds, no room kept for a perturbation."""
        return self._scale.values(self._scale.box.settle(self.parameters).values)

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return the whole state as arrays and plain values; nothing of it is ever changed in place."""
        watch_arrays, watched = self.watch.to_state()
        optimizer = {f"optimizer.{name}": values for name, values in self.optimizer.state().items()}
        return {"parameters": self.parameters, **watch_arrays, **optimizer}, {
            **watched,
            **{name: getattr(self, name) for name in COUNTERS},
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]], plain: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.parameters = arrays["parameters"]
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

    def _settle(self, headroom: FloatArray) -> None:
        settled = self._scale.box.shrunk(headroom).settle(self.parameters)
        self.parameters = settled.values
        self.wrapped += settled.wrapped
        self.projected += settled.projected

    def _compare(self, outputs: FloatArray, rows: NDArray[np.intp]) -> tuple[FloatArray, Step]:
        """Return loss differences (K,), or (K, P) by reach or channel, from outputs (K, readings, B, n)."""
        task = self.task
        wanted, base = task.wanted[rows], task.base[rows]
        differences: list[FloatArray] = []
        losses: list[float] = []
        scores: list[float] = []
        for readings in outputs:
            above, below = self._sides(readings)
            if task.reach is None:
                seen = [task.judge(above, wanted, base), task.judge(below, wanted, base)]
                differences.append(seen[0].losses - seen[1].losses)
            else:
                seen = [task.judge(0.5 * (above + below), wanted, base)]
                per_output = output_differences(task.judge.slope_in_outputs(seen[0]), above, below)
                differences.append(task.reach.sum_reached(per_output))
            self._note_darkness(max(judged.dark for judged in seen), len(rows))
            losses += [judged.loss for judged in seen]
            scores += [task.score(judged.similarity, wanted) for judged in seen]
        measured = np.array(differences)
        if task.reach is None:
            measured = measured[:, 0] if measured.shape[1] == 1 else measured[:, task.channel]
        slope_rms = float(np.sqrt(np.mean(measured**2))) / self._slope_unit
        return measured, Step(float(np.mean(losses)), float(np.mean(scores)), slope_rms)

    def _sides(self, readings: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the outputs (B, n) above and below the parameters from the readings of one direction, in order."""
        if len(readings) == len(SIGNS["pair"]):
            return readings[0], readings[1]
        return 0.5 * (readings[0] + readings[3]), 0.5 * (readings[1] + readings[2])

    def _note_darkness(self, dark: int, n_patterns: int) -> None:
        self.dark += dark
        refuse_darkness(dark, n_patterns, f"{self.device.description.name}, layer {self.layer}", self.task.judge.floor)


def alive_groups(described: LayerDescription) -> list[NDArray[np.intp]]:
    """Return, for each parameter group, the indices of its parameters that move."""
    edges = np.cumsum([0, *(group.size for group in described.groups)])
    alive = described.alive
    return [alive[(alive >= start) & (alive < stop)] for start, stop in pairwise(edges)]


def initial_parameters(described: LayerDescription, seed: int, layer: int) -> FloatArray:
    """Draw starting parameters (P,) in the device's units, uniformly on the trained scale.

    Dead channels stay at the end of their range that is nearest to zero.
    """
    scale = TrainedScale(described)
    drawn = scale.values(generator(seed, For.INITIAL_PARAMETERS, layer).uniform(*scale.start()))
    lower, upper = described.per_parameter("lower"), described.per_parameter("upper")
    initial = np.clip(0.0, lower, upper)
    initial[described.alive] = np.clip(drawn, lower, upper)[described.alive]  # against rounding at the edges
    return initial
