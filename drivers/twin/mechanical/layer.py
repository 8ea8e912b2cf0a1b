"""One layer of the mechanical twin: springs, membranes and faults, from forces to what the gauges meet."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from drivers.twin.mechanical.adjoint import spring_slopes
from drivers.twin.mechanical.config import MechanicalConfig
from drivers.twin.mechanical.duffing import equilibrium
from drivers.twin.mechanical.faults import BrokenSpring, DeadGauge, DeadLoad, DeadServo, loads_supply
from drivers.twin.mechanical.lattice import by_membrane
from drivers.twin.mechanical.springs import ServoSprings
from drivers.twin.mechanical.statics import Factor, stiffness_band
from drivers.twin.mechanical.truth import fabricate

FloatArray = NDArray[np.float64]
OfLayer = TypeVar("OfLayer", bound=DeadServo | BrokenSpring | DeadGauge | DeadLoad)
MM_PER_M = 1e3
SIGNS = (1.0, -1.0)
"""The second membrane is read against the first."""


class LatticeLayer:
    """Membranes under common loads; stiffness is set, displacements are asked for."""

    def __init__(self, config: MechanicalConfig, layer: int) -> None:
        self.truth = fabricate(config, layer)
        self._config, self._layer = config, layer
        self._lattice = config.lattice
        self._springs = ServoSprings(config.springs, self.truth.spring_factor)
        nodes = config.load_nodes(layer)
        self._load_nodes = nodes
        self._bias = np.zeros(self._lattice.n_nodes)
        self._bias[self._lattice.inner] = config.loads.bias_n
        self._unit_loads = np.zeros((self._lattice.n_nodes, len(nodes) + 1))
        """(n, n_in + 1) one newton on the node of each input, then the bias."""
        self._unit_loads[nodes, np.arange(len(nodes))] = 1.0
        self._unit_loads[:, -1] = self._bias
        self._gauges = self._gauged(np.eye(self._lattice.n_nodes))
        """(n, n_out) what a gauge reads of each node's displacement."""
        self._known: tuple[FloatArray, FloatArray] | None = None

    @property
    def setpoints(self) -> FloatArray:
        """Nominal stiffness (P,) in N/m at the servos' positions."""
        return self._springs.setpoints

    def write(self, stiffness: FloatArray, now_s: float) -> None:
        """Drive all servos to a nominal *stiffness* (P,) in N/m."""
        self._springs.write(stiffness, now_s, self._springs_with(DeadServo, now_s))

    def home(self, now_s: float) -> None:
        """Drive all servos to the soft end."""
        self._springs.home(now_s, self._springs_with(DeadServo, now_s))

    def displacements_mm(self, patterns: FloatArray, now_s: float) -> FloatArray:
        """Return what the gauges meet (B, n_out) in mm under *patterns* of forces (B, n_in) in N.

        Raises NotInEquilibrium when the nonlinear equilibrium is not found.
        """
        forces = patterns * self._load_gain(now_s)
        stiffness = self._springs.stiffness(now_s)
        broken = self._springs_with(BrokenSpring, now_s)
        if len(broken):
            stiffness = stiffness.copy()
            stiffness[broken] = 0.0
        if self._config.springs.cubic_n_per_m3 > 0.0:
            return self._read(self._displacements(self._bands(stiffness), forces))
        response = self._response(stiffness)
        return forces @ response[:-1] + response[-1]

    def slopes(
        self,
        settings: FloatArray,
        patterns: FloatArray,
        slope_of: Callable[[FloatArray], FloatArray],
        now_s: float,
    ) -> FloatArray:
        """Return the exact slopes (P,) per N/m in *settings* (P,), in N/m, of a loss of what the gauges meet.

        *slope_of* maps that (B, n_out), in mm, under *patterns* of forces (B, n_in) to the loss's slopes in it. Nothing
        is set. Raises NotInEquilibrium when the nonlinear equilibrium is not found.
        """
        stiffness, in_settings = self._springs.reached(settings, now_s, self._springs_with(DeadServo, now_s))
        broken = self._springs_with(BrokenSpring, now_s)
        stiffness[broken] = in_settings[broken] = 0.0
        bands = self._bands(stiffness)
        moved = self._displacements(bands, patterns * self._load_gain(now_s))
        slopes = MM_PER_M * slope_of(self._read(moved)) @ self._gauges.T
        cubic = self._config.springs.cubic_n_per_m3
        of_membranes = [
            spring_slopes(self._lattice, band, cubic, u, sign * slopes)
            for sign, band, u in zip(SIGNS, bands, moved, strict=False)
        ]
        return in_settings * np.concatenate([each for kind in zip(*of_membranes, strict=True) for each in kind])

    def dead_gauges(self, now_s: float) -> list[int]:
        """Return the outputs that show nothing but their zero."""
        return [fault.output for fault in self._holding(DeadGauge, now_s)]

    def state(self) -> dict[str, FloatArray]:
        """Return what decides the displacements from now on."""
        return self._springs.state()

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Put back what :meth:`state` returned."""
        self._springs.restore(state)

    def _response(self, stiffness: FloatArray) -> FloatArray:
        """Return the linear response (n_in + 1, n_out) in mm: one newton on each input, then the bias.

        K is symmetric, so that either its inverse acts on the loads, or on the gauges: whichever are fewer.
        """
        if self._known is not None and np.array_equal(self._known[0], stiffness):
            return self._known[1]
        response = np.zeros((self._unit_loads.shape[1], self._gauges.shape[1]))
        by_loads = response.shape[0] < response.shape[1]
        for sign, band in zip(SIGNS, self._bands(stiffness), strict=False):
            factor = Factor(band)
            if by_loads:
                response += sign * self._gauged(factor.solve(self._unit_loads).T)
            else:
                moved = factor.solve(self._gauges)
                response[:-1] += sign * moved[self._load_nodes]
                response[-1] += sign * (self._bias @ moved)
        response *= MM_PER_M
        self._known = stiffness, response
        return response

    def _bands(self, stiffness: FloatArray) -> list[FloatArray]:
        """Return the stiffness matrix of each membrane in its band."""
        return [
            stiffness_band(self._lattice, couplings, grounds)
            for couplings, grounds in by_membrane(self._lattice, stiffness)
        ]

    def _displacements(self, bands: list[FloatArray], forces: FloatArray) -> list[FloatArray]:
        """Return the displacements (B, n) in m of each membrane in equilibrium under forces (B, n_in) in N."""
        on_nodes = np.tile(self._bias, (len(forces), 1))
        on_nodes[:, self._load_nodes] += forces
        cubic = self._config.springs.cubic_n_per_m3
        if cubic == 0.0:
            return [Factor(band).solve(on_nodes.T).T for band in bands]
        return [equilibrium(band, cubic, on_nodes) for band in bands]

    def _read(self, displacements: list[FloatArray]) -> FloatArray:
        """Return what the gauges meet (B, n_out) in mm of the membranes' displacements (B, n) in m."""
        apart = np.zeros_like(displacements[0])
        for sign, of_membrane in zip(SIGNS, displacements, strict=False):
            apart += sign * of_membrane
        return MM_PER_M * self._gauged(apart)

    def _gauged(self, displacements: FloatArray) -> FloatArray:
        """Return what the gauges read (…, n_out) of displacements (…, n)."""
        if self._config.readout == "nodes":
            return displacements
        first, second = self._lattice.pairs.T
        return displacements[..., first] - displacements[..., second]

    def _load_gain(self, now_s: float) -> FloatArray:
        gain = self.truth.load_gain * loads_supply(self._config.faults, now_s)
        gain[[fault.input for fault in self._holding(DeadLoad, now_s)]] = 0.0
        return gain

    def _springs_with(self, kind: type[DeadServo] | type[BrokenSpring], now_s: float) -> NDArray[np.intp]:
        return np.array([self._config.spring_of(fault) for fault in self._holding(kind, now_s)], dtype=np.intp)

    def _holding(self, kind: type[OfLayer], now_s: float) -> list[OfLayer]:
        return [
            fault
            for fault in self._config.faults
            if isinstance(fault, kind) and fault.layer == self._layer and fault.from_s <= now_s
        ]
