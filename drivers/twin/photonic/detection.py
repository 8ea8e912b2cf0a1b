"""Photodetectors and their converters: intensities become readings."""

from dataclasses import dataclass

import numpy as np
from numpy.random import SFC64, Generator, SeedSequence
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

FLOOR_SIGMAS = 4.0
"""A reading within this many standard deviations of zero cannot be told from noise (64 outputs read at once)."""
NEGATIVE_HEADROOM = 1.0 / 64.0
"""Share of full scale that the converter reaches below zero, so that noise around zero is not rectified."""


@dataclass(frozen=True)
class Detectors:
    """One combined Gaussian noise per reading, then a converter that saturates.

    Attributes
    ----------
    full_scale
        Largest readable intensity, in units of one fully driven input port.
    noise
        Standard deviation as a fraction of full scale.
    adc_bits
        Converter resolution over full scale, or None for a continuous reading that does not saturate.
    seed
        Key of the noise; together with the index of the reading it fixes every sample.
    """

    full_scale: float
    noise: float
    adc_bits: int | None
    seed: int

    @property
    def floor(self) -> float:
        """Magnitude under which a reading cannot be told from noise."""
        return FLOOR_SIGMAS * self.noise * self.full_scale

    def read(self, intensities: FloatArray, reading: int) -> FloatArray:
        """Turn *intensities* (B, n) into readings, in place; *reading* is the index of this readout."""
        if self.noise > 0.0:
            rng = Generator(SFC64(SeedSequence(self.seed, spawn_key=(1, reading))))
            samples = rng.standard_normal(intensities.shape)
            samples *= self.noise * self.full_scale
            intensities += samples
        if self.adc_bits is not None:
            step = self.full_scale / 2**self.adc_bits
            intensities *= 1.0 / step
            np.rint(intensities, out=intensities)
            np.clip(intensities, -(2.0**self.adc_bits) * NEGATIVE_HEADROOM, 2.0**self.adc_bits, out=intensities)
            intensities *= step
        return intensities
