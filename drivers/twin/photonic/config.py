"""What a user can set of a photonic twin: size, preset, and every constant of its physics."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from drivers.twin.photonic.faults import DeadDetector, Fault, LaserOff, LaserStep, heater_of
from drivers.twin.photonic.mesh import MeshGeometry
from drivers.twin.photonic.presets import PRESETS
from drivers.twin.photonic.tables import (
    Activation,
    Drift,
    Heaters,
    Latencies,
    MeshErrors,
    Modulators,
    Photodetectors,
)
from drivers.twin.presets import over_preset
from drivers.twin.tables import Table
from ffzero_lab.device import Topology

FLOOR_SIGMAS = 4.0
"""A reading within this many standard deviations of zero cannot be told from noise (64 outputs read at once)."""
MOST_LOSS_DB = 40.0
"""Loss of a whole mesh behind which one part in ten thousand of the light is left."""
PresetName = Literal["ideal", "typical", "harsh"]
KernelName = Literal["auto", "numba", "numpy"]
DriveName = Literal["phase", "power", "volts"]


class PhotonicConfig(Table):
    """Configuration of ``twin:photonic``; what is left out takes the preset's value."""

    ports: Annotated[int, Field(ge=2, le=1024)] = 64
    """N, ports of each mesh."""
    layers: Annotated[int, Field(ge=1, le=64)] = 2
    """Meshes, one chip each."""
    preset: PresetName = "typical"
    """Set of constants that the tables below start from."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the hidden truth and of the noise: another seed is another chip."""
    topology: Topology = "reinjected"
    """Reinjected: each mesh takes amplitudes of its own; cascaded: the field goes on through the activation."""
    drive: DriveName = "phase"
    """What is written: phases by the data sheet's R and Pπ (rad), heater powers by its R (W), or volts."""
    realtime: bool = False
    """Really wait for every latency, instead of letting virtual time pass."""
    kernel: KernelName = "auto"
    """What computes the mesh; auto takes numba where it is installed."""
    activation: Activation = Activation()
    mesh: MeshErrors = MeshErrors()
    heaters: Heaters = Heaters()
    modulators: Modulators = Modulators()
    detectors: Photodetectors = Photodetectors()
    drift: Drift = Drift()
    timing: Latencies = Latencies()
    faults: tuple[Fault, ...] = ()
    """Faults, as an array of tables: kind open, short, stuck, dead-detector, laser-step or laser-off."""

    @model_validator(mode="before")
    @classmethod
    def _start_from_the_preset(cls, given: Any) -> Any:
        return over_preset(given, PRESETS, "typical")

    @model_validator(mode="after")
    def _light_comes_through(self) -> Self:
        if self.loss_db > MOST_LOSS_DB:
            raise ValueError(
                f"{self.ports} columns lose {self.loss_db:.1f} dB, more than the {MOST_LOSS_DB:.0f} dB that leave "
                "light to read; use fewer ports, or lower mesh.column_loss_db and mesh.coupler_loss_db"
            )
        light, converter = self.ports * self.transmission, self.detectors.adc_bits > 0
        most = min(light, self.full_scale) if converter else light
        if self.floor >= most:
            ends = f"all {self.ports} ports together give" if most == light else "the converter ends at"
            raise ValueError(
                f"detectors: full_scale {self.full_scale:.4g} with its noise and offset gives a detection floor of "
                f"{self.floor:.4g}, and {ends} {most:.4g}; lower full_scale, thermal_noise or dark_offset"
            )
        return self

    @model_validator(mode="after")
    def _faults_are_of_this_device(self) -> Self:
        geometry = MeshGeometry(self.ports)
        for fault in self.faults:
            if isinstance(fault, LaserStep | LaserOff):
                continue
            if fault.layer >= self.layers:
                raise ValueError(f"fault {fault.kind!r}: layer {fault.layer} is none of 0 to {self.layers - 1}")
            if not isinstance(fault, DeadDetector):
                heater_of(fault, geometry.n_mzi, self.ports)
            elif fault.output >= self.ports:
                raise ValueError(f"fault {fault.kind!r}: output {fault.output} is none of 0 to {self.ports - 1}")
        return self

    @property
    def loss_db(self) -> float:
        """Loss of a path that meets an MZI in every column."""
        return self.ports * (self.mesh.column_loss_db + 2.0 * self.mesh.coupler_loss_db)

    @property
    def transmission(self) -> float:
        """Share of the power that such a path lets through."""
        return 10.0 ** (-0.1 * self.loss_db)

    @property
    def full_scale(self) -> float:
        """Largest readable intensity; an operator sets the range by the light that is there."""
        given = self.detectors.full_scale
        return 4.0 * self.transmission if given is None else given

    @property
    def floor(self) -> float:
        """Magnitude under which a reading cannot be told from noise and offset."""
        noise, offset = self.detectors.thermal_noise, self.detectors.dark_offset
        return FLOOR_SIGMAS * self.full_scale * (noise**2 + offset**2) ** 0.5
