"""Which outputs a parameter can influence, as one contiguous range of outputs for each parameter."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Reach:
    """Half-open ranges of outputs: parameter i influences only outputs ``first[i] <= j < stop[i]``.

    A dense layer declares its column, a convolution its channel, an interferometer mesh its light cone. Outputs
    that scatter are covered by the smallest range around them: a reach may be too large, never too small.

    Parameters
    ----------
    first, stop
        Integer arrays of shape (P,).
    n_outputs
        Outputs of the layer.
    """

    first: NDArray[np.intp]
    stop: NDArray[np.intp]
    n_outputs: int

    def __post_init__(self) -> None:
        for name, given in (("first", self.first), ("stop", self.stop)):
            own = np.array(given, dtype=np.intp)  # a description is frozen: nobody else may hold its memory
            own.flags.writeable = False
            object.__setattr__(self, name, own)
        if self.first.shape != self.stop.shape or self.first.ndim != 1:
            raise ValueError("first and stop must be one-dimensional and of the same length")
        if np.any(self.first < 0) or np.any(self.stop > self.n_outputs) or np.any(self.first > self.stop):
            raise ValueError(f"every range must lie within the {self.n_outputs} outputs")

    @property
    def n_parameters(self) -> int:
        """The number of parameters P."""
        return len(self.first)

    def sum_reached(self, per_output: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum *per_output* (…, n) over the reach of each parameter; returns (…, P)."""
        running = np.zeros((*per_output.shape[:-1], self.n_outputs + 1))
        np.cumsum(per_output, axis=-1, out=running[..., 1:])
        first, stop, place = self._distinct
        return np.take(running[..., stop] - running[..., first], place, axis=-1)

    @cached_property
    def _distinct(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """First and stop of each different range, and which of them (P,) is a parameter's: a column has but one."""
        ranges, place = np.unique(self.first * (self.n_outputs + 1) + self.stop, return_inverse=True)
        first, stop = np.divmod(ranges, self.n_outputs + 1)
        return first, stop, place.astype(np.intp, copy=False)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Reach)
            and self.n_outputs == other.n_outputs
            and np.array_equal(self.first, other.first)
            and np.array_equal(self.stop, other.stop)
        )

    __hash__ = None  # pyright: ignore[reportAssignmentType]
