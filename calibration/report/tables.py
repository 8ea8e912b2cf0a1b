"""Tables of a record: single values, every quantity in numbers, and parameter by parameter."""

from collections.abc import Iterable, Mapping

import numpy as np

from calibration.report.health import Health
from calibration.report.plan import parameters_of
from calibration.report.wording import handy, with_uncertainty
from ffzero_lab.device.record import CalibrationRecord, LayerRecord, Quantity
from ffzero_lab.figures.page import Table

MOST_ROWS = 512
"""Parameters up to which each has a row; of more, only those that are dead or out of family have one."""


def single_values(quantities: Mapping[str, Quantity]) -> Table | None:
    """Return the table of quantities that are one number for the layer; None when there are none."""
    rows: list[tuple[str, ...]] = []
    for name, quantity in quantities.items():
        if quantity.axis in {"layer", "device"} and len(quantity.values) == 1:
            values, spread, unit = handy(quantity)
            rows.append((name, with_uncertainty(float(values[0]), float(spread[0]), unit), quantity.about))
    return Table(("quantity", "value", "what it is"), tuple(rows)) if rows else None


def every_quantity(record: CalibrationRecord) -> Table:
    """Return the table of all quantities of all layers in numbers."""
    headings = (
        "layer",
        "quantity",
        "unit",
        "over",
        "measured",
        "lowest",
        "median",
        "highest",
        "uncertainty",
        "what it is",
    )
    rows: list[tuple[str, ...]] = []
    for number, layer in enumerate(record.layers):
        for name, quantity in layer.quantities.items():
            known, spread = _known(quantity.array), _known(quantity.spread)
            numbers = (known.min(), np.median(known), known.max()) if known.size else ()
            cells = tuple(f"{value:.4g}" for value in numbers) or ("", "", "")
            uncertainty = f"{np.median(spread):.2g}" if spread.size else ""
            counted = f"{known.size} of {len(quantity.values)}"
            rows.append((str(number), name, quantity.unit, quantity.axis, counted, *cells, uncertainty, quantity.about))
    return Table(
        headings, tuple(rows), "Every quantity: lowest, median and highest value, median uncertainty", folded=True
    )


def by_parameter(layer: LayerRecord, health: Health, title: str) -> Table | None:
    """Return the table of the parameters, a column for each quantity over them; None when there is no such quantity."""
    count = parameters_of(layer)
    over = {name: q for name, q in layer.quantities.items() if q.axis == "parameter" and len(q.values) == count}
    if not over:
        return None
    wrong = {**health.warned, **health.dead}
    indices: Iterable[int] = range(count) if count <= MOST_ROWS else sorted(wrong)
    shown = {name: handy(quantity) for name, quantity in over.items()}
    headings = ("parameter", "health", *(f"{name} / {unit}" if unit else name for name, (_, _, unit) in shown.items()))
    rows = tuple(
        (
            layer.name_of(index),
            wrong.get(index, "moves"),
            *(
                "" if np.isnan(values[index]) else with_uncertainty(values[index], spread[index], "")
                for values, spread, _ in shown.values()
            ),
        )
        for index in indices
    )
    which = "" if count <= MOST_ROWS else f" ({len(rows)} of {count}: those that are dead or out of family)"
    return Table(headings, rows, title + which, folded=True) if rows else None


def spent_and_planned(record: CalibrationRecord) -> str:
    """Return what a calibration took, and what it should have taken."""
    spent, planned = record.spent, record.planned
    return (
        f"{spent.writes:,} writes, {spent.readings:,} readings, {spent.shots:,} shots (planned: {planned.writes:,}, "
        f"{planned.readings:,}, {planned.shots:,})"
    )


def _known(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return values[np.isfinite(values)]
