"""What a fit of a lattice says in the terms of a record: quantities with uncertainties, faults, what the servos do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.mechanical.lattice_fit import Fit
from ffzero_lab.device import LayerDescription
from ffzero_lab.device.record import Finding, Quantity, Transfer

FloatArray = NDArray[np.float64]
BAD = 2.0
"""Reduced χ² above which a person is told."""
UNCERTAIN = 0.05
"""Relative standard uncertainty of a gain that a person should know of."""
BAND = 0.6
"""A gain that is off the median by more than this share is out of family: four times the spread of a poor lattice."""
SIGMAS = 5.0
LOOSE = 5.0
"""A loop so many times as wide as the median one is told."""
NOTHING = 0.05
"""Share of the softest setting under which a spring that does not move is no spring."""
CREEPS = 0.005


@dataclass(frozen=True)
class Solved:
    """A fit of one layer, with what belongs to it.

    Attributes
    ----------
    described
        The layer.
    fit
        The best constants.
    middle
        (P,) setpoints at which the width of a loop is stated.
    unseen
        Parameters that change nothing at the outputs.
    """

    described: LayerDescription
    fit: Fit
    middle: FloatArray
    unseen: tuple[int, ...]

    @property
    def scale(self) -> float:
        """The factor of all stiffnesses that makes the gains' arithmetic mean 1; in the fit, their logarithms' is 0."""
        return 1.0 / (self._mean("outputs") * self._mean("loads"))

    def stiffness_at(self, setpoints: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the stiffness (P,) at *setpoints* (P,), long after they were approached, and its uncertainty."""
        found, places = self.fit.constants, self.fit.constants.places()
        parameters = np.arange(len(setpoints))
        gains, zeros = parameters + places["gain"].start, parameters + places["zero"].start
        covariance = self.fit.covariance
        variance = (
            covariance[zeros, zeros]
            + 2.0 * setpoints * covariance[gains, zeros]
            + setpoints**2 * covariance[gains, gains]
        )
        spread = np.sqrt(np.maximum(variance, 0.0) * max(1.0, self.fit.chi2))
        return self.scale * (found.zero + found.gain * setpoints), self.scale * spread

    def dead(self) -> dict[int, str]:
        """Return the parameters that do not move, with what is wrong."""
        told: dict[int, str] = {}
        still, spread = self.stiffness_at(np.zeros_like(self.middle))
        lower = self.described.per_parameter("lower")
        for parameter in self.unseen:
            if spread[parameter] > 0.2 * lower[parameter]:
                told[parameter] = "unseen"
            elif still[parameter] < NOTHING * lower[parameter] + SIGMAS * spread[parameter]:
                told[parameter] = "broken"
            else:
                told[parameter] = "stuck"
        return told

    def quantities(self) -> dict[str, Quantity]:
        """Return everything that was fitted."""
        found, described, unit = self.fit.constants, self.described, self.described.groups[0].unit
        moving = np.where(found.gain != 0.0, 1.0, np.nan)
        ends = [self.stiffness_at(described.per_parameter(end)) for end in ("lower", "upper")]
        share, log_s, bend = found.creep.tolist()
        share_spread, log_spread, bend_spread = self.fit.spread("creep").tolist()
        return {
            "gain": Quantity.of(
                "1",
                "parameter",
                self.scale * found.gain * moving,
                self.scale * self.fit.spread("gain"),
                "stiffness per setpoint, in the units of the mean load and gauge",
            ),
            "zero": Quantity.of(
                unit, "parameter", self.scale * found.zero, self.scale * self.fit.spread("zero"), "stiffness at 0"
            ),
            "stiffness_lower": Quantity.of(unit, "parameter", *ends[0], "at the soft end of the setpoints"),
            "stiffness_upper": Quantity.of(unit, "parameter", *ends[1], "at the stiff end of the setpoints"),
            "backlash": Quantity.of(
                unit,
                "parameter",
                found.play * moving,
                self.fit.spread("play"),
                f"from above less from below, in setpoints, at {float(np.median(self.middle)):.4g} {unit}",
            ),
            "backlash_exponent": Quantity.of(
                "1", "layer", bend, bend_spread, "power of the setpoint by which it grows"
            ),
            "creep": Quantity.of("1", "layer", share, share_spread, "share of a change that arrives late"),
            "creep_time": Quantity.of("s", "layer", np.exp(log_s), np.exp(log_s) * log_spread, "time constant of it"),
            "output_gain": self._gain("outputs", "output", "reading per displacement relative to the mean"),
            "load_gain": self._gain("loads", "input", "force per input relative to the mean"),
            "residual": Quantity.of("1", "layer", self.fit.chi2, np.nan, "reduced χ² of the fit"),
        }

    def transfer(self) -> Transfer:
        """Return what the servos do: stiffness = zero + gain·setpoint."""
        found = self.fit.constants
        alive = np.flatnonzero(found.gain)
        return Transfer(
            unit=self.described.groups[0].unit,
            law="linear",
            offset=tuple((self.scale * found.zero).tolist()),
            rows=tuple(alive.tolist()),
            columns=tuple(alive.tolist()),
            gains=tuple((self.scale * found.gain[alive]).tolist()),
        )

    def findings(self, layer: int) -> tuple[Finding, ...]:
        """Return what a person should know."""
        found, where = self.fit.constants, f"layer {layer}"
        told = [
            Finding(severity="fault", where=self._named(layer, parameter), what=self._of_dead(parameter, why))
            for parameter, why in self.dead().items()
        ]
        if self.fit.chi2 > BAD:
            what = f"linear springs put together as drawn do not describe the readings: reduced χ² {self.fit.chi2:.3g}"
            told.append(Finding(severity="warning", where=where, what=what))
        told += [
            Finding(severity="fault", where=f"{where}, input {load}", what="pulls at nothing: no output answers")
            for load in np.flatnonzero(np.isneginf(found.loads))
        ]
        alive = np.flatnonzero(found.gain)
        gain, spread = self.scale * found.gain[alive], self.scale * self.fit.spread("gain")[alive]
        typical, loop = float(np.median(gain)), np.abs(found.play[alive]) / self.middle[alive]
        loop_spread = self.fit.spread("play")[alive] / self.middle[alive]
        for parameter, value, error in zip(alive.tolist(), gain.tolist(), spread.tolist(), strict=True):
            if error > UNCERTAIN * abs(value):
                what = f"its gain is known to {error / max(abs(value), 1e-9):.0%} only"
                told.append(Finding(severity="warning", where=self._named(layer, parameter), what=what))
            elif abs(value / typical - 1.0) > BAND:
                what = f"its gain is {value:.3g}, while the layer's median is {typical:.3g}"
                told.append(Finding(severity="warning", where=self._named(layer, parameter), what=what))
        loose = loop > np.maximum(LOOSE * float(np.median(loop)), SIGMAS * loop_spread)
        told += [
            Finding(
                severity="warning",
                where=self._named(layer, int(alive[place])),
                what=f"has a backlash of {loop[place]:.2%}, {loop[place] / np.median(loop):.0f} times the median one",
            )
            for place in np.flatnonzero(loose)
        ]
        share, log_s, _ = found.creep.tolist()
        if share > max(CREEPS, SIGMAS * float(self.fit.spread("creep")[0])):
            what = (
                f"{share:.1%} of every change of stiffness arrives late, with a time constant of {np.exp(log_s):.3g} s"
            )
            told.append(Finding(severity="note", where=where, what=what))
        return tuple(told)

    def _of_dead(self, parameter: int, why: str) -> str:
        still, spread = (values[parameter] for values in self.stiffness_at(np.zeros_like(self.middle)))
        unit = self.described.unit_of(parameter)
        return {
            "unseen": "changes nothing at the outputs from one end of its range to the other",
            "broken": "has no stiffness, whatever is set",
            "stuck": f"stays at {still:.4g} ± {spread:.2g} {unit}, whatever is set",
        }[why]

    def _named(self, layer: int, parameter: int) -> str:
        return f"layer {layer}, {self.described.name_of(parameter)}"

    def _mean(self, name: str) -> float:
        gains = np.exp(getattr(self.fit.constants, name)[self.fit.spread(name) > 0.0])
        return float(gains.mean()) if len(gains) else 1.0

    def _gain(self, name: str, axis: str, about: str) -> Quantity:
        """Return gains with the mean 1 and their uncertainties; none for those that are dead."""
        spread = self.fit.spread(name)
        gain = np.where(spread > 0.0, np.exp(getattr(self.fit.constants, name)) / self._mean(name), np.nan)
        kind = "output" if axis == "output" else "input"
        return Quantity.of("1", kind, gain, gain * spread, about)
