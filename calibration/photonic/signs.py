"""Which one of the solutions that act alike: splitters near 50:50, and the sign of a θ that cannot be driven."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calibration.photonic.constants import Constants, Readings, phases_of
from calibration.photonic.gauge import balanced, near_balance
from calibration.photonic.joint_fit import Fit, fit
from calibration.photonic.mesh_model import FloatArray, Layout


def settled(
    layout: Layout,
    found: Fit,
    known: FloatArray,
    readings: Readings,
    still: NDArray[np.intp],
    heed: Callable[[], None] = lambda: None,
) -> Fit:
    """Return the fit with splitters near 50:50, and the better sign of θ for each MZI in *still*.

    An MZI of θ acts like one of −θ with other phases in front of and behind it. As long as θ stands still these are
    one and the same, but its neighbours' heat turns it a little, and the wrong one against the readings.
    """
    best = found
    if max(np.abs(best.constants.first).max(), np.abs(best.constants.second).max()) > np.pi / 4.0:
        best = fit(layout, _near_balance(layout, best.constants), known, readings, heed=heed)
    for mzi in still.tolist():
        other = fit(layout, _mirrored(layout, best.constants, readings, mzi), known, readings, heed=heed)
        if other.chi2 < best.chi2:
            best = other
    return best


def _near_balance(layout: Layout, constants: Constants) -> Constants:
    phases, first, second = near_balance(layout, constants.offsets, constants.first, constants.second)
    return replace(constants, offsets=phases, first=first, second=second)


def _mirrored(layout: Layout, constants: Constants, readings: Readings, mzi: int) -> Constants:
    """Return constants of the opposite sign that act alike where θ stands on average."""
    arriving = float((phases_of(layout, constants, readings)[:, mzi] - constants.offsets[mzi]).mean())
    offsets = constants.offsets.copy()
    offsets[mzi] += arriving
    offsets = balanced(layout, offsets, mzi, 1.0 if np.sin(offsets[mzi]) < 0.0 else -1.0)
    offsets[mzi] -= arriving
    return replace(constants, offsets=offsets)
