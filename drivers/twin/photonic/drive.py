"""The drive electronics: what is asked for, in phases, powers or volts, becomes codes of a voltage converter."""

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray

from drivers.twin.photonic.config import DriveName
from drivers.twin.photonic.tables import Heaters
from ffzero_lab.device import ParameterGroup, PowerLaw

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Drive:
    """One-sided voltage sources, told what to do in the unit of *kind* by the heaters' data sheet."""

    kind: DriveName
    heaters: Heaters

    def volts(self, requested: FloatArray) -> FloatArray:
        """Return the voltages (P,) of the nearest codes for what was *requested* (P,); never above the limit."""
        wanted = requested if self.kind == "volts" else np.sqrt(requested * (1.0 / self._per_v2))
        if self.heaters.drive_bits == 0:
            return wanted.copy()
        step = self._step_v
        highest = np.floor(self._upper_v / step * (1.0 + 1e-12))  # the nearest code may lie beyond the limit
        return np.minimum(np.rint(wanted / step), highest) * step

    def squares(self, requested: FloatArray) -> FloatArray:
        """Return the V² (P,) for what was *requested* (P,), as if the converter had no steps."""
        return requested**2 if self.kind == "volts" else requested / self._per_v2

    def slopes_in_squares(self, requested: FloatArray) -> FloatArray:
        """Return ∂V²/∂(requested) (P,)."""
        return 2.0 * requested if self.kind == "volts" else np.full_like(requested, 1.0 / self._per_v2)

    def requested(self, volts: FloatArray) -> FloatArray:
        """Return what (P,) the *volts* (P,) stand for, never above the limit by rounding: it can be written back."""
        return np.minimum(volts if self.kind == "volts" else volts**2 * self._per_v2, self.upper)

    @property
    def upper(self) -> float:
        """Most that may be asked for."""
        return self._upper_v if self.kind == "volts" else self._upper_v**2 * self._per_v2

    @property
    def most_a(self) -> float:
        """Most current that a source gives: twice what the data sheet's heater draws at its limit."""
        return 2.0 * self._upper_v / self.heaters.resistance_ohm

    @property
    def resolution(self) -> float:
        """The largest step over the range: what goes with V² is steepest at the top."""
        if self.heaters.drive_bits == 0:
            return 0.0
        return self._step_v if self.kind == "volts" else 2.0 * self._upper_v * self._step_v * self._per_v2

    def group(self, name: str, count: int) -> ParameterGroup:
        """Describe *count* phase shifters as the data sheet knows them."""
        heaters, kind = self.heaters, self.kind
        period_w = 2.0 * heaters.pi_power_w
        start_w = min(0.25 * period_w, 0.5 * (heaters.upper_w - period_w))
        start = np.array(
            [start_w, start_w + period_w]
        )  # one period, a little off zero: a phase seldom gets to the edge
        return ParameterGroup(
            name=name,
            shape=(count,),
            unit={"phase": "rad", "power": "W", "volts": "V"}[kind],
            lower=0.0,
            upper=self.upper,
            period=2.0 * pi if kind == "phase" else None,
            resolution=self.resolution,
            power=PowerLaw(watts=1.0 / heaters.resistance_ohm, exponent=2.0)
            if kind == "volts"
            else PowerLaw(watts=heaters.pi_power_w / pi if kind == "phase" else 1.0),
            scale="square" if kind == "volts" else "linear",
            typical_change={
                "phase": 1.0,
                "power": heaters.pi_power_w / pi,
                "volts": heaters.pi_power_w * heaters.resistance_ohm / pi,
            }[kind],
            start=self._asked_for(start),
        )

    def _asked_for(self, powers_w: FloatArray) -> tuple[float, float]:
        """Return what to ask for two powers, by the data sheet."""
        lowest, highest = self.requested(np.sqrt(powers_w * self.heaters.resistance_ohm)).tolist()
        return lowest, highest

    @property
    def _per_v2(self) -> float:
        """What is asked for per square volt: π/(R·Pπ) rad, or 1/R watts."""
        watts = 1.0 / self.heaters.resistance_ohm
        return watts * pi / self.heaters.pi_power_w if self.kind == "phase" else watts

    @property
    def _upper_v(self) -> float:
        return (self.heaters.upper_w * self.heaters.resistance_ohm) ** 0.5

    @property
    def _step_v(self) -> float:
        return self.heaters.drive_full_scale_v / (2**self.heaters.drive_bits - 1)
