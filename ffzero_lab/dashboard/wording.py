"""What a row of metrics says, as a line of the log."""

from collections.abc import Mapping
from typing import Any


def line_of(row: Mapping[str, Any], measure: str, *, every: int) -> tuple[str, str] | None:
    """Return level and text of a row; of the steps of a layer about *every* of them have a line.

    Raises KeyError or TypeError for a row that is not as runs write it.
    """
    event = row["event"]
    if event == "step" and row["step"] % max(1, row["steps"] // every) and row["step"] != 1:
        return None
    where = f"layer {row['layer']}, step {row['step']}" if "layer" in row and "step" in row else ""
    match event:
        case "step":
            return "note", f"{where} of {row['steps']}: loss {row['loss']:.4f}, batch {told(measure, row['score'])}"
        case "check":
            return "note", f"{where}: validation {told(measure, row['validation_score'])}"
        case "layer":
            return "done", (
                f"layer {row['layer']} done ({row['stopped_by']}, {row['steps']} steps): training part "
                f"{told(measure, row['train_score'])} alone, {told(measure, row['sum_train_score'])} with those before"
            )
        case "epsilon":
            values = ", ".join(f"{name} {value:.3g}" for name, value in row["epsilon"].items())
            return "note", f"{where}: ε {values} ({row['reason']})"
        case "tap":
            seen = "under the detection floor" if row["mean"] is None else f"{row['mean']:.3g} {row['unit']}"
            return "note", f"tap {row['layer']}: mean reading {seen}"
        case "problem":
            return "warning", str(row["message"])
        case "failure":
            return "warning", f"{row['step']} failed: {row.get('reason', 'no reason given')}"
        case other:
            return "note", ": ".join(str(part) for part in (row.get("step"), other) if part is not None)


def told(measure: str, score: float) -> str:
    """Write a score as a person reads it; *measure* is ``accuracy`` or ``r2``."""
    return f"{score:.1%}" if measure == "accuracy" else f"R² {score:.3f}"
