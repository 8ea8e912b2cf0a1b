"""The mechanical twin: membrane lattices of servo-tuned springs behind the device port."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from drivers.twin.latency import Latency
from drivers.twin.mechanical.config import MechanicalConfig
from drivers.twin.mechanical.describing import describe
from drivers.twin.mechanical.duffing import NotInEquilibrium
from drivers.twin.mechanical.faults import loads_supply
from drivers.twin.mechanical.gauges import GaugeBank
from drivers.twin.mechanical.layer import LatticeLayer
from drivers.twin.mechanical.truth import LatticeTruth
from drivers.twin.time import DeviceTime, clock_for
from ffzero_lab.device import Clock, Device, DeviceError, IdealModel, Patterns, RowIndex, StagingLost

FloatArray = NDArray[np.float64]


class MechanicalTwin(Device):
    """One lattice per layer, one membrane or two, driven in stiffness (N/m) and forces (N), read in millimetres."""

    Config: ClassVar[type[MechanicalConfig]] = MechanicalConfig

    def __init__(self, config: MechanicalConfig, clock: Clock) -> None:
        self.clock = clock
        self._config = config
        self._time = DeviceTime(clock)
        self._layers = [LatticeLayer(config, layer) for layer in range(config.layers)]
        self._gauges = [
            GaugeBank(
                config.full_scale_mm,
                config.gauges.noise,
                config.gauges.adc_bits,
                layer.truth.gauge_gain,
                layer.truth.gauge_offset_mm,
                config.seed,
            )
            for layer in self._layers
        ]
        self._staged: dict[int, FloatArray] = {}
        self._readings = 0
        self._identity = config.model_dump_json(exclude={"timing", "realtime"})
        """Everything that decides which lattices these are; kept, because a snapshot is taken at every step."""
        self._latency = Latency(clock, config.seed, exchange_s=config.timing.exchange_s, jitter=config.timing.jitter)
        self.description = describe(config)

    @staticmethod
    def bench_name(config: MechanicalConfig) -> None:
        """Tell that a twin is nobody else's: everyone has their own."""
        del config

    @classmethod
    def open(cls, config: MechanicalConfig, clock: Clock | None = None) -> "MechanicalTwin":
        """Make the lattices of *config*, parked; without a clock, time is virtual unless ``realtime`` is set."""
        return cls(config, clock_for(clock, realtime=config.realtime))

    def load_inputs(self, layer: int, patterns: Patterns) -> None:
        """Stage forces (S, n_in) in N."""
        self._staged[layer] = np.array(patterns, dtype=np.float64)

    def write_parameters(self, layer: int, values: FloatArray) -> None:
        """Set the stiffness (P,) in N/m of all springs of one layer; takes τp."""
        self._layers[layer].write(values, self._time.now_s())
        self._latency.spend(self._config.timing.write_s)

    def read_outputs(self, layer: int, rows: RowIndex) -> FloatArray:
        """Read the displacements (len(rows), n_out) in mm of one layer; takes τx per row.

        What creeps stands as it is when the reading begins. Raises DeviceError when the equilibrium of a lattice with
        cubic springs is not found.
        """
        patterns, now_s = self._patterns(layer)[rows], self._time.now_s()
        own = self._layers[layer]
        with self._in_equilibrium(layer):
            displacements_mm = own.displacements_mm(patterns, now_s)
        self._readings += 1
        self._latency.spend(len(rows) * self._config.timing.shot_s)
        return self._gauges[layer].read(displacements_mm, self._readings, own.dead_gauges(now_s))

    def read_parameters(self, layer: int) -> FloatArray:
        """Return the nominal stiffness (P,) in N/m at the servos' own positions."""
        return self._layers[layer].setpoints

    def read_health(self) -> Mapping[str, float]:
        """Return the forces that the load cells give relative to what is asked for."""
        return {"loads": loads_supply(self._config.faults, self._time.now_s())}

    def park(self) -> None:
        """Drive all springs to their softest, against the stop."""
        for layer in self._layers:
            layer.home(self._time.now_s())

    def close(self) -> None:
        """Park and drop the staged patterns."""
        self.park()
        self._staged.clear()

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return what decides future outputs but for the patterns: servos, sliders, creep, index of the noise, time."""
        layers = [layer.state() for layer in self._layers]
        return {
            "identity": np.array(self._identity),
            **{name: np.stack([state[name] for state in layers]) for name in layers[0]},
            "readings": np.array(self._readings),
            "exchanges": np.array(self._latency.exchanges),
            "time_s": np.array(self._time.now_s()),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Put a snapshot back; patterns must be staged anew. Raises ValueError when it is of other lattices."""
        mine = self._identity
        if str(state["identity"]) != mine:
            raise ValueError(f"this is a snapshot of {state['identity']}, not of {mine}")
        for number, layer in enumerate(self._layers):
            layer.restore({name: state[name][number] for name in layer.state()})
        self._readings = int(state["readings"])
        self._latency.exchanges = int(state["exchanges"])
        self._time.restore(float(state["time_s"]))

    def exact_slopes(
        self, layer: int, values: FloatArray, rows: RowIndex, slope_of: Callable[[FloatArray], FloatArray]
    ) -> FloatArray:
        """Return ∂L/∂(parameters) (P,) per N/m of one layer as it is; see :class:`ffzero_lab.device.Adjoint`.

        Raises DeviceError when the equilibrium of a lattice with cubic springs is not found.
        """
        patterns, now_s = self._patterns(layer)[rows], self._time.now_s()
        own, gauges = self._layers[layer], self._gauges[layer]
        dead = own.dead_gauges(now_s)

        def slope_in_displacements(displacements_mm: FloatArray) -> FloatArray:
            return gauges.slopes_in_displacements(slope_of(gauges.expected(displacements_mm, dead)), dead)

        with self._in_equilibrium(layer):
            return own.slopes(values, patterns, slope_in_displacements, now_s)

    def ideal_model(self, layer: int) -> IdealModel:
        """Return perfect springs, loads and gauges for JAX; see :class:`ffzero_lab.device.Modelled`."""
        from drivers.twin.mechanical.ideal import ideal_model

        return ideal_model(self._config, layer)

    def reveal(self, layer: int) -> LatticeTruth:
        """Return the hidden truth of one layer, for `drivers.twin.truth` alone."""
        return self._layers[layer].truth

    def _patterns(self, layer: int) -> FloatArray:
        if layer not in self._staged:
            raise StagingLost(f"{self.description.name}, layer {layer}: no patterns are staged")
        return self._staged[layer]

    @contextmanager
    def _in_equilibrium(self, layer: int) -> Generator[None]:
        try:
            yield
        except NotInEquilibrium as error:
            raise DeviceError(f"{self.description.name}, layer {layer}: {error}") from error
