"""From voltages to phases: resistors that heat waveguides, and one another, and take their time to settle."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.twin.photonic.faults import Fault, OpenHeater, ShortedHeater, StuckHeater, heater_of
from drivers.twin.photonic.truth import ChipTruth

FloatArray = NDArray[np.float64]
Spread = Callable[[FloatArray], FloatArray]

SHORT_OF_R = 1e-3
"""Resistance of a short at the pads, as a share of the heater's."""


class Heating:
    """The heaters of one chip, with their own R and Pπ, crosstalk, settling and faults.

    Heater i adds the phase π/Pπ_i·(P_i + Σ_j χ_ij P_j) with P = V²/R. After a change the phases approach their
    new values as 1 − e^(−t/τ).

    Parameters
    ----------
    truth
        R and Pπ of each heater.
    from_others
        The crosstalk Σ_j χ_ij P_j of powers (P,), or None.
    settling_s
        τ.
    faults
        Those of this chip's heaters, and the parameter that each concerns.
    """

    def __init__(
        self,
        truth: ChipTruth,
        from_others: Spread | None,
        settling_s: float,
        faults: list[tuple[int, Fault]],
    ) -> None:
        self._conductance = 1.0 / truth.resistance_ohm
        self._phase_per_w = np.pi / truth.pi_power_w
        self._from_others = from_others
        self._settling_s = settling_s
        self._faults = sorted(faults, key=lambda known: known[1].from_s)
        self.volts = np.zeros_like(truth.resistance_ohm)
        """(P,) what the drive's registers hold."""
        self._changed_s = 0.0
        self._from_rad = np.zeros_like(self.volts)
        self._to_rad = np.zeros_like(self.volts)
        self._set_course(0.0)

    def set_volts(self, volts: FloatArray, now_s: float) -> None:
        """Switch the drive to *volts* (P,) at the device time *now_s*."""
        self._pass_onsets(now_s)
        self._from_rad = self._settling_phases(now_s)
        self._changed_s, self.volts = now_s, volts
        self._set_course(now_s)

    def phases(self, now_s: float) -> FloatArray:
        """Return the phases (P,) above the offsets, rad, at the device time *now_s*."""
        self._pass_onsets(now_s)
        return self._settling_phases(now_s)

    def settled(self, squares: FloatArray, at_s: float) -> FloatArray:
        """Return the phases (P,) above the offsets, rad, that *squares* V² (P,) settle at."""
        powers = self._powers(squares, at_s)
        if self._from_others is not None:
            powers = powers + self._from_others(powers)
        return powers * self._phase_per_w

    def slopes_in_squares(self, slopes_in_phases: FloatArray, at_s: float) -> FloatArray:
        """Carry slopes in the settled phases (P,) back to V² (P,); 0 where a fault keeps the drive from the heater.

        Heaters give one another the same share, so that crosstalk is its own transpose.
        """
        slopes = slopes_in_phases * self._phase_per_w
        if self._from_others is not None:
            slopes = slopes + self._from_others(slopes)
        slopes *= self._conductance
        slopes[[parameter for parameter, fault in self._faults if fault.from_s <= at_s]] = 0.0
        return slopes

    def power_w(self, now_s: float) -> float:
        """Return the heat on the chip."""
        return float(self._powers(self.volts**2, now_s).sum())

    def drawn(self, now_s: float, most_a: float) -> tuple[FloatArray, FloatArray]:
        """Return the volts (P,) at the pads and the amperes (P,) that flow; a source gives *most_a* at most."""
        volts, resistance = self.volts.copy(), 1.0 / self._conductance
        for parameter, fault in self._faults:
            if fault.from_s > now_s:
                break
            if isinstance(fault, StuckHeater):
                volts[parameter] = fault.volts
            elif isinstance(fault, OpenHeater):
                resistance[parameter] = np.inf
            elif isinstance(fault, ShortedHeater):
                resistance[parameter] *= SHORT_OF_R
        wanted = volts / resistance
        amperes = np.minimum(wanted, most_a)
        return np.where(wanted > most_a, amperes * np.where(np.isinf(resistance), 0.0, resistance), volts), amperes

    def state(self) -> dict[str, NDArray[Any]]:
        """Return everything that decides later phases."""
        return {"volts": self.volts, "from_rad": self._from_rad, "changed_s": np.array(self._changed_s)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Put back what :meth:`state` returned."""
        self.volts = np.array(state["volts"], dtype=np.float64)
        self._from_rad = np.array(state["from_rad"], dtype=np.float64)
        self._changed_s = float(state["changed_s"])
        self._set_course(self._changed_s)

    def _set_course(self, at_s: float) -> None:
        self._to_rad = self.settled(self.volts**2, at_s)

    def _powers(self, squares: FloatArray, at_s: float) -> FloatArray:
        powers = squares * self._conductance
        for parameter, fault in self._faults:
            if fault.from_s > at_s:
                break
            if isinstance(fault, StuckHeater):
                powers[parameter] = fault.volts**2 * self._conductance[parameter]
            elif isinstance(fault, OpenHeater | ShortedHeater):
                powers[parameter] = 0.0
        return powers

    def _settling_phases(self, now_s: float) -> FloatArray:
        if self._settling_s == 0.0:
            return self._to_rad
        left = np.exp(-(now_s - self._changed_s) / self._settling_s)
        return self._to_rad + (self._from_rad - self._to_rad) * left

    def _pass_onsets(self, now_s: float) -> None:
        """Let the faults that began since the last change take their course, each from its own time on."""
        for _, fault in self._faults:
            if self._changed_s < fault.from_s <= now_s:
                self._from_rad = self._settling_phases(fault.from_s)
                self._changed_s = fault.from_s
                self._set_course(fault.from_s)


def heater_faults(faults: tuple[Fault, ...], layer: int, n_mzi: int, ports: int) -> list[tuple[int, Fault]]:
    """Return the faults of the heaters of mesh *layer*, each with the index of its parameter."""
    return [
        (heater_of(fault, n_mzi, ports), fault)
        for fault in faults
        if isinstance(fault, OpenHeater | ShortedHeater | StuckHeater) and fault.layer == layer
    ]
