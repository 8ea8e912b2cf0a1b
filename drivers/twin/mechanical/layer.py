"""One layer of the mechanical twin: springs, membranes and faults, from forces to what the gauges meet."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

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
            return self._nonlinear(stiffness, forces)
        response = self._response(stiffness)
        return forces @ response[:-1] + response[-1]

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
        for sign, (couplings, grounds) in zip(SIGNS, by_membrane(self._lattice, stiffness), strict=False):
            factor = Factor(stiffness_band(self._lattice, couplings, grounds))
            if by_loads:
                response += sign * self._gauged(factor.solve(self._unit_loads).T)
            else:
                moved = factor.solve(self._gauges)
                response[:-1] += sign * moved[self._load_nodes]
                response[-1] += sign * (self._bias @ moved)
        response *= MM_PER_M
        self._known = stiffness, response
        return response

    def _nonlinear(self, stiffness: FloatArray, forces: FloatArray) -> FloatArray:
        on_nodes = np.tile(self._bias, (len(forces), 1))
        on_nodes[:, self._load_nodes] += forces
        displacements = np.zeros_like(on_nodes)
        for sign, (couplings, grounds) in zip(SIGNS, by_membrane(self._lattice, stiffness), strict=False):
            band = stiffness_band(self._lattice, couplings, grounds)
            displacements += sign * equilibrium(band, self._config.springs.cubic_n_per_m3, on_nodes)
        return MM_PER_M * self._gauged(displacements)

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
