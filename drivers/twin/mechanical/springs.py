"""The springs of one layer behind their servos: steps, play, tolerance and creep between setpoint and stiffness."""

from collections.abc import Mapping
from math import exp

import numpy as np
from numpy.typing import NDArray

from drivers.twin.mechanical.leaf import Leaf
from drivers.twin.mechanical.tables import Springs

FloatArray = NDArray[np.float64]


class ServoSprings:
    """P springs; what is asked of them passes servo steps, gear play, each spring's own factor, and creep.

    - The slider lags behind the servo by half of the play b: x ← min(max(x, p − b/2), p + b/2) for a servo at p.
    - A share φ of every change of stiffness arrives with the time constant τ: with k∞ where the slider leads and r the
      part that follows, k = (1 − φ)·k∞ + φ·r and dr/dt = (k∞ − r)/τ, solved exactly between two moments.

    Parameters
    ----------
    constants
        Range and imperfections.
    factor
        (P,) each spring's own stiffness relative to its nominal one.
    """

    def __init__(self, constants: Springs, factor: FloatArray) -> None:
        self.leaf = Leaf(constants)
        self._constants, self._factor = constants, factor
        self._servo = np.zeros_like(factor)
        self._slider = np.zeros_like(factor)
        self._leading = self._reached()
        self._following = self._leading
        self._at_s = 0.0

    @property
    def setpoints(self) -> FloatArray:
        """Nominal stiffness (P,) in N/m at the servos' own positions."""
        return self.leaf.stiffness(self._servo)

    def write(self, stiffness: FloatArray, now_s: float, jammed: NDArray[np.intp]) -> None:
        """Drive the servos to a nominal *stiffness* (P,) in N/m; sliders that are *jammed* stay."""
        half_play = 0.5 * self._constants.backlash
        self._servo = self.leaf.position(stiffness)
        self._slide(np.clip(self._slider, self._servo - half_play, self._servo + half_play), now_s, jammed)

    def home(self, now_s: float, jammed: NDArray[np.intp]) -> None:
        """Drive all sliders against the stop at the soft end, which takes up the play; *jammed* ones stay."""
        self._servo = np.zeros_like(self._servo)
        self._slide(np.zeros_like(self._slider), now_s, jammed)

    def stiffness(self, now_s: float) -> FloatArray:
        """Return the stiffness (P,) in N/m at device time *now_s*, which never lies before the last look."""
        share = self._constants.creep
        if share == 0.0:
            return self._leading
        self._follow(now_s)
        return self._leading + share * (self._following - self._leading)

    def reached(self, stiffness: FloatArray, now_s: float, jammed: NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
        """Return the stiffness (P,) in N/m right after *stiffness* (P,) was set, and its slopes in what was set.

        Nothing is set, and steps and play are left out. Of a change, only what creep does not hold back has arrived;
        sliders that are *jammed* stay.
        """
        leading, slopes = self._factor * stiffness, self._factor.copy()
        leading[jammed], slopes[jammed] = self._leading[jammed], 0.0
        share = self._constants.creep
        return leading + share * (self._followed(now_s) - leading), (1.0 - share) * slopes

    def state(self) -> dict[str, NDArray[np.float64]]:
        """Return what decides the stiffness from now on; nothing of it is ever changed in place."""
        return {
            "servo": self._servo,
            "slider": self._slider,
            "following_n_per_m": self._following,
            "followed_s": np.array(self._at_s),
        }

    def restore(self, state: Mapping[str, NDArray[np.float64]]) -> None:
        """Put back what :meth:`state` returned."""
        self._servo, self._slider = state["servo"].copy(), state["slider"].copy()
        self._leading = self._reached()
        self._following, self._at_s = state["following_n_per_m"].copy(), float(state["followed_s"])

    def _slide(self, position: FloatArray, now_s: float, jammed: NDArray[np.intp]) -> None:
        self._follow(now_s)
        position = np.clip(position, 0.0, 1.0)
        position[jammed] = self._slider[jammed]
        self._slider = position
        self._leading = self._reached()

    def _follow(self, now_s: float) -> None:
        self._following = self._followed(now_s)
        self._at_s = now_s

    def _followed(self, now_s: float) -> FloatArray:
        decay = exp(-(now_s - self._at_s) / self._constants.creep_s)
        return self._leading + decay * (self._following - self._leading)

    def _reached(self) -> FloatArray:
        return self._factor * self.leaf.stiffness(self._slider)
