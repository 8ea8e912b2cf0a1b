"""Photodetectors and their converters: intensities become readings."""

from dataclasses import dataclass

import numpy as np
from numpy.random import SFC64, Generator, SeedSequence
from numpy.typing import NDArray

from drivers.twin.photonic.tables import Photodetectors

FloatArray = NDArray[np.float64]

NEGATIVE_HEADROOM = 1.0 / 64.0
"""Share of full scale that the converter reaches below zero, in whole codes: noise around zero is not rectified as long
as its standard deviation is some times smaller."""


@dataclass(frozen=True)
class Detectors:
    """The detectors of one mesh: responsivity and offset of each, one combined Gaussian noise, then the converter.

    A reading has the variance thermal² + shot²·I/full scale (Saleh and Teich, ch. 18), drawn at once.

    Attributes
    ----------
    constants
        Noise and converter.
    full_scale
        Largest readable intensity, in units of one fully driven input port.
    responsivity, dark_offset
        (n,) of each detector.
    seed
        Key of the noise; together with the index of the reading it fixes every sample.
    """

    constants: Photodetectors
    full_scale: float
    responsivity: FloatArray
    dark_offset: FloatArray
    seed: int

    def read(self, intensities: FloatArray, reading: int, dead: list[int]) -> FloatArray:
        """Turn *intensities* (B, n) into readings, in place; *reading* is the index of this readout."""
        intensities *= self.responsivity
        intensities[:, dead] = 0.0
        noise = self._noise(intensities, reading)
        if noise is not None:
            intensities += noise
        if self.constants.dark_offset > 0.0:
            intensities += self.dark_offset
        bits = self.constants.adc_bits
        if bits > 0:
            step = self.full_scale / 2**bits
            intensities *= 1.0 / step
            np.rint(intensities, out=intensities)
            np.clip(intensities, -np.floor(2.0**bits * NEGATIVE_HEADROOM), 2.0**bits, out=intensities)
            intensities *= step
        return intensities

    def expected(self, intensities: FloatArray, dead: list[int]) -> FloatArray:
        """Return the readings (B, n) of *intensities* (B, n) without noise and without a converter."""
        readings = intensities * self.responsivity
        readings[:, dead] = 0.0
        return readings + self.dark_offset

    def slopes_in_intensities(self, slopes: FloatArray, dead: list[int]) -> FloatArray:
        """Carry slopes in the expected readings (B, n) back to the intensities (B, n)."""
        carried = slopes * self.responsivity
        carried[:, dead] = 0.0
        return carried

    def _noise(self, detected: FloatArray, reading: int) -> NDArray[np.float32] | None:
        """Return the noise (B, n) of what is *detected* (B, n), in single precision: it is as good a noise, sooner."""
        thermal, shot = self.constants.thermal_noise, self.constants.shot_noise
        if thermal == 0.0 and shot == 0.0:
            return None
        rng = Generator(SFC64(SeedSequence(self.seed, spawn_key=(1, reading))))
        samples = rng.standard_normal(detected.shape, dtype=np.float32)
        if shot == 0.0:
            samples *= np.float32(thermal * self.full_scale)
            return samples
        variance = detected.astype(np.float32)
        variance *= np.float32(shot**2 * self.full_scale)
        variance += np.float32((thermal * self.full_scale) ** 2)
        np.sqrt(variance, out=variance)
        samples *= variance
        return samples
