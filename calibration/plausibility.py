"""What no reading of a sound bench can be: light that grows with the source off, resistances that change."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ffzero_lab.device import (
    BadReply,
    DarkBatch,
    FloatArray,
    Guarded,
    ImplausibleReading,
    LayerDescription,
    Metered,
)
from ffzero_lab.device.record import Quantity

LOOKS = 16
"""Readings without drive that are averaged."""
SIGMAS = 8.0
GROWS = 0.02
"""Share of full scale by which the light at no drive may grow in all; drifting dark readings stay far below it."""
BAND = 0.5
"""Volts and those that the current brings over the known resistance may differ by this share of the larger."""
TELLING = 0.1
"""Share of the volts at its upper limit over which a heater is looked at: meters read a little of nothing, too."""


@dataclass(frozen=True)
class Darkness:
    """Sum over the outputs at no drive, and its standard uncertainty, in the unit of the outputs."""

    total: float
    uncertainty: float

    def as_array(self) -> FloatArray:
        """Return both (2,), as a part keeps them."""
        return np.array([self.total, self.uncertainty])


def darkness(device: Guarded, layer: int) -> Darkness:
    """Measure what a photonic layer's outputs sum up to with the inputs at the drive nearest to none.

    Takes one staged pattern and LOOKS shots at the parameters as they stand.
    """
    source = 0 if device.description.topology == "cascaded" else layer
    entering = device.description.layers[source]
    drive = min(max(0.0, entering.input_lower), entering.input_upper)
    device.load_inputs(source, np.full((1, entering.n_inputs), drive))
    described = device.description.layers[layer]
    try:
        readings = device.read_outputs(layer, np.zeros(LOOKS, dtype=np.intp))
    except DarkBatch:  # nothing but noise, as it should be
        return Darkness(0.0, described.detection_floor * float(np.sqrt(described.n_outputs / LOOKS)))
    totals = readings.sum(axis=1)
    return Darkness(float(totals.mean()), float(totals.std(ddof=1) / np.sqrt(LOOKS)))


def check_darkness(device: Guarded, layer: int, before: Darkness) -> None:
    """Raise ImplausibleReading when light came up with the inputs off.

    A mesh is passive: whatever leaks through the modulators may move from output to output, and its sum never grows.
    """
    now = darkness(device, layer)
    described = device.description.layers[layer]
    allowed = SIGMAS * float(np.hypot(now.uncertainty, before.uncertainty)) + GROWS * described.output_upper
    if now.total - before.total > allowed:
        raise ImplausibleReading(
            f"{device.description.name}, layer {layer}: with the inputs off the outputs sum up to {now.total:.3g} "
            f"{described.output_unit}, {before.total:.3g} at the beginning; light that nobody sends cannot grow "
            f"(allowed: {allowed:.2g} more). Look for stray light, a source that does not follow, or a detector that "
            "drifts"
        )


def metered(device: Guarded, layer: int) -> FloatArray | None:
    """Return measured volts and amperes (2, P) of a layer's actuators; None where nothing measures them.

    Raises BadReply for meters that give no finite numbers, or not one for each actuator: they can judge nothing.
    """
    measured = device.driver.read_actuators(layer) if isinstance(device.driver, Metered) else None
    if measured is None:
        return None
    volts, amperes = measured
    described, where = device.description.layers[layer], f"{device.description.name}, layer {layer}"
    expected = (described.n_parameters,)
    if volts.shape != expected or amperes.shape != expected:
        raise BadReply(f"{where}: the meters gave shapes {volts.shape} and {amperes.shape} instead of {expected}")
    for what, values in (("volts", volts), ("amperes", amperes)):
        if not np.isfinite(values).all():
            channel = described.name_of(int(np.flatnonzero(~np.isfinite(values))[0]))
            raise BadReply(f"{where}, {channel}: the meter's {what} are no finite number")
    return np.stack([volts, amperes])


def check_resistances(device: Guarded, layer: int, known: Mapping[str, Quantity]) -> None:
    """Raise ImplausibleReading when a heater under drive is no more what it was electrically; BadReply by `metered`."""
    measured = known.get("electrical.resistance")
    drawn = None if measured is None else metered(device, layer)
    if measured is None or drawn is None:
        return
    volts, amperes = drawn
    described = device.description.layers[layer]
    expected = amperes * measured.array  # volts, were the resistance what it was; opens and shorts differ as well
    level = np.maximum(np.abs(volts), np.abs(expected))
    driven = level > TELLING * _highest_volts(described, measured.array)
    wrong = np.abs(volts - expected) > BAND * level
    if (driven & wrong).any():
        worst = int(np.nanargmax(np.where(driven & wrong, np.abs(volts - expected) / level, 0.0)))
        raise ImplausibleReading(
            f"{device.description.name}, layer {layer}, {described.name_of(worst)}: it takes {volts[worst]:.4g} V and "
            f"{amperes[worst]:.4g} A, and had {measured.array[worst]:.4g} ohm when it was measured before "
            f"(allowed: {BAND:.0%} of change). Look at this heater and its wiring before it is driven again"
        )


def _highest_volts(described: LayerDescription, ohm: FloatArray) -> FloatArray:
    """Return the volts (P,) at the upper limits, of heaters whose resistance is unknown those of the median one.

    By the power that the description states, √(P·R); without one, setpoints are taken for volts.
    """
    typical = float(np.nanmedian(ohm)) if np.isfinite(ohm).any() else np.nan
    resistance = np.where(np.isfinite(ohm), ohm, typical)
    upper, highest, start = described.per_parameter("upper"), np.empty(described.n_parameters), 0
    for group in described.groups:
        those = slice(start, start + group.size)
        start += group.size
        law = group.power
        highest[those] = (
            upper[those] if law is None else np.sqrt(law.watts * upper[those] ** law.exponent * resistance[those])
        )
    return highest
