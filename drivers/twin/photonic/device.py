"""The photonic twin: interferometer meshes with heaters behind the device port."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from drivers.twin.latency import Latency
from drivers.twin.photonic.activation import electro_optic
from drivers.twin.photonic.chip import Chip, ChipTruth, DriveChain, fabricate
from drivers.twin.photonic.config import PhotonicConfig
from drivers.twin.photonic.detection import Detectors
from drivers.twin.photonic.mesh import MeshGeometry
from ffzero_lab.device import (
    Clock,
    Device,
    DeviceDescription,
    HealthChannel,
    LayerDescription,
    ParameterGroup,
    Patterns,
    PowerLaw,
    Reach,
    RowIndex,
    StagingLost,
    VirtualClock,
)

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


class PhotonicTwin(Device):
    """One rectangular mesh per layer, driven in phases (rad above the hidden static offsets), read as intensities.

    ``reinjected``: each mesh has modulators of its own and takes real amplitudes. ``cascaded``: patterns enter the
    first mesh, the field passes the electro-optic activation into the next, and a tap reads |E|² behind each mesh.
    """

    Config: ClassVar[type[PhotonicConfig]] = PhotonicConfig

    def __init__(self, config: PhotonicConfig, clock: Clock) -> None:
        self.clock = clock
        self._config = config
        geometry = MeshGeometry(config.ports)
        imperfections = config.imperfections
        drive = DriveChain(config.heaters, imperfections.drive_bits)
        self._detectors = Detectors(
            config.full_scale, imperfections.detector_noise, imperfections.adc_bits, config.seed
        )
        self._chips = [
            Chip(geometry, fabricate(geometry, imperfections, config.seed, layer), drive, config.kernel)
            for layer in range(config.layers)
        ]
        self._staged: dict[int, FloatArray] = {}
        self._entering: dict[int, ComplexArray] = {}
        self._readings = 0
        self._identity = config.model_dump_json(exclude={"kernel", "timing"})
        """Everything that decides which chips these are; kept, because a snapshot is taken at every step."""
        self._latency = Latency(
            clock, config.seed, exchange_s=imperfections.exchange_s, jitter=imperfections.latency_jitter
        )
        self.description = _describe(config, geometry, drive, self._detectors, self._chips[0].kernel)

    @staticmethod
    def bench_name(config: PhotonicConfig) -> None:
        """Tell that a twin is nobody else's: everyone has their own."""
        del config

    @classmethod
    def open(cls, config: PhotonicConfig, clock: Clock | None = None) -> "PhotonicTwin":
        """Make the chips of *config*, all heaters off; the clock is virtual unless one is given."""
        return cls(config, VirtualClock() if clock is None else clock)

    def load_inputs(self, layer: int, patterns: Patterns) -> None:
        """Stage amplitudes (S, N) in 0–1."""
        self._staged[layer] = np.asarray(patterns, dtype=np.float64)
        self._entering.clear()

    def write_parameters(self, layer: int, values: FloatArray) -> None:
        """Set all phases (P,) of one mesh; takes τp."""
        self._chips[layer].set_phases(values)
        for later in [known for known in self._entering if known > layer]:
            del self._entering[later]
        self._latency.spend(self._config.timing.write_s)

    def read_outputs(self, layer: int, rows: RowIndex) -> FloatArray:
        """Read the intensities (len(rows), N) at the tap of one mesh; takes τx per row."""
        if self._config.topology == "reinjected":
            outputs = self._chips[layer].intensities(self._patterns(layer)[rows])
        else:
            field = self._chips[layer].fields(self._fields_into(layer)[rows])
            outputs = field.real**2 + field.imag**2
        self._readings += 1
        self._latency.spend(len(rows) * self._config.timing.shot_s)
        return self._detectors.read(outputs, self._readings)

    def read_parameters(self, layer: int) -> FloatArray:
        """Return the phases (P,) that the converter codes give."""
        return self._chips[layer].setpoints.copy()

    def read_health(self) -> Mapping[str, float]:
        """Return the heat on each chip in watts."""
        watts_per_rad = self._config.heaters.pi_power_w / np.pi
        return {f"heat_{i}": float(chip.setpoints.sum()) * watts_per_rad for i, chip in enumerate(self._chips)}

    def park(self) -> None:
        """Switch all heaters off."""
        for chip in self._chips:
            chip.set_phases(np.zeros_like(chip.setpoints))
        self._entering.clear()

    def close(self) -> None:
        """Park and drop the staged patterns."""
        self.park()
        self._staged.clear()

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return what decides future outputs but for the patterns: setpoints, index of the noise, virtual time."""
        return {
            "identity": np.array(self._identity),
            "setpoints": np.stack([chip.setpoints for chip in self._chips]),
            "readings": np.array(self._readings),
            "exchanges": np.array(self._latency.exchanges),
            "clock_s": np.array(self.clock.now_s()),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Put a snapshot back; patterns must be staged anew. Raises ValueError when it is of other chips."""
        mine = self._identity
        if str(state["identity"]) != mine:
            raise ValueError(f"this is a snapshot of {state['identity']}, not of {mine}")
        for chip, setpoints in zip(self._chips, state["setpoints"], strict=True):
            chip.set_phases(setpoints)
        self._readings = int(state["readings"])
        self._latency.exchanges = int(state["exchanges"])
        self._entering.clear()
        if isinstance(self.clock, VirtualClock):
            self.clock.restore(float(state["clock_s"]))

    def reveal(self, layer: int) -> ChipTruth:
        """Return the hidden truth of one mesh, for `drivers.twin.truth` alone."""
        return self._chips[layer].truth

    def _patterns(self, layer: int) -> FloatArray:
        if layer not in self._staged:
            raise StagingLost(f"{self.description.name}, layer {layer}: no patterns are staged")
        return self._staged[layer]

    def _fields_into(self, layer: int) -> FloatArray | ComplexArray:
        """Return the fields (S, N) of all staged patterns in front of mesh *layer* of the cascade.

        They are kept until something before that mesh changes: while a layer is trained, the frozen ones before it
        need not be computed again.
        """
        if layer == 0:
            return self._patterns(0)
        if layer not in self._entering:
            behind = self._chips[layer - 1].fields(self._fields_into(layer - 1))
            self._entering[layer] = electro_optic(behind, self._config.activation)
        return self._entering[layer]


