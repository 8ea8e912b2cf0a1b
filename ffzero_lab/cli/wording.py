"""What is said of a run in words: the plan, each event, the result."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from ffzero_lab.device import Counts, DeviceDescription
from ffzero_lab.training import AmplitudeChosen, Checked, Event, LayerDone, Problem, Session, StepDone, TapPower
from ffzero_lab.training.aim import Measure

MEASURES: Mapping[Measure, str] = {"accuracy": "accuracy", "r2": "R²"}
LINEAR: Mapping[Measure, str] = {"accuracy": "linear_classifier", "r2": "linear_regression"}


def tell(measure: Measure, score: float) -> str:
    """Write a score as a person reads it."""
    return f"{score:.1%}" if measure == "accuracy" else f"R² {score:.3f}"


def measure_of(summary: Mapping[str, Any]) -> Measure:
    """Return what the scores of a summary are."""
    return "r2" if "test_r2" in summary else "accuracy"


def plan_lines(session: Session) -> list[str]:
    """Return what the run is about to do and what it will cost."""
    plan, description, dataset = session.plan, session.device.description, session.dataset
    spent, n_layers = plan.total, len(description.layers)
    each = "" if session.settings.whole_network else " a layer"
    return [
        f"{description.name} ({description.serial_number}), {n_layers} layer{'s' if n_layers > 1 else ''}, "
        f"{description.topology}; "
        f"{dataset.name}: {dataset.n_train} training and {dataset.n_test} test patterns, "
        f"{f'{dataset.n_classes} classes' if dataset.n_classes else 'regression'}",
        f"{plan.steps} steps{each}, batch {plan.batch}: {spent.writes:,} writes, {spent.shots:,} shots, "
        f"predicted device time {spell_duration(plan.seconds)}{_beside_walks(description)}",
    ]


def _beside_walks(description: DeviceDescription) -> str:
    """Return what a prediction leaves out: how far settings lie apart shows only on the way."""
    slewed = any(group.slew_per_s is not None for layer in description.layers for group in layer.groups)
    return " and the walks to far settings, as slow as the slew limit" if slewed else ""


def describe(event: Event, spent: Counts, measure: Measure) -> str:
    """Return one line for an event, with the counts so far; *measure* is what its scores are."""
    counts = f"{spent.writes:,} writes, {spent.shots:,} shots"
    match event:
        case StepDone():
            return (
                f"layer {event.layer}  step {event.step}/{event.steps}  loss {event.loss:.4f}  "
                f"batch {tell(measure, event.score)}{tell_cosine(event)}  {counts}"
            )
        case Checked():
            return f"layer {event.layer}  step {event.step}  validation {tell(measure, event.validation_score)}"
        case LayerDone():
            ended = "" if event.stopped_by == "steps" else f", ended by {event.stopped_by}"
            return (
                f"layer {event.layer} done after {event.steps:,} steps{ended}: training part "
                f"{tell(measure, event.train_score)} alone, "
                f"{tell(measure, event.sum_train_score)} summed with the layers before; {counts}"
            )
        case AmplitudeChosen():
            seen = "without noise" if event.signal_to_noise is None else f"signal to noise {event.signal_to_noise:.2g}"
            values = ", ".join(f"{name} {value:.3g}" for name, value in event.epsilon.items())
            return f"layer {event.layer}  step {event.step}  epsilon {values} ({event.reason}; {seen})"
        case TapPower():
            seen = "under the detection floor" if event.mean is None else f"{event.mean:.3g} {event.unit}"
            return f"tap {event.layer}: mean reading {seen} (floor {event.detection_floor:.3g})"
        case Problem():
            return f"problem: {event.message}"


def tell_cosine(event: StepDone) -> str:
    """Return the cosine between estimate and exact gradient, where it was asked for."""
    return "" if event.cosine is None else f"  cosine {event.cosine:.3f}"


def result_title(summary: Mapping[str, Any]) -> Text:
    """Return what stands above the table: within it, it would be wrapped at the table's own width."""
    return Text(f"{summary['dataset']} on {summary['device']}: test {MEASURES[measure_of(summary)]}", style="bold")


def result_table(summary: Mapping[str, Any]) -> Table:
    """Return the test accuracies beside the honesty baselines."""
    measure = measure_of(summary)
    table = Table()
    table.add_column("readout")
    table.add_column(MEASURES[measure], justify="right")
    for name, score in summary[f"test_{measure}"].items():
        default = "  (default)" if name == summary["readout"] else ""
        table.add_row(f"{name}{default}", tell(measure, score))
    baselines = summary["baselines"]
    if baselines is not None:
        untrained = baselines["untrained_device"]
        share = "dark" if untrained is None else tell(measure, untrained[summary["readout"]])
        table.add_row("untrained device, same readout", share, style="dim")
        table.add_row("linear model of the raw features", tell(measure, baselines[LINEAR[measure]]), style="dim")
    return table


def tell_spent(summary: Mapping[str, Any]) -> str:
    """Return what a run took, beside what was predicted."""
    return (
        f"{summary['writes']:,} writes, {summary['shots']:,} shots; device time "
        f"{spell_duration(summary['device_seconds'])} (predicted {spell_duration(summary['predicted_seconds'])}); "
        f"wall time {spell_duration(summary['wall_seconds'])}"
    )


def spell_duration(seconds: float) -> str:
    """Return a duration as a person would say it: ``42.3 s``, ``2 min 27 s``, ``1 h 05 min``."""
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
