"""The rows of ``metrics.jsonl`` as columns, layer by layer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
COLUMNS = (
    "step",
    "loss",
    "score",
    "slope_rms",
    "slope_over_error",
    "cosine",
    "writes",
    "readings",
    "shots",
    "device_seconds",
    "wall_seconds",
)
SPENT = ("writes", "readings", "shots", "device_seconds")
"""Stand in every row of a run."""
AT_AN_END = ("steps", "stopped_by", "loss", "train_score", "sum_train_score", "wrapped", "projected", "dark")
"""Stand in the row of a layer's end."""


@dataclass(frozen=True)
class LayerRows:
    """What was logged of one layer.

    Attributes
    ----------
    columns
        By name, (S,) of each logged step; NaN where nothing was logged.
    steps
        How many steps the layer was to take.
    checks, amplitudes
        Rows about the validation part, and about the choice of the perturbation.
    done
        The row of its end; None: it has not come to it.
    """

    columns: Mapping[str, FloatArray]
    steps: int
    checks: tuple[Mapping[str, Any], ...]
    amplitudes: tuple[Mapping[str, Any], ...]
    done: Mapping[str, Any] | None

    def has(self, name: str) -> bool:
        """Tell whether anything was logged under *name*."""
        return bool(np.isfinite(self.columns[name]).any())


@dataclass(frozen=True)
class Rows:
    """Everything that was logged.

    Attributes
    ----------
    layers
        By trained layer, in their order.
    problems, taps
        Messages to the operator, and rows about the light at the taps of a cascade.
    last
        The last row that tells what was spent; None: there is none.
    """

    layers: Mapping[int, LayerRows]
    problems: tuple[str, ...]
    taps: tuple[Mapping[str, Any], ...]
    last: Mapping[str, Any] | None


def gathered(rows: Iterable[Mapping[str, Any]]) -> Rows:
    """Sort *rows* of metrics into columns; raises KeyError or TypeError for rows that are none."""
    steps: dict[int, list[Mapping[str, Any]]] = {}
    others: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    problems: list[str] = []
    taps: list[Mapping[str, Any]] = []
    last: Mapping[str, Any] | None = None
    for row in rows:
        kind = row["event"]
        if all(name in row for name in SPENT):
            last = row
        for name in AT_AN_END if kind == "layer" else ():
            row[name]  # KeyError names what is missing
        if kind == "step":
            steps.setdefault(row["layer"], []).append(row)
        elif kind == "problem":
            problems.append(str(row["message"]))
        elif kind == "tap":
            taps.append(row)
        else:
            others.setdefault((kind, row["layer"]), []).append(row)
    numbers = sorted({*steps, *(layer for _, layer in others)})
    layers = {
        layer: _layer(steps.get(layer, []), *(others.get((kind, layer), []) for kind in ("check", "epsilon", "layer")))
        for layer in numbers
    }
    return Rows(layers, tuple(problems), tuple(taps), last)


def _layer(
    steps: list[Mapping[str, Any]],
    checks: list[Mapping[str, Any]],
    amplitudes: list[Mapping[str, Any]],
    done: list[Mapping[str, Any]],
) -> LayerRows:
    columns = {name: np.array([row.get(name) for row in steps], dtype=np.float64) for name in COLUMNS}
    planned = int(steps[-1]["steps"]) if steps else 0
    return LayerRows(columns, planned, tuple(checks), tuple(amplitudes), done[-1] if done else None)
