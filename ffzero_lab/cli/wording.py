"""What is said of a run in words: the plan, each event, the result."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from ffzero_lab.device import Counts
from ffzero_lab.training import Checked, Event, LayerDone, Problem, Session, StepDone, TapPower


def plan_lines(session: Session) -> list[str]:
    """Return what the run is about to do and what it will cost."""
    plan, description, dataset = session.plan, session.device.description, session.dataset
    spent, n_layers = plan.total, len(description.layers)
    return [
        f"{description.name} ({description.serial_number}), {n_layers} layer{'s' if n_layers > 1 else ''}, "
        f"{description.topology}; "
        f"{dataset.name}: {len(dataset.train_labels)} training and {len(dataset.test_labels)} test patterns, "
        f"{dataset.n_classes} classes",
        f"{plan.steps} steps a layer, batch {plan.batch}: {spent.writes:,} writes, {spent.shots:,} shots, "
        f"predicted device time {spell_duration(plan.seconds)}",
    ]


def describe(event: Event, spent: Counts) -> str:
    """Return one line for an event, with the counts so far."""
    counts = f"{spent.writes:,} writes, {spent.shots:,} shots"
    match event:
        case StepDone():
            return (
                f"layer {event.layer}  step {event.step}/{event.steps}  loss {event.loss:.4f}  "
                f"batch accuracy {event.accuracy:.1%}  {counts}"
            )
        case Checked():
            return f"layer {event.layer}  step {event.step}  validation accuracy {event.validation_accuracy:.1%}"
        case LayerDone():
            return (
                f"layer {event.layer} done ({event.stopped_by}): train accuracy {event.train_accuracy:.1%} alone, "
                f"{event.sum_train_accuracy:.1%} summed with the layers before; {counts}"
            )
        case TapPower():
            seen = "under the detection floor" if event.mean is None else f"{event.mean:.3g} {event.unit}"
            return f"tap {event.layer}: mean reading {seen} (floor {event.detection_floor:.3g})"
        case Problem():
            return f"problem: {event.message}"


def result_table(summary: Mapping[str, Any]) -> Table:
    """Return the test accuracies beside the honesty baselines."""
    title = Text(f"{summary['dataset']} on {summary['device']}: test accuracy")
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("readout")
    table.add_column("accuracy", justify="right")
    for name, accuracy in summary["test_accuracy"].items():
        default = "  (default)" if name == summary["readout"] else ""
        table.add_row(f"{name}{default}", f"{accuracy:.1%}")
    baselines = summary["baselines"]
    if baselines is not None:
        untrained = baselines["untrained_device"]
        share = "dark" if untrained is None else f"{untrained[summary['readout']]:.1%}"
        table.add_row("untrained device, same readout", share, style="dim")
        table.add_row("linear classifier on the raw features", f"{baselines['linear_classifier']:.1%}", style="dim")
    table.caption = (
        f"{summary['writes']:,} writes, {summary['shots']:,} shots; device time "
        f"{spell_duration(summary['device_seconds'])} (predicted {spell_duration(summary['predicted_seconds'])}); "
        f"wall time {spell_duration(summary['wall_seconds'])}"
    )
    table.caption_justify = "left"
    return table


def spell_duration(seconds: float) -> str:
    """Return a duration as a person would say it: ``42.3 s``, ``2 min 27 s``, ``1 h 05 min``."""
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
