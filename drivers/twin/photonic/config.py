"""What a user can set of a photonic twin: size, preset, imperfections, activation, timing."""

from math import pi
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from drivers.twin.photonic.detection import FLOOR_SIGMAS
from ffzero_lab.device import Timing, Topology

SplitterError = Annotated[float, Field(ge=0.0, le=pi / 4.0)]
ShareOfFullScale = Annotated[float, Field(ge=0.0, le=0.2)]  # at 4 sigmas a fourth of full scale would be all noise
Bits = Annotated[int, Field(ge=1, le=24)]
Jitter = Annotated[float, Field(ge=0.0, le=0.5)]
Seconds = Annotated[float, Field(ge=0.0, le=60.0)]
PresetName = Literal["ideal", "typical"]
KernelName = Literal["auto", "numba", "numpy"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Activation(_Strict):
    """Electro-optic activation between the meshes of a cascade (Williamson et al. 2020, eq. 6)."""

    tap_fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """α, share of the power sent to the photodiode."""
    gain_rad: Annotated[float, Field(ge=0.0, le=1e3)] = 0.05 * pi
    """g, phase per unit of intensity."""
    bias_rad: Annotated[float, Field(ge=-1e3, le=1e3)] = pi
    """φb."""


class Imperfections(_Strict):
    """Constants in which a made chip and its bench differ from the ideal mesh."""

    splitter_error_rad: SplitterError
    """σβ: standard deviation of the splitters' angle around 45°."""
    random_offsets: bool
    """Static phase offsets φ₀, uniform in 0–2π (fabrication makes optical lengths differ by many wavelengths)."""
    drive_bits: Bits | None
    """Resolution of the voltage sources; None: continuous."""
    detector_noise: ShareOfFullScale
    """Standard deviation of a reading as a fraction of full scale."""
    adc_bits: Bits | None
    """Resolution of the readout over full scale; None: continuous."""
    exchange_s: Seconds
    """Constant time of every write and reading that the description's timing does not state."""
    latency_jitter: Jitter
    """Standard deviation of an exchange's duration, as a fraction of it."""


PRESETS: dict[PresetName, Imperfections] = {
    "ideal": Imperfections(
        splitter_error_rad=0.0,
        random_offsets=False,
        drive_bits=None,
        detector_noise=0.0,
        adc_bits=None,
        exchange_s=0.0,
        latency_jitter=0.0,
    ),
    "typical": Imperfections(
        splitter_error_rad=0.03,
        random_offsets=True,
        drive_bits=16,
        detector_noise=0.002,
        adc_bits=14,
        exchange_s=50e-6,
        latency_jitter=0.1,
    ),
}


class Heaters(_Strict):
    """The drive chain of one phase shifter: V² in a resistor heats the waveguide, φ = φ₀ + π·(V²/R)/Pπ."""

    pi_power_w: Annotated[float, Field(ge=1e-9, le=1e3)] = 2e-3
    """Pπ of undercut heaters; plain ones need about 25 mW, too much for thousands of them on one chip."""
    resistance_ohm: Annotated[float, Field(ge=1e-3, le=1e9)] = 600.0
    """R of every heater."""
    drive_full_scale_v: Annotated[float, Field(ge=1e-6, le=1e4)] = 3.0
    """Voltage of the highest code of the drive's converter."""
    phase_upper_rad: Annotated[float, Field(gt=0.0, le=1e4)] = 4.0 * pi
    """Largest phase that may be asked for: more than one period, 2π, and within the drive's full scale."""
    budget_w: Annotated[float, Field(gt=0.0, le=1e6)] = 20.0
    """Heat that one chip's cooling carries away."""

    @model_validator(mode="after")
    def _every_phase_has_room(self) -> Self:
        if self.phase_upper_rad <= 2.0 * pi:
            raise ValueError(
                f"phase_upper_rad is {self.phase_upper_rad:.4g} rad, but the range must exceed one period, "
                f"2π = {2.0 * pi:.4g} rad, by the room that perturbations take (12 epsilon)"
            )
        return self

    @model_validator(mode="after")
    def _drive_reaches_every_phase(self) -> Self:
        reachable = self.phase_per_v2_rad * self.drive_full_scale_v**2
        if self.phase_upper_rad > reachable:
            raise ValueError(
                f"phase_upper_rad is {self.phase_upper_rad:.4g} rad, but {self.drive_full_scale_v:.4g} V in "
                f"{self.resistance_ohm:.4g} ohm only reach {reachable:.4g} rad"
            )
        return self

    @property
    def phase_per_v2_rad(self) -> float:
        """Phase per square volt, π/(R·Pπ)."""
        return pi / (self.resistance_ohm * self.pi_power_w)


class Latencies(Timing):
    """Constant latencies of the bench that is imitated; one that is left out keeps its default."""

    model_config = ConfigDict(allow_inf_nan=False)

    write_s: Seconds = 1e-3
    """τp: one write of all parameters of a layer, settling included."""
    shot_s: Seconds = 10e-6
    """τx: one presented and read pattern."""
    imitates: str = "on-chip heaters on a parallel 16-bit drive, 100 kS/s modulators and ADC"
    """What bench these latencies belong to."""

    @model_validator(mode="before")
    @classmethod
    def _other_numbers_are_of_no_named_bench(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        table = cast("dict[str, Any]", given)
        return {"imitates": "latencies of one's own", **table} if {"write_s", "shot_s"} & table.keys() else table


class PhotonicConfig(_Strict):
    """Configuration of ``twin:photonic``; an imperfection left out takes the preset's value."""

    ports: Annotated[int, Field(ge=2, le=1024)] = 64
    """N, ports of each mesh."""
    layers: Annotated[int, Field(ge=1, le=64)] = 2
    """Meshes, one chip each."""
    preset: PresetName = "typical"
    """Set of imperfections."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the hidden truth and of the noise: another seed is another chip."""
    topology: Topology = "reinjected"
    """Reinjected: each mesh takes amplitudes of its own; cascaded: the field goes on through the activation."""
    activation: Activation = Activation()
    """Between the meshes of a cascade."""
    heaters: Heaters = Heaters()
    """Drive chain of every phase shifter."""
    kernel: KernelName = "auto"
    """What computes the mesh; auto takes numba where it is installed."""
    full_scale: Annotated[float, Field(ge=1e-6, le=1e6)] = 4.0
    """Largest readable intensity; 1 is one input port at full amplitude."""
    splitter_error_rad: SplitterError | None = None
    """Overrides the preset: standard deviation of the splitters' angle around 45°."""
    random_offsets: bool | None = None
    """Overrides the preset: whether static phase offsets are uniform in 0–2π."""
    drive_bits: Bits | None = None
    """Overrides the preset: resolution of the voltage sources."""
    detector_noise: ShareOfFullScale | None = None
    """Overrides the preset: standard deviation of a reading as a fraction of full scale."""
    adc_bits: Bits | None = None
    """Overrides the preset: resolution of the readout."""
    exchange_s: Seconds | None = None
    """Overrides the preset: constant time of every exchange that the description does not state."""
    latency_jitter: Jitter | None = None
    """Overrides the preset: standard deviation of an exchange's duration, as a fraction of it."""
    timing: Latencies = Latencies()

    @model_validator(mode="after")
    def _light_stands_out_of_the_noise(self) -> Self:
        imperfections = self.imperfections
        if imperfections.adc_bits is None:  # then all light is readable, up to that of all ports in one
            floor = FLOOR_SIGMAS * imperfections.detector_noise * self.full_scale
            if floor >= self.ports:
                raise ValueError(
                    f"full_scale {self.full_scale:.4g} and detector_noise {imperfections.detector_noise:.4g} give a "
                    f"detection floor of {floor:.4g}, but all {self.ports} ports together give {self.ports}; "
                    "lower one of them"
                )
        return self

    @property
    def imperfections(self) -> Imperfections:
        """The preset with the overrides of this configuration applied."""
        given = self.model_dump(include=set(Imperfections.model_fields), exclude_none=True)
        return PRESETS[self.preset].model_copy(update=given)
