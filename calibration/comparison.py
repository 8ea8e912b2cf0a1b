"""Compares two calibrations of one device, value by value, within their uncertainties."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from calibration.ageing import PHASES, aged
from ffzero_lab.device.record import CalibrationRecord, LayerRecord, Quantity

FALSE_ALARMS = 0.01
"""Probability that a comparison in which nothing has changed finds a difference."""
AXES = ("input", "output", "parameter", "mzi")
"""Axes along which one number means the same thing in both records; which pairs are seen well differs."""


@dataclass(frozen=True)
class Compared:
    """One quantity of one layer in both records."""

    layer: int
    name: str
    unit: str
    values: int
    """Number of values that both records know, with uncertainties."""
    beyond: int
    """How many of them differ by more than *sigmas* times their joint standard uncertainty."""
    worst: int
    """Number, along the quantity's axis, of the value that differs most in this sense."""
    difference: float
    """Later minus earlier, there."""
    uncertainty: float
    """Joint standard uncertainty there."""


@dataclass(frozen=True)
class Comparison:
    """All of it, and how many standard uncertainties were allowed."""

    sigmas: float
    quantities: tuple[Compared, ...]
    changed: tuple[str, ...]
    """What is dead in one record and alive in the other, in words."""
    not_compared: tuple[str, ...] = ()
    """What only one of the records knows, or each in its own way, in words."""

    @property
    def agrees(self) -> bool:
        """Whether something was compared, and nothing differs by more than chance explains."""
        return bool(self.quantities) and not self.changed and not any(each.beyond for each in self.quantities)


def compare(
    earlier: CalibrationRecord,
    later: CalibrationRecord,
    apart_s: float = 0.0,
    procedures: Collection[str] | None = None,
) -> Comparison:
    """Compare every value that both records know; phases are compared on the circle.

    What is not known to both is told, of *procedures*: by default those that both records say were carried out.

    *apart_s* is the time that the device had between the two: by the walk that the earlier record knows, the phases'
    uncertainties grow with it. What the later one took over from before is no measurement, and left out.

    The bound is that of a normal distribution for as many values as there are (Šidák 1967, J. Am. Stat. Assoc. 62,
    626), so that two sound calibrations of an unchanged device disagree in one of a hundred comparisons.
    """
    pairs = [
        (layer, name, quantity, after.quantities[name])
        for layer, (before, after) in enumerate(zip(earlier.layers, later.layers, strict=False))
        for name, quantity in aged(before.quantities, apart_s + _phases_before_s(earlier, before)).items()
        if name in after.quantities and name not in after.earlier and quantity.axis in AXES
    ]
    known = [_differences(before, after) for _, _, before, after in pairs]
    sigmas = allowed_sigmas(
        int(np.count_nonzero(np.isfinite(np.concatenate([ratio for *_, ratio in known])))) if known else 0
    )
    compared = [
        _judged(layer, name, before.unit, *differences, sigmas)
        for (layer, name, before, _), differences in zip(pairs, known, strict=True)
        if np.isfinite(differences[2]).any()
    ]
    wanted = set(earlier.procedures) & set(later.procedures) if procedures is None else procedures
    done = {(each.layer, each.name) for each in compared}
    missing = _not_compared(earlier.layers, later.layers, wanted, done)
    return Comparison(sigmas, tuple(compared), tuple(_changed(earlier.layers, later.layers)), tuple(missing))


def _phases_before_s(record: CalibrationRecord, layer: LayerRecord) -> float:
    """Return how long before the end of *record* the phases of *layer* were measured, if in an earlier one."""
    return (record.ended - layer.earlier[PHASES]).total_seconds() if PHASES in layer.earlier else 0.0


def allowed_sigmas(values: int) -> float:
    """Return how many standard deviations the largest of so many normal values stays within, but for false alarms."""
    each = 1.0 - (1.0 - FALSE_ALARMS) ** (1.0 / max(1, values))
    return -NormalDist().inv_cdf(each / 2.0)


def _differences(
    before: Quantity, after: Quantity
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return differences, joint uncertainties and their ratio (n,), NaN where one of the records knows nothing."""
    if len(before.values) != len(after.values) or before.unit != after.unit:
        nothing = np.full(1, np.nan)
        return nothing, nothing, nothing
    difference = after.array - before.array
    if before.unit == "rad" and before.axis == "parameter":
        difference = np.mod(difference + np.pi, 2.0 * np.pi) - np.pi
    joint = np.hypot(before.spread, after.spread)
    ratio = np.divide(difference, joint, out=np.full_like(difference, np.nan), where=joint > 0.0)
    return difference, joint, ratio


def _judged(
    layer: int,
    name: str,
    unit: str,
    difference: NDArray[np.float64],
    joint: NDArray[np.float64],
    ratio: NDArray[np.float64],
    sigmas: float,
) -> Compared:
    worst = int(np.nanargmax(np.abs(ratio)))
    return Compared(
        layer=layer,
        name=name,
        unit=unit,
        values=int(np.count_nonzero(np.isfinite(ratio))),
        beyond=int(np.count_nonzero(np.abs(ratio) > sigmas)),
        worst=worst,
        difference=float(difference[worst]),
        uncertainty=float(joint[worst]),
    )


def _not_compared(
    earlier: Sequence[LayerRecord],
    later: Sequence[LayerRecord],
    procedures: Collection[str],
    compared: Collection[tuple[int, str]],
) -> Iterator[str]:
    """Tell of the quantities of *procedures* that a record knows, but that were not *compared*, and why."""
    for layer, (before, after) in enumerate(zip(earlier, later, strict=False)):
        for name in sorted({*before.quantities, *after.quantities}):
            was, now = (_known(each.quantities.get(name)) for each in (before, after))
            if name.partition(".")[0] in procedures and (layer, name) not in compared and (was or now):
                yield f"layer {layer}, {name}: {_why_not(was, now)}"


def _known(quantity: Quantity | None) -> Quantity | None:
    """Return a quantity that has values which can be compared; None for all others."""
    return quantity if quantity is not None and quantity.axis in AXES and (quantity.spread > 0.0).any() else None


def _why_not(was: Quantity | None, now: Quantity | None) -> str:
    if was is None or now is None:
        return "known only now" if was is None else "known only before"
    if was.unit != now.unit:
        return f"in {was.unit} before, in {now.unit} now"
    if len(was.values) != len(now.values):
        return f"{len(was.values)} values before, {len(now.values)} now"
    return "no single value is known to both"


def _changed(earlier: Sequence[LayerRecord], later: Sequence[LayerRecord]) -> list[str]:
    if len(earlier) != len(later):
        return [f"{len(earlier)} layers before, {len(later)} now"]
    told: list[str] = []
    for layer, (before, after) in enumerate(zip(earlier, later, strict=True)):
        for what, was, now in (
            ("parameter", before.dead, after.dead),
            ("output", before.dead_outputs, after.dead_outputs),
        ):
            told += [f"layer {layer}, {what} {i}: {now[i]}, alive before" for i in sorted(now.keys() - was.keys())]
            told += [f"layer {layer}, {what} {i}: alive, {was[i]} before" for i in sorted(was.keys() - now.keys())]
    return told
