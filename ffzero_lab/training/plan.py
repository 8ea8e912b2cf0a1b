"""What a run will cost before it starts, and how many steps its limits allow."""

from dataclasses import dataclass

from ffzero_lab.device import Counts, DeviceDescription, Purpose
from ffzero_lab.errors import InputError
from ffzero_lab.training.amplitude import EVALUATED, amplitude_looks
from ffzero_lab.training.comparison import SIGNS
from ffzero_lab.training.settings import TrainSettings

TAP_PATTERNS = 64
"""Patterns with which the taps of a cascade are looked at before training."""
RESERVE = 1.2
"""A budget keeps so much of the predicted time for what comes after training: latencies differ from what is stated."""


@dataclass(frozen=True)
class Plan:
    """The predicted cost of a run; early stopping may spend less.

    Attributes
    ----------
    steps
        Steps of each layer.
    batch
        Patterns of each reading.
    counts
        Writes, readings and shots by purpose.
    seconds
        Device time.
    layer_seconds
        Device time that the training of each layer may take; None without a budget.
    """

    steps: int
    batch: int
    counts: dict[Purpose, Counts]
    seconds: float
    layer_seconds: float | None

    @property
    def total(self) -> Counts:
        """All purposes together."""
        return sum(self.counts.values(), Counts())


def plan_run(
    settings: TrainSettings, description: DeviceDescription, *, n_train: int, n_validation: int, n_test: int
) -> Plan:
    """Predict the counts of a run from numbers of patterns (*n_train* includes the *n_validation* ones).

    Raises InputError when the limits do not allow a single step of each layer.
    """
    n_trained = settings.trained_in_turn(len(description.layers))
    batch = min(settings.batch, n_train - n_validation)
    fixed = _besides_training(settings, description, n_train, n_test)
    if settings.epsilon == "auto":
        cost = amplitude_cost(settings, settings.steps)
        fixed["calibration"] = evaluation(settings, description, batch).times(n_trained * cost)
    fixed_seconds = sum(spent.seconds(description.timing) for spent in fixed.values())
    step = evaluation(settings, description, batch).times(settings.evaluations_per_step)
    look = evaluation(settings, description, n_validation) if n_validation else Counts()
    step_seconds = step.seconds(description.timing) + look.seconds(description.timing) / settings.check_every
    steps, layer_seconds = settings.steps, None
    if settings.max_readings is not None and step.readings:
        steps = min(steps, settings.max_readings // (n_trained * step.readings))
        if steps < 1:
            raise InputError(
                f"max_readings {settings.max_readings}: one step of each of {n_trained} layers takes "
                f"{n_trained * step.readings} readings; allow at least that"
            )
    if settings.budget is not None:
        layer_seconds = (settings.budget - RESERVE * fixed_seconds) / n_trained
        if layer_seconds < step_seconds:
            raise InputError(
                f"budget {settings.budget:.4g} s: carry, evaluation and one step of each layer take "
                f"{RESERVE * fixed_seconds + n_trained * step_seconds:.4g} s of device time; allow at least that"
            )
        steps = min(steps, int(layer_seconds / step_seconds)) if step_seconds > 0.0 else steps
    if settings.epsilon == "auto":
        fixed |= {
            "calibration": evaluation(settings, description, batch).times(n_trained * amplitude_cost(settings, steps))
        }
    looks = steps // settings.check_every
    counts: dict[Purpose, Counts] = {**fixed, "training": step.times(n_trained * steps)}
    counts["evaluation"] += look.times(n_trained * looks)
    seconds = sum(spent.seconds(description.timing) for spent in counts.values())
    return Plan(steps, batch, counts, seconds, layer_seconds)


def _besides_training(
    settings: TrainSettings, description: DeviceDescription, n_train: int, n_test: int
) -> dict[Purpose, Counts]:
    """Return what a run measures once, however long it trains."""
    n_trained = settings.trained_in_turn(len(description.layers))
    test_once = evaluation(settings, description, n_test).times(n_trained)
    taps = evaluation(settings, description, min(TAP_PATTERNS, n_train)).times(n_trained)
    return {
        "carry": evaluation(settings, description, n_train).times(n_trained),
        "evaluation": test_once + taps if description.topology == "cascaded" else test_once,
        "baseline": test_once if settings.baselines else Counts(),
    }


def amplitude_cost(settings: TrainSettings, steps: int) -> int:
    """Return the evaluations of the loss that choosing the amplitude takes in one layer of so many steps."""
    return len(amplitude_looks(steps)) * EVALUATED * len(SIGNS[settings.readings])


def evaluation(settings: TrainSettings, description: DeviceDescription, n_patterns: int) -> Counts:
    """Return what one evaluation of the loss on *n_patterns* takes: one layer, or all of them for one loss at the end.

    A cascade is read at its end only; with reinjection every layer is read on the way.
    """
    passed = len(description.layers) if settings.whole_network else 1
    read = 1 if description.topology == "cascaded" else passed
    return Counts(passed, read, read * n_patterns)
