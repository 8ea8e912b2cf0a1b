"""What a training run tells while it goes on; whoever listens writes it down or shows it."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class StepDone:
    """One step of one layer."""

    layer: int
    step: int
    """Steps done in this layer, from 1."""
    steps: int
    loss: float
    score: float
    """Of the batch, with the similarity accumulated so far: share of right answers, or R²."""
    slope_rms: float
    """RMS of the measured slopes, loss per unit amplitude."""
    cosine: float | None = None
    """Between the estimate and the exact gradient of the batch, where that was asked for."""
    slope_over_error: float | None = None
    """RMS slope of the whole loss along the directions over its standard error among the patterns of the batch, which
    holds noise and scatter; its square is 1 on average where there is no slope. None where no slope is measured."""


@dataclass(frozen=True)
class Checked:
    """A look at the validation part."""

    layer: int
    step: int
    validation_score: float


@dataclass(frozen=True)
class LayerDone:
    """A layer is frozen; ``train_score`` is its own, ``sum_train_score`` that of all layers so far."""

    layer: int
    steps: int
    stopped_by: str
    loss: float
    train_score: float
    sum_train_score: float
    wrapped: int
    projected: int
    dark: int
    epsilon: dict[str, float] | None = None
    """The amplitude at the end, by parameter group, where it was measured."""


@dataclass(frozen=True)
class TapPower:
    """Mean reading at the tap of a layer before training; None under the detection floor."""

    layer: int
    mean: float | None
    detection_floor: float
    unit: str


@dataclass(frozen=True)
class Problem:
    """Something that the operator should know, though the run goes on."""

    message: str


@dataclass(frozen=True)
class AmplitudeChosen:
    """The perturbation that ``epsilon = "auto"`` uses from here on, and why."""

    layer: int
    step: int
    """Steps done in this layer before slopes were measured against the amplitude."""
    epsilon: dict[str, float]
    """RMS amplitude on the trained scale, by parameter group."""
    multiple: float
    """The same in typical changes."""
    signal_to_noise: float | None
    """RMS slope over the noise of one slope; None without noise."""
    correlation: float
    """Between measured and true slopes, as the model has it."""
    measured: float
    """The amplitude with the largest correlation here, in typical changes."""
    before: float | None
    """What the calibration recommends, later the amplitude so far; None where there is no record."""
    reason: str
    """Why it is the one or the other."""


Event = StepDone | Checked | LayerDone | TapPower | Problem | AmplitudeChosen

_NAMES: dict[type, str] = {
    StepDone: "step",
    Checked: "check",
    LayerDone: "layer",
    TapPower: "tap",
    Problem: "problem",
    AmplitudeChosen: "epsilon",
}


def as_row(event: Event) -> dict[str, Any]:
    """Return an event as a row of metrics; its kind stands under ``event``."""
    return {"event": _NAMES[type(event)], **asdict(event)}
