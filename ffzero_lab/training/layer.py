"""Trains one layer: draw a batch, estimate the slope, update."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import LayerDescription
from ffzero_lab.rule.optimizers import Optimizer, scheduled
from ffzero_lab.rule.randomness import For, generator
from ffzero_lab.training.amplitude import (
    amplitude_looks,
    calibration_draw,
    fitted,
    measure_curve,
    multiples_for,
    resampled,
    settled_on,
)
from ffzero_lab.training.comparison import LayerTask
from ffzero_lab.training.events import AmplitudeChosen
from ffzero_lab.training.judgement import refuse_darkness
from ffzero_lab.training.probing import ProbedSlopes
from ffzero_lab.training.scale import TrainedScale
from ffzero_lab.training.settings import Range, TrainSettings
from ffzero_lab.training.slopes import SlopeSource
from ffzero_lab.training.subspace import AlongAxes, Coordinates
from ffzero_lab.training.watch import Watch

FloatArray = NDArray[np.float64]

StopReason = Literal["steps", "budget", "patience"]

COUNTERS = ("step", "loss", "stopped_by", "dark", "wrapped", "projected", "multiple", "amplitude_looks")


ExactGradient = Callable[[FloatArray, NDArray[np.intp]], FloatArray]
"""Parameters (P,), on the trained scale, and rows (B,) in, the exact slope (P,) of the loss out."""


@dataclass(frozen=True)
class Step:
    """What one step measured: the mean loss, the score of the batch, the RMS slope per typical change.

    ``cosine`` is that between the estimate and the exact gradient, where it was asked for; ``over_error`` the RMS slope
    over its standard error.
    """

    loss: float
    score: float
    slope_rms: float
    cosine: float | None = None
    over_error: float | None = None


class LayerTrainer:
    """One layer in training; its parameters are coordinates on the trained scale.

    Everything random is derived from the seed and the number of the step, so ``parameters``, ``optimizer`` and
    ``step`` are the whole state.
    """

    def __init__(
        self,
        described: LayerDescription,
        layer: int,
        task: LayerTask,
        settings: TrainSettings,
        steps: int,
        parameters: FloatArray,
        optimizer: Optimizer,
        coordinates: Coordinates,
        slopes: SlopeSource,
        recommended: float | None = None,
    ) -> None:
        self.layer, self.task, self.settings, self.steps = layer, task, settings, steps
        self._described, self._scale = described, TrainedScale(described)
        self.parameters = self._scale.coordinates(parameters)
        self.optimizer = optimizer
        self.watch = Watch()
        self.step = 0
        self.loss = float("inf")
        self.stopped_by: StopReason | None = None
        self.dark = 0
        self.wrapped = 0
        self.projected = 0
        self.multiple: float | None = None
        """The amplitude in typical changes, where it was measured."""
        self.amplitude_looks = 0
        """How often it was."""
        self._recommended = recommended
        self._rate = self._scale.learning_rate(settings)[coordinates.stands_for]
        self._coordinates, self._slopes = coordinates, slopes

    def advance(self, exact: ExactGradient | None = None) -> Step:
        """Estimate the slope of the loss on one batch, update the parameters once; compare with *exact* if given.

        Raises DarkBatch when more than 1 % of the batch is under the detection floor, and whatever the device raises.
        """
        rows = self.task.rows[self._batch()]
        look = self._slopes.at(self.step)
        self._settle(look.headroom)
        estimate = look.estimate(self.parameters, rows)
        self._note_darkness(estimate.dark, len(rows))
        cosine = None
        if exact is not None:
            cosine = _cosine(estimate.gradient, self._coordinates.pull(exact(self.parameters, rows)))
        rate = self._rate * scheduled(self.settings.schedule, self.step, self.steps)
        self.parameters = self.parameters + self._coordinates.spread(self.optimizer.update(estimate.gradient, rate))
        self.step += 1
        self.loss = estimate.loss
        return Step(estimate.loss, estimate.score, estimate.slope_rms, cosine, estimate.over_error)

    def settled(self) -> FloatArray:
        """Return the parameters (P,) in the device's units and bounds, no room kept for a perturbation."""
        return self._scale.values(self._scale.box.settle(self.parameters).values)

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return the whole state as arrays and plain values; nothing of it is ever changed in place."""
        watch_arrays, watched = self.watch.to_state()
        axes = {"axes": self._coordinates.axes} if isinstance(self._coordinates, AlongAxes) else {}
        optimizer = {f"optimizer.{name}": values for name, values in self.optimizer.state().items()}
        return {"parameters": self.parameters, **axes, **watch_arrays, **optimizer}, {
            **watched,
            **{name: getattr(self, name) for name in COUNTERS},
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]], plain: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned; axes were given when the trainer was made."""
        self.parameters = arrays["parameters"]
        self.watch = Watch.from_state(arrays, plain)
        prefix = "optimizer."
        self.optimizer.restore({k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)})
        for name in COUNTERS:
            setattr(self, name, plain.get(name, getattr(self, name)))
        if self.multiple is not None:
            self.prober.take(self.multiple)

    @property
    def amplitude_is_due(self) -> bool:
        """Whether the amplitude is to be measured before the next step."""
        looks = amplitude_looks(self.steps) if self.settings.epsilon == "auto" else ()
        return self.amplitude_looks < len(looks) and self.step >= looks[self.amplitude_looks]

    def choose_amplitude(self) -> AmplitudeChosen:
        """Measure slopes against amplitude at the present parameters, and settle what to perturb by from here on.

        That is what the calibration recommends, or the amplitude so far, as long as it is as good here as the best. The
        parameters stay as they are. Raises DarkBatch, and whatever the device raises.
        """
        prober, described, coordinates = self.prober, self._described, self._coordinates
        groups, n_coordinates = coordinates.groups, len(coordinates.stands_for)
        draw = calibration_draw(self.settings, groups, n_coordinates, self.layer, self.step)
        rows = self.task.rows[self._batch()]
        multiples = multiples_for(self.task.where, described)
        curve = measure_curve(prober, described, multiples, draw, self.parameters, rows)
        best = fitted(curve, described, self.settings)
        before, whose = self.multiple, "the amplitude so far"
        if before is None:
            before, whose = self._recommended, "what the calibration recommends"
        others = resampled(curve, described, self.settings, self.settings.seed) if before is not None else ()
        self.multiple, reason = settled_on(best, before, whose, others)
        prober.take(self.multiple)
        self.amplitude_looks += 1
        ratio = best.signal_to_noise_at(self.multiple)
        return AmplitudeChosen(
            layer=self.layer,
            step=self.step,
            epsilon=self.epsilon or {},
            multiple=self.multiple,
            signal_to_noise=ratio if np.isfinite(ratio) else None,
            correlation=best.correlation * (best.kept_at(self.multiple) or 1.0),
            measured=best.multiple,
            before=before,
            reason=reason,
        )

    @property
    def epsilon(self) -> dict[str, float] | None:
        """The measured amplitude on the trained scale, by parameter group; None where it was not measured."""
        return None if self.multiple is None else self._scale.by_group(self._scale.multiple(self.multiple))

    @property
    def prober(self) -> ProbedSlopes:
        """What measures the slopes; raises TypeError where a model tells them."""
        if not isinstance(self._slopes, ProbedSlopes):
            raise TypeError(f"{self.task.where}: a model's slopes have no amplitude")
        return self._slopes

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

    def _note_darkness(self, dark: int, n_patterns: int) -> None:
        self.dark += dark
        refuse_darkness(dark, n_patterns, self.task.where, self.task.judge.floor)


def _cosine(estimate: FloatArray, exact: FloatArray) -> float | None:
    """Return the cosine between two gradients (P,); None where one of them vanishes."""
    product = float(np.linalg.norm(estimate) * np.linalg.norm(exact))
    return float(estimate @ exact) / product if product > 0.0 else None


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
