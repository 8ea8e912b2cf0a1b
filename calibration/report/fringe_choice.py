"""Fringes as they were swept, with the record's setting for π fitted to them again, and which of many are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.photonic.fringe_fit import Sweep, components
from calibration.report.plan import parameters_of
from ffzero_lab.device.record import LayerRecord

FloatArray = NDArray[np.float64]
Sweeps = Mapping[str, NDArray[Any]]
SHOWN = 24
"""Fringes up to which all are shown."""
WORST, BEST = 10, 4
"""How many of the worst and of the best are among those shown; the rest is a sample."""


@dataclass(frozen=True)
class Background:
    """One output and pattern of a heater's sweep before one background: intensities (K,) over s (K,)."""

    s: FloatArray
    readings: FloatArray
    noise: float
    """Standard deviation of one reading."""
    offset: float
    """a of a + b cos(κ s + c); NaN, as the other two, when the heater is dark."""
    amplitude: float
    phase: float


@dataclass(frozen=True)
class Swept:
    """One heater's fringes, over s; κ is NaN when it is dark."""

    index: int
    name: str
    kappa: float
    share: float
    """Relative standard uncertainty of the setting for π."""
    visibility: float
    backgrounds: tuple[Background, ...]


def swept_of(layer: LayerRecord, number: int, sweeps: Sweeps) -> list[Swept]:
    """Return the fringes of a layer, in the order of the heaters; empty when their sweeps are not there."""
    found: list[Swept] = []
    for index in range(parameters_of(layer)):
        prefix = f"{number}/fringes/{layer.name_of(index)}/"
        if all(prefix + name in sweeps for name in ("s", "background", "readings")):
            s, background, readings = (np.asarray(sweeps[prefix + name]) for name in ("s", "background", "readings"))
            found.append(_swept(layer, index, s, background, readings.astype(np.float64)))
    return found


def shown_of(swept: Sequence[Swept]) -> tuple[list[Swept], str]:
    """Return the fringes to show, the worst first, and a sentence that says which of how many they are."""
    ranked = sorted(swept, key=lambda each: (np.isfinite(each.kappa), -np.nan_to_num(each.share)))
    if len(ranked) <= SHOWN:
        return ranked, f"All {len(ranked)} fringes that were swept, the least certain first."
    between = ranked[WORST:-BEST]
    places: NDArray[np.intp] = np.linspace(0, len(between) - 1, SHOWN - WORST - BEST).round().astype(np.intp)
    sample = [between[int(place)] for place in places]
    chosen = [*ranked[:WORST], *sample, *ranked[-BEST:]]
    return chosen, (
        f"{len(chosen)} of {len(ranked)} fringes: the {WORST} least certain first, then a sample, and the {BEST} most "
        "certain last."
    )


def _swept(layer: LayerRecord, index: int, s: FloatArray, background: NDArray[Any], readings: FloatArray) -> Swept:
    pi_setting, spread = (_at(layer, "fringes.pi_setting", index, which) for which in ("array", "spread"))
    kappa = np.pi / pi_setting
    flat = readings.reshape(len(readings), -1)
    first = np.flatnonzero(background == background[0])
    strongest = int(np.argmax(_strengths(s[first], flat[first], kappa)))
    parts = [
        _background(s[those], flat[those], kappa, strongest)
        for those in (np.flatnonzero(background == one) for one in np.unique(background))
    ]
    visibility = _at(layer, "fringes.visibility", index, "array")
    return Swept(index, layer.name_of(index), kappa, spread / pi_setting, visibility, tuple(parts))


def _strengths(s: FloatArray, readings: FloatArray, kappa: float) -> FloatArray:
    """Return how much each column (M,) of readings (K, M) of a dark heater varies, or the amplitude of its fringe."""
    return components(Sweep(s, readings, 1.0), kappa)[1] if np.isfinite(kappa) else readings.std(axis=0)


def _background(s: FloatArray, readings: FloatArray, kappa: float, column: int) -> Background:
    noise = float(np.sqrt(0.5 * ((readings[0] - readings[-1]) ** 2).mean()))  # the last reading repeats the first
    shown = readings[:, column]
    if not np.isfinite(kappa):
        return Background(s, shown, noise, np.nan, np.nan, np.nan)
    offset, amplitude, phase = components(Sweep(s, shown[:, np.newaxis], 1.0), kappa)
    return Background(s, shown, noise, float(offset[0]), float(amplitude[0]), float(phase[0]))


def _at(layer: LayerRecord, name: str, index: int, which: str) -> float:
    quantity = layer.quantities.get(name)
    if quantity is None or index >= len(quantity.values):
        return np.nan
    return float((quantity.array if which == "array" else quantity.spread)[index])
