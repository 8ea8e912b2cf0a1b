"""What fabrication made of one chip and its bench, drawn from the twin's own seed; nobody outside may see it."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from numpy.typing import NDArray

from drivers.twin.photonic.config import PhotonicConfig
from drivers.twin.photonic.mesh import MeshGeometry

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ChipTruth:
    """The hidden constants of one mesh; parameters in the order θ, φ, γ.

    Attributes
    ----------
    splitter_first, splitter_second
        (M,) angle errors of the two splitters of each MZI, rad.
    offsets
        (P,) static phases φ₀, rad, drift apart.
    resistance_ohm, pi_power_w
        (P,) R and Pπ of each heater.
    modulator_gain
        (N,) amplitude of each input at full drive.
    responsivity
        (N,) reading per intensity of each detector.
    dark_offset
        (N,) reading of each detector without light.
    """

    splitter_first: FloatArray
    splitter_second: FloatArray
    offsets: FloatArray
    resistance_ohm: FloatArray
    pi_power_w: FloatArray
    modulator_gain: FloatArray
    responsivity: FloatArray
    dark_offset: FloatArray


def fabricate(config: PhotonicConfig, layer: int) -> ChipTruth:
    """Draw the truth of one chip; an imperfection that is switched off leaves the draws of the others as they are.

    What must not change sign spreads log-normally.
    """
    geometry = MeshGeometry(config.ports)
    mesh, heaters, detectors = config.mesh, config.heaters, config.detectors
    rng = Generator(Philox(SeedSequence(config.seed, spawn_key=(0, layer))))
    splitters = rng.standard_normal((2, geometry.n_mzi)) * mesh.splitter_error_rad
    offsets = rng.uniform(0.0, 2.0 * np.pi, geometry.n_parameters) * mesh.random_offsets
    offsets += rng.standard_normal(geometry.n_parameters) * mesh.phase_error_rad

    def spread(count: int, deviation: float) -> FloatArray:
        return np.exp(deviation * rng.standard_normal(count))

    return ChipTruth(
        splitters[0],
        splitters[1],
        offsets,
        resistance_ohm=heaters.resistance_ohm * spread(geometry.n_parameters, heaters.resistance_spread),
        pi_power_w=heaters.pi_power_w * spread(geometry.n_parameters, heaters.pi_power_spread),
        modulator_gain=spread(config.ports, config.modulators.gain_error),
        responsivity=spread(config.ports, detectors.responsivity_error),
        dark_offset=rng.standard_normal(config.ports) * detectors.dark_offset * config.full_scale,
    )
