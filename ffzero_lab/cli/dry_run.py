"""``ffzero-lab train --dry-run``: what a run would do and cost."""

from dataclasses import asdict
from typing import Any

from ffzero_lab.cli.wording import plan_lines
from ffzero_lab.device import Counts, DeviceDescription, LayerDescription
from ffzero_lab.training import Session

ROW_BYTES, MANIFEST_BYTES = 260, 6000
"""Typical sizes of a row of metrics, and of the files that do not grow."""
EXCHANGE_BYTES, ROW_NUMBER_BYTES = 700, 3
"""Typical sizes of what a recording keeps beside the values: for each reading, and for each pattern in it."""


def dry_run_numbers(session: Session, *, record_io: bool = False) -> dict[str, Any]:
    """Return what a run would do and cost, without doing it."""
    plan, timing = session.plan, session.device.description.timing
    return {
        "steps": plan.steps,
        "layers": len(session.network.layers),
        "batch": plan.batch,
        "counts": {purpose: asdict(counts) for purpose, counts in plan.counts.items()},
        "writes": plan.total.writes,
        "shots": plan.total.shots,
        "write_seconds": timing.write_s,
        "shot_seconds": timing.shot_s,
        "predicted_seconds": plan.seconds,
        "folder_bytes": folder_bytes(session),
        "recording_bytes": recording_bytes(session) if record_io else 0,
    }


def dry_run_lines(session: Session, *, record_io: bool = False) -> list[str]:
    """Return the steps of a run, what each would count, and what all of it would take."""
    numbers = dry_run_numbers(session, record_io=record_io)
    timing = session.device.description.timing
    steps = [
        f"  {purpose:12s}{counts['writes']:>11,} writes{counts['readings']:>12,} readings{counts['shots']:>15,} shots"
        for purpose, counts in numbers["counts"].items()
        if counts["writes"]
    ]
    return [
        *plan_lines(session),
        *steps,
        f"at {timing.write_s:.3g} s a write and {timing.shot_s:.3g} s a shot ({timing.imitates or 'as described'})",
        f"run folder: about {numbers['folder_bytes'] / 1e6:.1f} MB",
        *([f"recording: about {numbers['recording_bytes'] / 1e6:,.0f} MB"] if record_io else []),
        "dry run: nothing was written",
    ]


def folder_bytes(session: Session) -> int:
    """Estimate the size of the run folder in bytes: rows of metrics, and two checkpoints."""
    layers = session.network.layers
    rows = len(layers) * (session.plan.steps // session.settings.log_every + 2)
    patterns = session.dataset.n_train
    described = session.device.description.layers
    carried = [after.n_inputs for layer, after in zip(layers, described[1:], strict=False) if layer.carry is not None]
    widest = max(carried, default=0)  # what the encoder gives is not kept
    numbers = patterns * (widest + len(layers) * session.network.aim.n_prototypes)
    numbers += sum(layer.head.prototypes.size + 6 * len(layer.parameters) for layer in layers)
    return ROW_BYTES * rows + 2 * 8 * numbers + MANIFEST_BYTES


def recording_bytes(session: Session) -> int:
    """Estimate the size of the recording of a run in bytes."""
    patterns = session.dataset.n_train + 2 * session.dataset.n_test
    return exchanged_bytes(session.device.driver.description, session.plan.total, patterns)


def exchanged_bytes(description: DeviceDescription, total: Counts, staged: int) -> int:
    """Estimate the size of recorded exchanges in bytes: readings and setpoints, and a little for every exchange.

    So many patterns are *staged* for each layer.
    """
    layers = description.layers
    value = sum(layer.n_outputs * _count_bytes(layer) for layer in layers) / len(layers)
    setting = 8 * sum(layer.n_parameters for layer in layers) / len(layers)
    inputs = 8 * staged * sum(layer.n_inputs for layer in layers)
    exchanges = total.readings * EXCHANGE_BYTES
    return int(total.shots * (value + ROW_NUMBER_BYTES) + total.writes * setting + inputs + exchanges)


def _count_bytes(layer: LayerDescription) -> int:
    """Return the bytes of one value as a recording keeps it: a count where a converter's step is known."""
    if layer.output_step is None:
        return 8
    codes = layer.output_upper / layer.output_step
    return 1 if codes < 2**7 else 2 if codes < 2**15 else 4
