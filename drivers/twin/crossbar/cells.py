"""The memory cells of one array: hidden truth, programming, and drift; from requested weights to conductances."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from numpy.typing import NDArray

from drivers.twin.crossbar.noise import gaussian
from drivers.twin.crossbar.tables import Cells, Drift

FloatArray = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]
Precision = type[np.float32] | type[np.float64]
TRUTH, READING, PROGRAMMING = 0, 1, 2
"""First number of a key: what is drawn."""


@dataclass(frozen=True)
class CellTruth:
    """What fabrication made of the crosspoints (P,) of one array.

    Attributes
    ----------
    gain
        Conductance that is reached, over the one that is asked for.
    lower, upper
        Differential conductances that can be reached, as a fraction of a cell's full scale; a stuck cell halves them.
    drift_exponent
        ν.
    """

    gain: FloatArray
    lower: FloatArray
    upper: FloatArray
    drift_exponent: FloatArray


def fabricate_cells(cells: Cells, drift: Drift, n: int, seed: int, layer: int) -> CellTruth:
    """Draw the hidden truth of an array of *n* crosspoints from the twin's own seed."""
    rng = Generator(Philox(SeedSequence(seed, spawn_key=(TRUTH, layer))))
    gain = 1.0 + cells.spread * rng.standard_normal(n)
    exponent = np.maximum(0.0, drift.exponent + drift.exponent_spread * rng.standard_normal(n))
    fate = rng.uniform(size=(2, n))  # of the cells G⁺ and G⁻
    off, on = fate < cells.stuck_off, fate >= 1.0 - cells.stuck_on
    least, most = np.where(on, 1.0, 0.0), np.where(off, 0.0, 1.0)
    return CellTruth(gain, least[0] - most[1], most[0] - least[1], exponent)


class CellArray:
    """Differential conductances (P,) that are programmed, and then drift.

    Parameters
    ----------
    cells, drift
        Constants.
    truth
        What fabrication made.
    limit
        Full scale of a cell, in feedback conductances.
    key
        Seed and layer, for the programming errors.
    precision
        Type of the conductances.
    """

    def __init__(
        self, cells: Cells, drift: Drift, truth: CellTruth, limit: float, key: tuple[int, int], precision: Precision
    ) -> None:
        self.truth = truth
        self.drifts = drift.exponent > 0.0 or drift.exponent_spread > 0.0
        self.exact = not self.drifts and cells == Cells()
        """Whether conductances are always those that were asked for."""
        self._cells, self._drift, self._limit, self._key = cells, drift, limit, key
        self._step = limit / (2**cells.bits - 1) if cells.bits else None
        self._gain, self._exponent = truth.gain.astype(precision), truth.drift_exponent.astype(precision)
        self._range = (limit * truth.lower).astype(precision), (limit * truth.upper).astype(precision)
        self.park()

    @property
    def resolution(self) -> float:
        """Distance of two levels; 0 when they are continuous."""
        return self._step or 0.0

    def park(self) -> None:
        """Discharge all cells; those that are stuck on stay so."""
        self.written, self.written_s = 0, 0.0
        self.setpoints = np.zeros(len(self.truth.gain))
        self._conductances: Floats = np.clip(0.0, *self._range)

    def program(self, values: FloatArray, number: int, now_s: float) -> None:
        """Write *values* (P,), the *number*-th write (from 1) of the twin, finished at the device time *now_s*."""
        self.written, self.written_s = number, now_s
        self.setpoints = self._nearest_levels(values)
        self._conductances = self.setpoints if self.exact else self._reached(self.setpoints, number)

    def conductances(self, now_s: float) -> Floats:
        """Return the differential conductances (P,) at the device time *now_s*, in feedback conductances."""
        age = (now_s - self.written_s) / self._drift.reference_s
        if not self.drifts or age <= 0.0 or self.written == 0:
            return self._conductances
        return self._conductances * np.exp(-float(np.log1p(age)) * self._exponent)

    def reached(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the conductances (P,) that *values* (P,) would get without errors and levels, and their slopes (P,).

        A slope is the gain of a crosspoint, 0 where a cell is stuck or at its end.
        """
        if self.exact:
            return values, np.ones_like(values)
        lower, upper = self._limit * self.truth.lower, self._limit * self.truth.upper
        asked = values * self.truth.gain
        moves = (asked >= lower) & (asked <= upper) & (lower < upper)
        return np.clip(asked, lower, upper), np.where(moves, self.truth.gain, 0.0)

    def _nearest_levels(self, values: FloatArray) -> FloatArray:
        if self._step is None:
            return values.copy()
        levels = values / self._step
        np.rint(levels, out=levels)
        levels *= self._step
        return np.clip(levels, -self._limit, self._limit, out=levels)

    def _reached(self, setpoints: FloatArray, number: int) -> Floats:
        asked = setpoints.astype(self._gain.dtype)
        reached = asked * self._gain
        cells, (seed, layer) = self._cells, self._key
        if cells.programming_error > 0.0 or cells.relative_error > 0.0:
            error = np.abs(asked, out=asked)
            error *= cells.relative_error
            error += cells.programming_error * self._limit
            error *= gaussian(seed, (PROGRAMMING, layer, number), setpoints.shape)
            reached += error
        return np.clip(reached, *self._range, out=reached)
