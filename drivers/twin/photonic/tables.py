"""Tables of a photonic twin's configuration: what a made chip and its bench have that an ideal mesh has not."""

from math import pi
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivers.twin.tables import BenchLatencies, Bits, Seconds, Table
from ffzero_lab.device import Timing

Share = Annotated[float, Field(ge=0.0, le=0.3)]
Decibels = Annotated[float, Field(ge=0.0, le=40.0)]


class MeshErrors(Table):
    """The passive mesh."""

    splitter_error_rad: Annotated[float, Field(ge=0.0, le=pi / 4.0)] = 0.0
    """σβ, standard deviation of the splitters' angle around 45° (Bandyopadhyay et al. 2021, Optica 8, 1247)."""
    random_offsets: bool = False
    """Static phases φ₀ uniform in 0–2π: made optical lengths differ by many wavelengths."""
    phase_error_rad: Annotated[float, Field(ge=0.0, le=pi)] = 0.0
    """Standard deviation of Gaussian static phases, for studies of small errors (Zheng et al. 2023)."""
    column_loss_db: Decibels = 0.0
    """Loss of every waveguide over one column: some 2 dB/cm in silicon wires (Vlasov and McNab 2004)."""
    coupler_loss_db: Decibels = 0.0
    """Excess loss of each coupler; waveguides at the edge meet fewer of them (Clements et al. 2016)."""


class Heaters(Table):
    """The phase shifters and their drive: V² in a resistor heats a waveguide, φ = φ₀ + π·(V²/R)/Pπ."""

    pi_power_w: Annotated[float, Field(ge=1e-9, le=1e3)] = 2e-3
    """Pπ as the data sheet has it: undercut heaters; plain ones need 25 mW (Harris et al. 2014, Opt. Express 22,
    10487), too much for thousands of them on one chip."""
    pi_power_spread: Share = 0.0
    """Standard deviation of the heaters' own Pπ around the data sheet's, as a fraction."""
    resistance_ohm: Annotated[float, Field(ge=1e-3, le=1e9)] = 600.0
    """R as the data sheet has it."""
    resistance_spread: Share = 0.0
    """Standard deviation of the heaters' own R, as a fraction."""
    drive_full_scale_v: Annotated[float, Field(ge=1e-6, le=1e4)] = 3.0
    """Voltage of the highest code of the drive's converter; heaters are driven from 0 V up."""
    drive_bits: Bits = 0
    """Resolution of the voltage sources; 0: continuous."""
    power_limit_w: Annotated[float, Field(gt=0.0, le=1e6)] | None = None
    """Most power of one heater; None: 4 Pπ, which is two periods."""
    budget_w: Annotated[float, Field(gt=0.0, le=1e6)] = 20.0
    """Heat that one chip's cooling carries away."""
    crosstalk: Share = 0.0
    """Share of a heater's power that acts on its nearest neighbour (Milanizadeh et al. 2019, J. Lightwave Technol. 37,
    1325); falls exponentially with the distance on the chip."""
    crosstalk_decay_pitches: Annotated[float, Field(gt=0.0, le=5.0)] = 1.0
    """Distance, in heater pitches, over which crosstalk falls to 1/e."""
    settling_s: Seconds = 0.0
    """Thermal time constant of a heater: 10–100 µs (Jacques et al. 2019, Opt. Express 27, 10456)."""
    metering_noise: Share = 0.0
    """Standard deviation of the drive's own readings of volts and amperes, as a fraction of them."""

    @model_validator(mode="after")
    def _every_phase_can_be_driven(self) -> Self:
        reachable = self.drive_full_scale_v**2 / self.resistance_ohm
        if self.upper_w > reachable * (1.0 + 1e-12):
            limit = "power_limit_w, 4 Pπ when left out," if self.power_limit_w is None else "power_limit_w"
            raise ValueError(
                f"{limit} is {self.upper_w:.4g} W, but {self.drive_full_scale_v:.4g} V in {self.resistance_ohm:.4g} "
                f"ohm only reach {reachable:.4g} W; raise drive_full_scale_v or lower power_limit_w"
            )
        if self.upper_w <= 2.0 * self.pi_power_w:
            raise ValueError(
                f"power_limit_w is {self.upper_w:.4g} W, but the range must exceed one period, 2 Pπ = "
                f"{2.0 * self.pi_power_w:.4g} W, by the room that perturbations take (12 epsilon)"
            )
        return self

    @property
    def upper_w(self) -> float:
        """Most power that may be asked of one heater, by the data sheet."""
        return 4.0 * self.pi_power_w if self.power_limit_w is None else self.power_limit_w


