"""What stands at the top of a report: what was calibrated, when and how, and the numbers that are read first."""

from datetime import timedelta

import numpy as np

from calibration.report.plan import parameters_of
from calibration.report.tables import spent_and_planned
from calibration.report.wording import handy, spelled, with_uncertainty
from ffzero_lab.device.record import CalibrationRecord, LayerRecord, Quantity
from ffzero_lab.figures.page import Tile

FITS = 2.0
"""Reduced χ² above which the model does not describe the readings."""


def facts(record: CalibrationRecord) -> tuple[tuple[str, str], ...]:
    """Return names and values: device, time, conditions, what it took."""
    wall_s = (record.ended - record.begun).total_seconds()
    conditions = ", ".join(f"{name} {value:.4g}" for name, value in record.conditions.items())
    return (
        ("device", f"{record.device}, {record.kind}"),
        ("serial number", record.serial_number),
        ("measured", f"{record.begun:%Y-%m-%d %H:%M:%S} to {_end(record)}"),
        (
            "took",
            f"{spelled(wall_s)} on the wall, {spelled(record.spent.seconds)} of device time (planned: "
            f"{spelled(record.planned.seconds)})",
        ),
        ("spent", spent_and_planned(record)),
        ("valid until", f"{record.ended + timedelta(seconds=record.valid_for_s):%Y-%m-%d %H:%M} {record.ended:%Z}"),
        ("conditions", conditions or "none were read"),
        ("procedures", ", ".join(record.procedures)),
    )


def _end(record: CalibrationRecord) -> str:
    same_day = record.begun.date() == record.ended.date()
    return f"{record.ended:%H:%M:%S %Z}" if same_day else f"{record.ended:%Y-%m-%d %H:%M:%S %Z}"


def tiles(layer: LayerRecord) -> tuple[Tile, ...]:
    """Return a layer's numbers that are read first, as far as they were measured."""
    found = [_moving(layer), _seeing(layer)]
    known = layer.quantities
    pi = known.get("fringes.pi_power") or known.get("offsets.pi_setting") or known.get("fringes.pi_setting")
    found += [
        _median(pi, "π takes", "median; over the chip ± {spread:.2g} %", relative=True),
        _median(
            known.get("electrical.resistance"), "resistance", "median; over the chip ± {spread:.2g} %", relative=True
        ),
        _median(known.get("fringes.visibility"), "fringe visibility", "median; lowest {low:.2g}"),
        _uncertainty(known.get("offsets.phase")),
        _one(known.get("offsets.crosstalk"), "crosstalk", "of the heat, one pitch away", percent=True),
        _fit(known.get("offsets.residual")),
        _median(known.get("noise.sigma"), "noise of a reading", "of full scale, median output", percent=True),
        _one(known.get("drift.phase_walk"), "phases walk", "every one of its own"),
        _one(known.get("epsilon.multiple"), "recommended ε", "typical changes, RMS"),
    ]
    return tuple(tile for tile in found if tile is not None)


def _moving(layer: LayerRecord) -> Tile | None:
    count, dead = parameters_of(layer), len(layer.dead)
    return Tile("parameters that move", f"{count - dead} of {count}", "", alarming=dead > 0) if count else None


def _seeing(layer: LayerRecord) -> Tile | None:
    measured = [len(quantity.values) for quantity in layer.quantities.values() if quantity.axis == "output"]
    if not measured:
        return None
    dead = len(layer.dead_outputs)
    return Tile("outputs that see", f"{max(measured) - dead} of {max(measured)}", "", alarming=dead > 0)


def _median(
    quantity: Quantity | None, label: str, hint: str, *, relative: bool = False, percent: bool = False
) -> Tile | None:
    if quantity is None:
        return None
    values, _, unit = handy(quantity)
    known = values[np.isfinite(values)]
    if not known.size:
        return None
    median, spread = float(np.median(known)), float(1.4826 * np.median(np.abs(known - np.median(known))))
    share = 100.0 * spread / abs(median) if relative and median else spread
    told = f"{100.0 * median:.3g} %" if percent else f"{median:.4g} {unit}".rstrip()
    return Tile(label, told, hint.format(spread=share, low=float(known.min())))


def _one(quantity: Quantity | None, label: str, hint: str, *, percent: bool = False) -> Tile | None:
    if quantity is None or not np.isfinite(quantity.array[0]):
        return None
    values, spread, unit = handy(quantity)
    factor, unit = (100.0, "%") if percent else (1.0, unit)
    return Tile(label, with_uncertainty(factor * float(values[0]), factor * float(spread[0]), unit), hint)


def _uncertainty(quantity: Quantity | None) -> Tile | None:
    if quantity is None:
        return None
    known = quantity.spread[np.isfinite(quantity.spread) & (quantity.spread > 0.0)]
    if not known.size:
        return None
    return Tile("phases known within", f"{float(np.median(known)):.2g} rad", f"median; the worst {known.max():.2g} rad")


def _fit(quantity: Quantity | None) -> Tile | None:
    if quantity is None or not np.isfinite(quantity.array[0]):
        return None
    chi2 = float(quantity.array[0])
    return Tile("reduced χ² of the fit", f"{chi2:.3g}", "1: nothing but noise is left", alarming=chi2 > FITS)
