"""What fabrication made of one layer and its bench, drawn from the twin's own seed; nobody outside may see it."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from numpy.typing import NDArray

from drivers.twin.mechanical.config import MechanicalConfig

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class LatticeTruth:
    """The hidden constants of one layer.

    Attributes
    ----------
    spring_factor
        (P,) stiffness of each spring relative to its nominal one: couplings of all membranes, then grounds.
    load_gain
        (n_in,) force of each input relative to what is asked for.
    gauge_gain
        (n_out,) reading of each gauge relative to the displacement.
    gauge_offset_mm
        (n_out,) reading of each gauge without displacement.
    """

    spring_factor: FloatArray
    load_gain: FloatArray
    gauge_gain: FloatArray
    gauge_offset_mm: FloatArray


def fabricate(config: MechanicalConfig, layer: int) -> LatticeTruth:
    """Draw the truth of one layer; an imperfection that is switched off leaves the draws of the others as they are.

    What must not change sign spreads log-normally.
    """
    rng = Generator(Philox(SeedSequence(config.seed, spawn_key=(0, layer))))

    def spread(count: int, deviation: float) -> FloatArray:
        return np.exp(deviation * rng.standard_normal(count))

    return LatticeTruth(
        spring_factor=spread(config.n_springs, config.springs.tolerance),
        load_gain=spread(len(config.load_nodes(layer)), config.loads.gain_error),
        gauge_gain=spread(config.n_gauges, config.gauges.gain_error),
        gauge_offset_mm=rng.standard_normal(config.n_gauges) * config.gauges.offset * config.full_scale_mm,
    )