class Modulators(Table):
    """The input modulators, one for each port (Reed et al. 2010, Nat. Photonics 4, 518)."""

    kind: Literal["amplitude", "iq"] = "amplitude"
    """``amplitude``: one real amplitude for each port, 0–1. ``iq``: an in-phase and a quadrature part for each, −1 to
    1, all in-phase parts first, for complex inputs such as spectra."""
    leak: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    """Share of full power that passes at zero drive, the inverse of the extinction ratio: 1e-3 is 30 dB."""
    gain_error: Share = 0.0
    """Standard deviation of the amplitude at full drive, port by port, as a fraction."""
    chirp_rad: Annotated[float, Field(ge=-pi, le=pi)] = 0.0
    """Phase of an amplitude modulator at zero drive against that at full drive; linear in the amplitude."""


class Photodetectors(Table):
    """The detectors and their converters (Saleh and Teich, Fundamentals of Photonics, ch. 18)."""

    full_scale: Annotated[float, Field(ge=1e-9, le=1e6)] | None = None
    """Largest readable intensity, where 1 is one port's full input; None: four times what the loss leaves of it."""
    responsivity_error: Share = 0.0
    """Standard deviation of the responsivities, as a fraction."""
    dark_offset: Share = 0.0
    """Standard deviation of the constant readings without light, as a fraction of full scale."""
    thermal_noise: Annotated[float, Field(ge=0.0, le=0.2)] = 0.0  # at 4 sigmas a fourth of full scale is all noise
    """Standard deviation of a reading without light, as a fraction of full scale."""
    shot_noise: Share = 0.0
    """Additional standard deviation at full scale, as a fraction of it; its variance is proportional to the light."""
    adc_bits: Bits = 0
    """Resolution over full scale, where readings saturate; 0: continuous and unlimited."""


class Drift(Table):
    """Slow walk of the static phases: temperature, stress, ageing."""

    phase_rad: Annotated[float, Field(ge=0.0, le=pi)] = 0.0
    """Standard deviation of an Ornstein–Uhlenbeck walk of every phase."""
    time_s: Annotated[float, Field(gt=0.0, le=1e9)] = 3600.0
    """Its correlation time."""


class Latencies(BenchLatencies):
    """How long the imitated bench takes; one that is left out keeps its default."""

    write_s: Seconds = 1e-3
    """τp: one write of all parameters of a layer, settling included."""
    shot_s: Seconds = 10e-6
    """τx: one presented and read pattern."""
    imitates: str = "on-chip heaters on a parallel drive, 100 kS/s modulators and ADC"
    """What bench these latencies belong to."""

    @property
    def stated(self) -> Timing:
        """What the description says of them."""
        return Timing(write_s=self.write_s, shot_s=self.shot_s, imitates=self.imitates)


class Activation(Table):
    """Electro-optic activation between the meshes of a cascade (Williamson et al. 2020, eq. 6)."""

    tap_fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """α, share of the power sent to the photodiode."""
    gain_rad: Annotated[float, Field(ge=0.0, le=1e3)] = 0.05 * pi
    """g, phase per unit of intensity."""
    bias_rad: Annotated[float, Field(ge=-1e3, le=1e3)] = pi
    """φb."""
