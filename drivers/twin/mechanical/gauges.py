"""Displacement gauges and their converters: displacements become readings."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import SFC64, Generator, SeedSequence
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ReadoutName = Literal["pairs", "nodes"]


@dataclass(frozen=True)
class GaugeBank:
    """The gauges of one layer: gain and zero of each, one Gaussian noise, then a converter that saturates.

    Attributes
    ----------
    full_scale_mm
        Largest reading to either side.
    noise
        Standard deviation as a fraction of full scale.
    adc_bits
        Converter resolution over both sides; 0 for continuous readings that do not saturate.
    gain, offset_mm
        (n,) of each gauge.
    seed
        Key of the noise; together with the index of the reading it fixes every sample.
    """

    full_scale_mm: float
    noise: float
    adc_bits: int
    gain: FloatArray
    offset_mm: FloatArray
    seed: int

    def expected(self, displacements_mm: FloatArray, dead: list[int]) -> FloatArray:
        """Return the readings (B, n) of displacements (B, n) without noise and without a converter."""
        return self._followed(displacements_mm, dead) + self.offset_mm

    def slopes_in_displacements(self, slopes: FloatArray, dead: list[int]) -> FloatArray:
        """Carry slopes in the expected readings (B, n) back to the displacements (B, n), per mm."""
        return self._followed(slopes, dead)

    def read(self, displacements_mm: FloatArray, reading: int, dead: list[int]) -> FloatArray:
        """Turn displacements (B, n) into readings, in place; *reading* is the index of this readout.

        *dead* gauges show their zero and noise.
        """
        displacements_mm *= self.gain
        displacements_mm[:, dead] = 0.0
        displacements_mm += self.offset_mm
        if self.noise > 0.0:
            rng = Generator(SFC64(SeedSequence(self.seed, spawn_key=(1, reading))))
            samples = rng.standard_normal(displacements_mm.shape, dtype=np.float32)  # as good a noise, sooner
            samples *= np.float32(self.noise * self.full_scale_mm)
            displacements_mm += samples
        if self.adc_bits > 0:
            codes = 2.0 ** (self.adc_bits - 1)
            displacements_mm *= codes / self.full_scale_mm
            np.rint(displacements_mm, out=displacements_mm)
            np.clip(displacements_mm, -codes, codes, out=displacements_mm)
            displacements_mm *= self.full_scale_mm / codes
        return displacements_mm

    def _followed(self, values: FloatArray, dead: list[int]) -> FloatArray:
        followed = values * self.gain
        followed[:, dead] = 0.0
        return followed
