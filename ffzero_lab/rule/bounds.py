"""Keeps parameters inside their box between steps, with room for the next perturbation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Bounded:
    """Parameters inside the box and how many had to be moved there."""

    values: FloatArray
    wrapped: int
    projected: int


@dataclass(frozen=True)
class ParameterBox:
    """Where parameters may stand; periodic ones wrap, the others are projected.

    Attributes
    ----------
    lower, upper
        (P,) bounds, in the parameters' units.
    period
        (P,) period, infinite where a parameter is not periodic; the box must be at least one period wide.
    """

    lower: FloatArray
    upper: FloatArray
    period: FloatArray

    def shrunk(self, headroom: FloatArray) -> "ParameterBox":
        """Return the box with room for a perturbation of *headroom* (P,) on either side, roundings included.

        What does not move needs no room: a dead channel stays at its bound.
        """
        rounding = 2.0 * np.spacing(np.maximum(np.abs(self.lower), np.abs(self.upper)))
        room = np.where(headroom > 0.0, headroom + rounding, 0.0)
        return ParameterBox(self.lower + room, self.upper - room, self.period)

    def settle(self, values: FloatArray) -> Bounded:
        """Return *values* (P,) inside the box.

        A periodic parameter that has left the box comes back by as few whole periods as it takes. While it is inside it
        stays: a made actuator's period is not quite the stated one, so that every turn moves it a little.
        """
        settled = values.copy()
        wrapped = 0
        index = np.flatnonzero(np.isfinite(self.period))
        if len(index):
            lower, upper, period, own = self.lower[index], self.upper[index], self.period[index], values[index]
            up, down = np.ceil((lower - own) / period), np.ceil((own - upper) / period)
            turns = np.maximum(up, 0.0) - np.maximum(down, 0.0)
            settled[index] += turns * period
            wrapped = int(np.count_nonzero(turns))
        outside = (settled < self.lower) | (settled > self.upper)
        np.clip(settled, self.lower, self.upper, out=settled)
        return Bounded(settled, wrapped, int(np.count_nonzero(outside)))

    def least_power_interval(self) -> tuple[FloatArray, FloatArray]:
        """Return start and length (P,) of where a parameter is at home.

        For a periodic one this is the period-long interval in the box that lies nearest to zero, else the whole box.
        """
        length = np.where(np.isfinite(self.period), self.period, self.upper - self.lower)
        return np.clip(-0.5 * length, self.lower, self.upper - length), length
