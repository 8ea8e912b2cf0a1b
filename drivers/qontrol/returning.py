"""The way back of setpoints that a restart has lost: no faster than the slew limit."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from drivers.qontrol.errors import ChannelTripped
from ffzero_lab.device import FloatArray

STEP_S = 0.05
"""Between two steps on the way."""
MOST_S = 10.0
"""Longest way: while it lasts, nothing else is done."""


@dataclass(frozen=True)
class Return:
    """How setpoints come back.

    Attributes
    ----------
    slew_per_s
        Fastest change in V or mA per second; None: at once.
    """

    slew_per_s: float | None


def steps_back(
    way: Return | None, wanted: FloatArray, measure: Callable[[], FloatArray], most: float
) -> Iterator[tuple[FloatArray, float]]:
    """Yield the setpoints (n,) on the way to *wanted*, that one left out, each with the pause behind it.

    Nothing where nothing was lost, or where there is no slew limit. Begins at what *measure* says stands there,
    within 0 and *most*. Raises ChannelTripped, before the first step, where it would take too long: park first.
    """
    if way is None or way.slew_per_s is None:
        return
    start = np.clip(measure(), 0.0, most)  # a meter is off by a little, and no setpoint on the way may be out of limits
    furthest = float(abs(wanted - start).max())
    n_steps = math.ceil(furthest / (way.slew_per_s * STEP_S))
    if n_steps * STEP_S > MOST_S:
        raise ChannelTripped(
            f"setpoints that a restart has lost are {furthest:.3g} away, {n_steps * STEP_S:.3g} s by their slew limit "
            f"(at most {MOST_S:g} s are waited); park the bench, then go on"
        )
    for step in range(1, n_steps):
        yield start + (wanted - start) * (step / n_steps), STEP_S
