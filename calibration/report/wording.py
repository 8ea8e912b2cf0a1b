"""Numbers as a person reads them: in handy units, with as many digits as their uncertainty leaves."""

from math import floor, isfinite, log10

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device.record import Quantity

FloatArray = NDArray[np.float64]
_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
_PREFIXED = ("W", "s")
MINUTE_S, HOUR_S = 60.0, 3600.0


def handy(quantity: Quantity) -> tuple[FloatArray, FloatArray, str]:
    """Return values, uncertainties and unit, watts and seconds with the prefix that suits the median."""
    values, spread, unit = quantity.array, quantity.spread, quantity.unit
    known = np.abs(values[np.isfinite(values)])
    if unit not in _PREFIXED or not known.size or np.median(known) == 0.0:
        return values, spread, "" if unit == "1" else unit
    median = float(np.median(known))
    factor, prefix = next((each for each in _PREFIXES if median >= each[0]), _PREFIXES[-1])
    return values / factor, spread / factor, prefix + unit


def with_uncertainty(value: float, spread: float, unit: str) -> str:
    """Return such as ``1.9256 ± 0.0012 mW``; without uncertainty four digits."""
    if not isfinite(value):
        return "not measured"
    ending = f" {unit}" if unit else ""
    if not isfinite(spread) or spread <= 0.0:
        return f"{value:.4g}{ending}"
    places = 1 - floor(log10(spread))
    if not -4 <= places <= 8:
        return f"{value:.4g} ± {spread:.2g}{ending}"
    return f"{value:.{max(0, places)}f} ± {spread:.{max(0, places)}f}{ending}"


def axis_label(what: str, unit: str) -> str:
    """Return the label of an axis, with its unit."""
    return f"{what} / {unit}" if unit else what


def spelled(seconds: float) -> str:
    """Return a duration such as ``5 min 52 s``."""
    if seconds < MINUTE_S:
        return f"{seconds:.3g} s"
    if seconds < HOUR_S:
        return f"{int(seconds // MINUTE_S)} min {int(seconds % MINUTE_S)} s"
    return f"{int(seconds // HOUR_S)} h {int(seconds % HOUR_S // MINUTE_S)} min"
