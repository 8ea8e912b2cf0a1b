"""What stands behind the columns: amplifiers, activation circuits, noise, and converters that saturate."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from numpy.typing import NDArray

from drivers.twin.crossbar.cells import READING, TRUTH, Precision
from drivers.twin.crossbar.geometry import ActivationName, LayerShape
from drivers.twin.crossbar.noise import gaussian
from drivers.twin.crossbar.tables import Readout

FloatArray = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]

FLOOR_SIGMAS = 4.0
"""A reading within this many standard deviations of zero cannot be told from noise and offset."""
NEGATIVE_HEADROOM = 1.0 / 64.0
"""Share of full scale that a converter behind relu reaches below zero, so that noise around zero is not rectified."""
LEAST_GAIN = 0.1
"""A column that is made weaker than this would be called dead, not inaccurate."""


@dataclass(frozen=True)
class ColumnTruth:
    """What fabrication made of the amplifiers of one array.

    Attributes
    ----------
    gain
        (columns,) gain, around 1.
    offset
        (columns,) offset in front of the activation, in units of the output.
    """

    gain: FloatArray
    offset: FloatArray


def fabricate_columns(readout: Readout, full_scale: float, n: int, seed: int, layer: int) -> ColumnTruth:
    """Draw the hidden truth of *n* columns from the twin's own seed."""
    rng = Generator(Philox(SeedSequence(seed, spawn_key=(TRUTH, layer, 1))))
    gain = np.maximum(LEAST_GAIN, 1.0 + readout.gain_error * rng.standard_normal(n))
    return ColumnTruth(gain, readout.offset * full_scale * rng.standard_normal(n))


class Columns:
    """The chain from what the cells add up to what is read.

    Parameters
    ----------
    readout
        Constants.
    full_scale
        Largest readable output.
    truth
        What fabrication made.
    shape
        Of the layer.
    key
        Seed and layer, for the noise.
    precision
        Type of what is added up.
    """

    def __init__(
        self,
        readout: Readout,
        full_scale: float,
        truth: ColumnTruth,
        shape: LayerShape,
        key: tuple[int, int],
        precision: Precision,
    ) -> None:
        self.truth = truth
        self._activation: ActivationName = shape.activation
        self._key = key
        per_column = shape.n_outputs // shape.columns
        self._perfect = readout.gain_error == 0.0 and readout.offset == 0.0
        self._gain = np.repeat(truth.gain, per_column).astype(precision)
        self._offset = np.repeat(truth.offset, per_column).astype(precision)
        self._noise = readout.noise * full_scale
        self._converter = Converter(full_scale, readout.adc_bits, signed=shape.activation != "relu")

    def activate(self, added: Floats) -> Floats:
        """Turn what the cells add up to, (B, n), into outputs, in place.

        Pooling stands before it: gains are positive and activations rise, so that the largest stays the largest.
        """
        if not self._perfect:
            added *= self._gain
            added += self._offset
        return activate(self._activation, added)

    def slopes_in_sums(self, slopes: FloatArray, outputs: FloatArray) -> FloatArray:
        """Carry slopes in the outputs (B, n) of `activate` back to what the cells add up to (B, n)."""
        carried = slopes * self._gain
        if self._activation == "relu":
            carried *= outputs > 0.0
        elif self._activation == "tanh":
            carried *= 1.0 - outputs**2
        return carried

    def read(self, outputs: Floats, reading: int) -> FloatArray:
        """Turn outputs (B, n) into readings, and overwrite them; *reading* is the index of this readout."""
        if self._noise > 0.0:
            seed, layer = self._key
            samples = gaussian(seed, (READING, layer, reading), outputs.shape)
            samples *= self._noise
            outputs += samples
        return self._converter.convert(outputs)


@dataclass(frozen=True)
class Converter:
    """An analog-to-digital converter, continuous and unlimited with no bits.

    Attributes
    ----------
    full_scale
        Upper end of its range, in units of the output.
    bits
        Resolution over the range.
    signed
        Whether the range is symmetric; otherwise it begins a little below zero.
    """

    full_scale: float
    bits: int
    signed: bool

    @property
    def codes(self) -> float:
        """Codes from zero to full scale."""
        return 2.0 ** (self.bits - 1 if self.signed else self.bits)

    def convert(self, outputs: Floats) -> FloatArray:
        """Round *outputs* to the steps and limit them to the range; overwrites them."""
        if self.bits == 0:
            return outputs.astype(np.float64, copy=False)
        codes, step = self.codes, self.full_scale / self.codes
        outputs *= 1.0 / step
        np.rint(outputs, out=outputs)
        np.clip(outputs, -codes * (1.0 if self.signed else NEGATIVE_HEADROOM), codes, out=outputs)
        return outputs.astype(np.float64, copy=False) * step


def activate(name: ActivationName, values: Floats) -> Floats:
    """Apply an activation, in place."""
    if name == "relu":
        return np.maximum(values, 0.0, out=values)
    return np.tanh(values, out=values) if name == "tanh" else values
