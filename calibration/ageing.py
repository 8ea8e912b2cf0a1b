"""Phases go on drifting after they were measured: their uncertainties at the end of a calibration, and later."""

import math
from collections.abc import Mapping

import numpy as np

from calibration.photonic.gauge import gathered
from calibration.photonic.mesh_model import Layout
from ffzero_lab.device.record import Quantity

PHASES = "offsets.phase"
WALK = "drift.phase_walk"
HOUR_S = 3600.0


def aged(quantities: Mapping[str, Quantity], seconds: float) -> dict[str, Quantity]:
    """Return *quantities* with the drift of *seconds* in the uncertainties of the phases, where a walk was measured.

    A random walk of w rad/√h adds w²·t to the variance of each phase; in the canonical gauge some gather those of
    three. Phases that the choice of the gauge fixes stay exact.
    """
    known, walk = quantities.get(PHASES), quantities.get(WALK)
    if known is None or walk is None or seconds <= 0.0:
        return dict(quantities)
    drifted = float(walk.array[0]) * float(np.sqrt(seconds / HOUR_S)) * gathered(Layout(math.isqrt(len(known.values))))
    spread = np.where(known.spread > 0.0, np.hypot(known.spread, drifted), known.spread)
    return {**quantities, PHASES: Quantity.of(known.unit, known.axis, known.array, spread, known.about)}
