"""Turns features into drive amplitudes of a device's inputs, with constants from the training part only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.datasets.dataset import Features
from ffzero_lab.errors import InputError

_LARGEST: Final = 1e150  # sums and differences of training values must stay finite
_ROUNDING: Final = 1e-9  # of the range: the largest training value itself must not count as outside
_AT_ONCE: Final = 1 << 20  # numbers worked on at once; several copies of a whole set could exceed the memory


@dataclass(frozen=True, eq=False)
class EncodedInputs:
    """Patterns (S, n_inputs) within the device's range, and how many values had to be limited to it.

    They have the precision of the features, unless the bounds of the range are no numbers of single precision.
    """

    patterns: Features
    n_outside: int


@dataclass(frozen=True, eq=False)
class Encoder:
    """An affine map per feature, amplitude = (feature - offset) * scale, then the layout on the input ports.

    - Unsigned inputs, *lower* >= 0 (amplitudes of light): the smallest training value of a feature drives
      *lower*, the largest *upper*. Features all within 0-1 share one scale instead, with 0 driving *lower*
      and their common maximum *upper* (pixels: a dark one stays dark, a faint one faint).
    - Signed inputs, *lower* < 0 (forces): the training mean of a feature drives 0, and the scale is the
      largest that keeps the training values in range; again common to features within 0-1, else one each.
    - Signed inputs and features of both signs within ±1 (spectra, coordinates) go together as they are: 0 drives 0,
      and 1 the whole range.
    - A feature with a scale of its own that is constant in training carries no information and rests.
    - Ports beyond the features: the first carries the constant reference *upper*, so that the overall level
      of a pattern survives the normalisation of the outputs; the others rest at 0 (or *lower*, if above).
      Without a spare port, unsigned patterns are divided by their largest amplitude (a dark one stays dark).

    Attributes
    ----------
    offset, scale
        Shape (F,), in the features' units and their inverse.
    n_inputs
        Number of input ports, at least F.
    reference
        Whether port F carries the reference, that is n_inputs > F.
    lower, upper
        Range of an input port, in the device's amplitude unit.
    """

    offset: NDArray[np.float64]
    scale: NDArray[np.float64]
    n_inputs: int
    reference: bool
    lower: float = 0.0
    upper: float = 1.0

    @classmethod
    def fit(
        cls,
        train_inputs: Features,
        n_inputs: int,
        lower: float = 0.0,
        upper: float = 1.0,
        *,
        dataset: str = "",
    ) -> Self:
        """Take the constants from training inputs (S, F); *dataset* is its name, for the message only.

        Raises
        ------
        InputError
            When there are more features than input ports, a value is not finite or above 1e150 in size, or
            the range is empty or does not reach above 0.
        """
        name = f"dataset {dataset}".rstrip()
        n_features = train_inputs.shape[1]
        if n_features > n_inputs:
            raise InputError(f"{name} has {n_features} features, device has {n_inputs} inputs")
        extremes = [float(train_inputs.min()), float(train_inputs.max())] if len(train_inputs) else [np.inf]
        if not (np.abs(extremes) <= _LARGEST).all():  # nor NaN
            raise InputError(f"{name}: training inputs must be finite, at most {_LARGEST:g} in size, at least one row")
        if not (np.isfinite([lower, upper]).all() and lower < upper and upper > 0.0):
            raise InputError(
                f"device inputs range from {lower} to {upper}; needed: lower < upper and upper > 0, finite"
            )

        smallest = train_inputs.min(axis=0).astype(np.float64)
        largest = train_inputs.max(axis=0).astype(np.float64)
        common = bool(smallest.min() >= 0.0 and largest.max() <= 1.0)
        if lower < 0.0 and -1.0 <= smallest.min() < 0.0 and largest.max() <= 1.0:
            offset, span = np.zeros_like(smallest), np.full(n_features, 1.0 / min(upper, -lower))
        elif lower < 0.0:
            # The mean of equal numbers can miss them by a rounding error, which a scale would blow up.
            mean: NDArray[np.float64] = train_inputs.mean(axis=0, dtype=np.float64)
            offset = np.where(smallest == largest, smallest, mean)
            span = np.maximum((largest - offset) / upper, (smallest - offset) / lower)
        else:
            offset = np.zeros_like(smallest) if common else smallest
            span = largest - offset
        if common:
            span = np.full(n_features, span.max())
        tiny = np.finfo(np.float64).tiny
        scale = np.where(span > 0.0, 1.0 / np.maximum(span, tiny), 0.0)
        return cls(offset, scale, n_inputs, n_inputs > n_features, float(lower), float(upper))

    def encode(self, inputs: Features) -> EncodedInputs:
        """Encode *inputs* (S, F); what would drive a port beyond its range is limited to it and counted.

        Raises
        ------
        InputError
            When the number of features differs from the training inputs' or a value is not finite.
        """
        n_features = self.offset.shape[0]
        if inputs.ndim != 2 or inputs.shape[1] != n_features:
            raise InputError(f"inputs have shape {inputs.shape}, the encoder was fitted on {n_features} features")
        if not np.isfinite(inputs).all():
            row, column = (int(position) for position in np.argwhere(~np.isfinite(inputs))[0])
            raise InputError(f"input row {row + 1}, feature {column + 1} is {inputs[row, column]}; it must be finite")

        exact = all(float(inputs.dtype.type(bound)) == bound for bound in (self.lower, self.upper))
        patterns = np.full(
            (inputs.shape[0], self.n_inputs), max(self.lower, 0.0), inputs.dtype if exact else np.float64
        )
        n_outside = 0
        rows = max(1, _AT_ONCE // n_features)
        for start in range(0, len(inputs), rows):
            amplitudes, outside = self._amplitudes(inputs[start : start + rows])
            patterns[start : start + rows, :n_features] = amplitudes
            n_outside += outside
        if self.reference:
            patterns[:, n_features] = self.upper
        return EncodedInputs(patterns, n_outside)

    def _amplitudes(self, inputs: Features) -> tuple[NDArray[np.float64], int]:
        """Return the amplitudes (S, F) of some inputs, and how many of them were limited."""
        signed = self.lower < 0.0
        low, high = (self.lower, self.upper) if signed else (0.0, 1.0)
        with np.errstate(over="ignore"):  # an overflow to infinity lies outside, and is limited and counted as such
            moved = inputs - self.offset
            amplitudes = np.where(self.scale > 0.0, moved, 0.0) * self.scale
        slack = _ROUNDING * (high - low)
        outside = (amplitudes < low - slack) | (amplitudes > high + slack) | ((self.scale == 0.0) & (moved != 0.0))
        amplitudes = np.clip(amplitudes, low, high)
        return amplitudes if signed else self._drive(amplitudes), int(np.count_nonzero(outside))

    def _drive(self, levels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map levels 0-1 to the unsigned range, a pattern's peak to *upper* when no port keeps the level."""
        if not self.reference:
            peak = levels.max(axis=1, keepdims=True)
            levels = levels / np.where(peak > 0.0, peak, 1.0)
        return np.minimum(self.lower + (self.upper - self.lower) * levels, self.upper)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return plain arrays for a checkpoint; `from_arrays` gives the same encoder back, bit by bit."""
        return {
            "offset": self.offset,
            "scale": self.scale,
            "n_inputs": np.array(self.n_inputs, dtype=np.int64),
            "reference": np.array(self.reference, dtype=np.bool_),
            "bounds": np.array([self.lower, self.upper], dtype=np.float64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild an encoder from `to_arrays`."""
        lower, upper = (float(bound) for bound in arrays["bounds"])
        return cls(
            offset=np.asarray(arrays["offset"], dtype=np.float64),
            scale=np.asarray(arrays["scale"], dtype=np.float64),
            n_inputs=int(arrays["n_inputs"]),
            reference=bool(arrays["reference"]),
            lower=lower,
            upper=upper,
        )
