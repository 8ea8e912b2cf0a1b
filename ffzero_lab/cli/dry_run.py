"""``ffzero-lab train --dry-run``: what a run would do and cost."""

from dataclasses import asdict
from typing import Any

from ffzero_lab.cli.wording import plan_lines
from ffzero_lab.training import Session

ROW_BYTES, MANIFEST_BYTES = 260, 6000
"""Typical sizes of a row of metrics, and of the files that do not grow."""


def dry_run_numbers(session: Session) -> dict[str, Any]:
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
    }


def dry_run_lines(session: Session) -> list[str]:
    """Return the steps of a run, what each would count, and what all of it would take."""
    numbers = dry_run_numbers(session)
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
