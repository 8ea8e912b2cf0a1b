"""The photonic twin: interferometer meshes with heaters behind the device port."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.random import SFC64, Generator, SeedSequence
from numpy.typing import NDArray

from drivers.twin.latency import Latency
from drivers.twin.photonic.activation import electro_optic
from drivers.twin.photonic.chip import Chip
from drivers.twin.photonic.config import PhotonicConfig
from drivers.twin.photonic.describing import describe
from drivers.twin.photonic.detection import Detectors
from drivers.twin.photonic.faults import dead_detectors, laser_power
from drivers.twin.photonic.layout import crosstalk
from drivers.twin.photonic.mesh import MeshGeometry
from drivers.twin.photonic.modulation import modulated
from drivers.twin.photonic.truth import ChipTruth
from drivers.twin.time import DeviceTime, clock_for
from ffzero_lab.device import Clock, Device, IdealModel, Patterns, RowIndex, StagingLost

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


class PhotonicTwin(Device):
    """One rectangular mesh per layer, driven in phases, powers or volts and read as intensities.

    ``reinjected``: each mesh has modulators of its own and takes real amplitudes. ``cascaded``: patterns enter the
    first mesh, the field passes the electro-optic activation into the next, and a tap reads |E|² behind each mesh.
    """

    Config: ClassVar[type[PhotonicConfig]] = PhotonicConfig

    def __init__(self, config: PhotonicConfig, clock: Clock) -> None:
        self.clock = clock
        self._config = config
        self._time = DeviceTime(clock)
        heaters = config.heaters
        from_others = crosstalk(MeshGeometry(config.ports), heaters.crosstalk, heaters.crosstalk_decay_pitches)
        self._chips = [Chip(config, layer, from_others) for layer in range(config.layers)]
        self._detectors = [
            Detectors(config.detectors, config.full_scale, chip.truth.responsivity, chip.truth.dark_offset, config.seed)
            for chip in self._chips
        ]
        self._staged: dict[int, FloatArray | ComplexArray] = {}
        self._readings = 0
        self._meterings = 0
        self._identity = config.model_dump_json(exclude={"kernel", "timing", "realtime"})
        """Everything that decides which chips these are; kept, because a snapshot is taken at every step."""
        self._latency = Latency(clock, config.seed, exchange_s=config.timing.exchange_s, jitter=config.timing.jitter)
        self.description = describe(config, self._chips[0].kernel)

    @staticmethod
    def bench_name(config: PhotonicConfig) -> None:
        """Tell that a twin is nobody else's: everyone has their own."""
        del config

    @classmethod
    def open(cls, config: PhotonicConfig, clock: Clock | None = None) -> "PhotonicTwin":
        """Make the chips of *config*, all heaters off; without a clock, time is virtual unless ``realtime`` is set."""
        return cls(config, clock_for(clock, realtime=config.realtime))

    def load_inputs(self, layer: int, patterns: Patterns) -> None:
        """Stage amplitudes (S, N) in 0–1, or in-phase and quadrature parts (S, 2N) in ±1."""
        self._staged[layer] = modulated(patterns, self._chips[layer].truth.modulator_gain, self._config.modulators)

    def write_parameters(self, layer: int, values: FloatArray) -> None:
        """Set all parameters (P,) of one mesh; takes τp."""
        self._chips[layer].write(values, self._time.now_s())
        self._latency.spend(self._config.timing.write_s)

    def read_outputs(self, layer: int, rows: RowIndex) -> FloatArray:
        """Read the intensities (len(rows), N) at the tap of one mesh; takes τx per row."""
        now_s = self._time.now_s()
        light = laser_power(self._config.faults, now_s)
        if self._config.topology == "reinjected":
            outputs = self._chips[layer].intensities(self._patterns(layer)[rows], now_s)
            outputs *= light
        else:
            outputs = self._cascaded(layer, self._patterns(0)[rows] * light**0.5, now_s)
        self._readings += 1
        self._latency.spend(len(rows) * self._config.timing.shot_s)
        dead = dead_detectors(self._config.faults, layer, now_s)
        return self._detectors[layer].read(outputs, self._readings, dead)

    def read_parameters(self, layer: int) -> FloatArray:
        """Return what (P,) the drive's registers hold, in the unit that is written."""
        return self._chips[layer].setpoints

    def read_actuators(self, layer: int) -> tuple[FloatArray, FloatArray]:
        """Return measured volts (P,) and amperes (P,) of one mesh's heaters."""
        volts, amperes = self._chips[layer].drawn(self._time.now_s())
        self._meterings += 1
        key = SeedSequence(self._config.seed, spawn_key=(5, layer, self._meterings))
        off = 1.0 + self._config.heaters.metering_noise * Generator(SFC64(key)).standard_normal((2, len(volts)))
        return volts * off[0], amperes * off[1]

    def read_health(self) -> Mapping[str, float]:
        """Return the heat on each chip in watts and the laser's power relative to the nominal one."""
        now_s = self._time.now_s()
        heat = {f"heat_{i}": chip.heat_w(now_s) for i, chip in enumerate(self._chips)}
        return {**heat, "laser": laser_power(self._config.faults, now_s)}

    def park(self) -> None:
        """Switch all heaters off."""
        now_s = self._time.now_s()
        for chip in self._chips:
            chip.write(np.zeros_like(chip.setpoints), now_s)

    def close(self) -> None:
        """Park and drop the staged patterns."""
        self.park()
        self._staged.clear()

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return what decides future outputs but for the patterns: drive, heat, drift, index of the noise, time."""
        chips = [chip.state() for chip in self._chips]
        return {
            "identity": np.array(self._identity),
            **{name: np.stack([state[name] for state in chips]) for name in chips[0]},
            "readings": np.array(self._readings),
            "meterings": np.array(self._meterings),
            "exchanges": np.array(self._latency.exchanges),
            "time_s": np.array(self._time.now_s()),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Put a snapshot back; patterns must be staged anew. Raises ValueError when it is of other chips."""
        mine = self._identity
        if str(state["identity"]) != mine:
            raise ValueError(f"this is a snapshot of {state['identity']}, not of {mine}")
        for layer, chip in enumerate(self._chips):
            chip.restore({name: state[name][layer] for name in chip.state()})
        self._readings = int(state["readings"])
        self._meterings = int(state["meterings"])
        self._latency.exchanges = int(state["exchanges"])
        self._time.restore(float(state["time_s"]))

    def exact_slopes(
        self, layer: int, values: FloatArray, rows: RowIndex, slope_of: Callable[[FloatArray], FloatArray]
    ) -> FloatArray:
        """Return ∂L/∂(parameters) (P,) of one mesh as it is; see :class:`ffzero_lab.device.Adjoint`."""
        now_s = self._time.now_s()
        detectors, dead = self._detectors[layer], dead_detectors(self._config.faults, layer, now_s)

        def slope_in_intensities(intensities: FloatArray) -> FloatArray:
            return detectors.slopes_in_intensities(slope_of(detectors.expected(intensities, dead)), dead)

        first = layer if self._config.topology == "reinjected" else 0
        light = laser_power(self._config.faults, now_s)
        chips = self._chips[first : layer + 1]
        before = [chip.state() for chip in chips]
        try:
            fields = self._through(chips[:-1], self._patterns(first)[rows] * light**0.5, now_s)
            return chips[-1].slopes(values, fields, slope_in_intensities, now_s)
        finally:
            for chip, state in zip(chips, before, strict=True):  # a look at the drift moves it on
                chip.restore(state)

    def ideal_model(self, layer: int) -> IdealModel:
        """Return perfect meshes for JAX, of which *layer* is the last; see :class:`ffzero_lab.device.Modelled`."""
        from drivers.twin.photonic.ideal import ideal_model

        return ideal_model(self._config, 1 if self._config.topology == "reinjected" else layer + 1)

    def reveal(self, layer: int) -> ChipTruth:
        """Return the hidden truth of one mesh, for `drivers.twin.truth` alone."""
        return self._chips[layer].truth

    def reveal_phases(self, layer: int, values: FloatArray) -> FloatArray:
        """Return the phases (P,), rad, that *values* (P,) would settle at now, for `drivers.twin.truth` alone."""
        chip = self._chips[layer]
        before = chip.state()
        try:
            return chip.phases_at(values, self._time.now_s())
        finally:
            chip.restore(before)  # a look at the drift moves it on

    def _patterns(self, layer: int) -> FloatArray | ComplexArray:
        if layer not in self._staged:
            raise StagingLost(f"{self.description.name}, layer {layer}: no patterns are staged")
        return self._staged[layer]

    def _cascaded(self, layer: int, fields: FloatArray | ComplexArray, now_s: float) -> FloatArray:
        """Return the intensities (B, N) at the tap of mesh *layer* for the fields (B, N) in front of the first."""
        return self._chips[layer].intensities(self._through(self._chips[:layer], fields, now_s), now_s)

    def _through(
        self, chips: Sequence[Chip], fields: FloatArray | ComplexArray, now_s: float
    ) -> FloatArray | ComplexArray:
        """Return the fields (B, N) behind *chips* and the activations that follow each."""
        for chip in chips:
            fields = electro_optic(chip.fields(fields, now_s), self._config.activation)
        return fields
