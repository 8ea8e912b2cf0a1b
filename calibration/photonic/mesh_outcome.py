"""What a joint fit says in the terms of a record: quantities with uncertainties, and what the heaters do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.photonic.constants import SCALARS, Constants, crosstalk
from calibration.photonic.contexts import law_of, unit_of_s
from calibration.photonic.gauge import canonical, wrapped
from calibration.photonic.joint_fit import Fit
from calibration.photonic.mesh_model import FloatArray, Layout
from ffzero_lab.device import LayerDescription
from ffzero_lab.device.record import Quantity, Transfer

TAIL = 0.02
"""Where crosstalk has fallen to this share of the nearest neighbour's, nobody knows whether it goes on falling alike:
what arrives from farther bounds an error of the offsets, evenly distributed (GUM 4.3.7)."""
LISTED = 1e-5
"""Crosstalk under this share is left out of the transfer."""


@dataclass(frozen=True)
class Heat:
    """What the settings did to the chip: mean s (P,), heat per s (P,), and its relative uncertainty (P,)."""

    mean_s: FloatArray
    per_s: FloatArray
    spread: FloatArray


@dataclass(frozen=True)
class Solved:
    """A joint fit of one layer, with what belongs to it."""

    layout: Layout
    described: LayerDescription
    fit: Fit
    heat: Heat
    dead: NDArray[np.intp]
    """(D,) heaters that do not move."""
    seen: NDArray[np.intp]
    """(n_out,) outputs that see something."""
    drift_rad: float
    """Standard deviation by which a phase moved meanwhile; it is in the covariance of the fit."""

    @property
    def constants(self) -> Constants:
        """The best constants."""
        return self.fit.constants

    def spread_of(self, name: str) -> FloatArray:
        """Return the standard uncertainties of an attribute of the constants."""
        return np.sqrt(np.diag(self._covariance(name)))

    def offsets(self) -> FloatArray:
        """Return the phases (P,) at s = 0, rad, in the canonical gauge and within −π to π."""
        found, still = self.constants, self.dead[self.dead < self.layout.n_mzi]
        return wrapped(canonical(self.layout, found.offsets, found.first, found.second, still.tolist()))

    def offset_spread(self) -> FloatArray:
        """Return the standard uncertainties (P,), rad: fit, drift meanwhile, and how crosstalk is modelled."""
        m, found = self.layout.n_mzi, self.constants
        spread = np.hypot(self.spread_of("offsets"), self._arriving_unknown())
        spread[2 * m :] = 0.0  # γ is 0 by the choice of the gauge
        return np.where(np.isfinite(found.offsets), spread, np.nan)

    def quantities(self) -> dict[str, Quantity]:
        """Return everything that was fitted."""
        found, described = self.constants, self.described
        moving = np.ones(described.n_parameters)
        moving[self.dead] = np.nan
        told = np.ones(self.layout.n_mzi)
        told[self.dead[self.dead < self.layout.n_mzi]] = np.nan
        pi_setting = np.pi / found.rates * moving
        output_gain, output_spread = self._relative("outputs")
        input_gain, input_spread = self._relative("inputs")
        spreads = {name: float(self.spread_of(name)[0]) for name in SCALARS}
        return {
            "phase": Quantity.of(
                "rad", "parameter", self.offsets(), self.offset_spread(), "phase at s = 0 in the canonical gauge"
            ),
            "pi_setting": Quantity.of(
                unit_of_s(described),
                "parameter",
                pi_setting,
                pi_setting * self.spread_of("rates") / found.rates,
                "Δs that turns the phase by π",
            ),
            "splitter_first": Quantity.of(
                "rad", "mzi", found.first * told, self.spread_of("first"), "angle of the first splitter beyond 45°"
            ),
            "splitter_second": Quantity.of(
                "rad", "mzi", found.second * told, self.spread_of("second"), "angle of the second splitter beyond 45°"
            ),
            "input_gain": Quantity.of(
                "1", "input", input_gain, input_spread, "amplitude at full drive relative to the mean"
            ),
            "leak": Quantity.of(
                "1", "layer", found.leak, spreads["leak"], "amplitude at zero drive over that at full drive"
            ),
            "output_gain": Quantity.of(
                "1",
                "output",
                self._by_output(output_gain),
                self._by_output(output_spread),
                "reading per intensity relative to the mean of the live outputs",
            ),
            "dark": Quantity.of(
                described.output_unit,
                "output",
                self._by_output(found.darks),
                self._by_output(self.spread_of("darks")),
                "reading without light",
            ),
            "crosstalk": Quantity.of(
                "1", "layer", found.nearest, spreads["nearest"], "share of a heater's heat that acts one pitch away"
            ),
            "crosstalk_decay": Quantity.of(
                "1/pitch", "layer", found.decay, spreads["decay"], "share at d pitches: crosstalk·exp(−(d − 1)·decay)"
            ),
            "bypass": Quantity.of(
                "1",
                "layer",
                np.exp(found.bypass),
                np.exp(found.bypass) * spreads["bypass"],
                "amplitude that a waveguide beside the MZIs lets through, relative to an MZI",
            ),
            "residual": Quantity.of("1", "layer", self.fit.chi2, np.nan, "reduced χ² of the joint fit"),
            "drift": Quantity.of("rad", "layer", self.drift_rad, np.nan, "by which phases moved meanwhile"),
        }

    def transfer(self) -> Transfer:
        """Return what the heaters do; dead ones have no gain, but receive heat as the others do."""
        gains = self._gains()
        alone = np.where(crosstalk(self.layout, self.constants) > LISTED, gains, 0.0)
        np.fill_diagonal(alone, np.diag(gains))
        alone[:, self.dead] = 0.0
        rows, columns = np.nonzero(alone)
        return Transfer(
            unit="rad",
            law=law_of(self.described),
            period=2.0 * np.pi,
            offset=tuple(self.offsets().tolist()),
            rows=tuple(rows.tolist()),
            columns=tuple(columns.tolist()),
            gains=tuple(alone[rows, columns].tolist()),
        )

    def _gains(self) -> FloatArray:
        """Return the phase (P, P) of heater i per s of heater j."""
        shares = crosstalk(self.layout, self.constants) + np.eye(len(self.constants.rates))
        return self.constants.rates[:, np.newaxis] * shares * self.heat.per_s / self.heat.per_s[:, np.newaxis]

    def _arriving_unknown(self) -> FloatArray:
        """Return by how much (P,) the crosstalk of the mean setting may be wrong, rad: far heaters, unknown heats."""
        arriving = self._gains() * self.heat.mean_s
        np.fill_diagonal(arriving, 0.0)
        shares = crosstalk(self.layout, self.constants)
        tail = np.where(shares < TAIL * abs(self.constants.nearest), arriving, 0.0).sum(axis=1)
        by_heat = np.sqrt(((arriving * self.heat.spread) ** 2).sum(axis=1))
        own = self.heat.spread * arriving.sum(axis=1)
        return np.sqrt(tail**2 / 3.0 + by_heat**2 + own**2)

    def _relative(self, name: str) -> tuple[FloatArray, FloatArray]:
        """Return gains (n,) relative to their mean from their logarithms, with uncertainties."""
        gain = np.exp(getattr(self.constants, name))
        relative = gain / gain.mean()
        by_log = np.diag(relative) - np.outer(relative, relative) / len(relative)
        return relative, np.sqrt(np.diag(by_log @ self._covariance(name) @ by_log.T))

    def _covariance(self, name: str) -> FloatArray:
        place = self.constants.places()[name]
        return self.fit.covariance[place, place] * max(1.0, self.fit.chi2)

    def _by_output(self, values: FloatArray) -> FloatArray:
        spread_out = np.full(self.described.n_outputs, np.nan)
        spread_out[self.seen] = values
        return spread_out