def _describe(
    config: PhotonicConfig, geometry: MeshGeometry, drive: DriveChain, detectors: Detectors, kernel: str
) -> DeviceDescription:
    heaters = config.heaters

    def phases(name: str, count: int) -> ParameterGroup:
        return ParameterGroup(
            name=name,
            shape=(count,),
            unit="rad",
            lower=0.0,
            upper=heaters.phase_upper_rad,
            period=2.0 * np.pi,
            resolution=drive.resolution_rad,
            power=PowerLaw(watts=heaters.pi_power_w / np.pi),
        )

    first, stop = geometry.light_cone()
    layer = LayerDescription(
        input_shape=(config.ports,),
        input_lower=0.0,
        input_upper=1.0,
        input_unit="amplitude",
        output_shape=(config.ports,),
        output_upper=float(config.ports) if detectors.adc_bits is None else detectors.full_scale,
        output_unit="intensity",
        one_sign=True,
        detection_floor=detectors.floor,
        groups=(
            phases("theta", geometry.n_mzi),
            phases("phi", geometry.n_mzi),
            phases("gamma", config.ports),
        ),
        power_budget_w=heaters.budget_w,
        reach=Reach(first, stop, config.ports),
    )
    return DeviceDescription(
        name="twin:photonic",
        serial_number=f"TWIN-{config.preset}-{config.seed}",
        kind="photonic",
        topology=config.topology,
        layers=(layer,) * config.layers,
        timing=config.timing,
        implementation=kernel,
        health=tuple(
            HealthChannel(name=f"heat_{i}", unit="W", lower=0.0, upper=heaters.budget_w) for i in range(config.layers)
        ),
    )
