"""What directions are drawn over: every parameter by itself, or weights along the leading axes of the known inputs."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import LayerDescription, Patterns, Reach

FloatArray = NDArray[np.float64]
Indices = NDArray[np.intp]

BLOCK = 4096
"""Patterns that are looked at together: a copy of all of them in double precision may be large."""


class Coordinates(Protocol):
    """Q coordinates that training moves, of P parameters."""

    @property
    def stands_for(self) -> Indices:
        """A parameter (Q,) whose group, amplitude and reach each coordinate shares."""
        ...

    @property
    def groups(self) -> list[Indices]:
        """For every parameter group, the coordinates that move."""
        ...

    def spread(self, moved: FloatArray) -> FloatArray:
        """Return the changes (…, P) of the parameters when coordinates move by *moved* (…, Q)."""
        ...

    def pull(self, slopes: FloatArray) -> FloatArray:
        """Return the slopes (Q,) along the coordinates, of those *slopes* (P,) along the parameters."""
        ...

    def rms(self, amplitude: FloatArray) -> FloatArray:
        """Return the RMS (P,) by which each parameter moves when all coordinates move by *amplitude* (Q,)."""
        ...


@dataclass(frozen=True)
class EachParameter:
    """Every parameter is a coordinate; dead ones do not move."""

    described: LayerDescription

    @property
    def stands_for(self) -> Indices:
        """Itself."""
        return np.arange(self.described.n_parameters)

    @property
    def groups(self) -> list[Indices]:
        """The parameters that are not dead."""
        return alive_groups(self.described)

    def spread(self, moved: FloatArray) -> FloatArray:
        """Return *moved* as it is."""
        return moved

    def pull(self, slopes: FloatArray) -> FloatArray:
        """Return *slopes*, without those of what does not move."""
        pulled = np.zeros_like(slopes)
        pulled[self.described.alive] = slopes[self.described.alive]
        return pulled

    def rms(self, amplitude: FloatArray) -> FloatArray:
        """Return *amplitude* as it is."""
        return amplitude


@dataclass(frozen=True)
class AlongAxes:
    """The weights W (inputs, outputs) of a layer change by A·C, with one row of C for each of r axes of the inputs.

    What is not a weight moves by itself. A·C has the RMS of C, so that amplitudes stay those of the moved parameters.
    A change of weights across all inputs that occur changes no output: along it, directions are noise.

    Attributes
    ----------
    axes
        A (inputs, r): orthogonal columns of norm √(inputs/r).
    described
        The layer.
    group
        Number of the parameter group that the weights are.
    """

    axes: FloatArray
    described: LayerDescription
    group: int

    @property
    def stands_for(self) -> Indices:
        """For a coefficient any weight of the same output, which has the same reach."""
        first, stop = self._coefficients
        after = np.arange(first + self.described.groups[self.group].size, self.described.n_parameters)
        return np.concatenate([np.arange(stop), after])

    @property
    def groups(self) -> list[Indices]:
        """All coefficients, and the parameters beside them that are not dead."""
        place = np.zeros(self.described.n_parameters, dtype=np.intp)
        place[self.stands_for] = np.arange(len(self.stands_for))
        groups = [place[group] for group in alive_groups(self.described)]
        groups[self.group] = np.arange(*self._coefficients)
        return groups

    def spread(self, moved: FloatArray) -> FloatArray:
        """Return the changes (…, P) that A·C and what moves by itself make; dead weights stay."""
        (first, stop), before = self._coefficients, moved.shape[:-1]
        weights = self.axes @ moved[..., first:stop].reshape(*before, self.axes.shape[1], -1)
        spread = np.concatenate([moved[..., :first], weights.reshape(*before, -1), moved[..., stop:]], axis=-1)
        spread[..., list(self.described.dead)] = 0.0
        return spread

    def pull(self, slopes: FloatArray) -> FloatArray:
        """Return Aᵀ·∂L/∂W and the slopes of what moves by itself; dead weights have none."""
        living = np.zeros_like(slopes)
        living[self.described.alive] = slopes[self.described.alive]
        first, n_weights = self._coefficients[0], self.described.groups[self.group].size
        weights = living[first : first + n_weights].reshape(self.axes.shape[0], -1)
        return np.concatenate([living[:first], (self.axes.T @ weights).ravel(), living[first + n_weights :]])

    def rms(self, amplitude: FloatArray) -> FloatArray:
        """Return the RMS of each parameter; an input that weighs more in the axes has weights that move more."""
        (first, stop), n_outputs = self._coefficients, self.described.n_outputs
        of_weights = np.sqrt(np.square(self.axes) @ np.square(amplitude[first:stop]).reshape(-1, n_outputs)).ravel()
        return np.concatenate([amplitude[:first], of_weights, amplitude[stop:]])

    @property
    def _coefficients(self) -> tuple[int, int]:
        """First coordinate that is a coefficient, and the first behind them."""
        first = sum(group.size for group in self.described.groups[: self.group])
        return first, first + self.axes.shape[1] * self.described.n_outputs


def leading_axes(patterns: Patterns, rows: Indices, n_axes: int) -> FloatArray:
    """Return the principal axes (inputs, r) of the greatest variance of *patterns*[*rows*], each of norm √(inputs/r).

    Axes are not whitened: the changes of weights that move outputs the most are learned with the least noise. There are
    at most as many axes as inputs.
    """
    n_inputs = patterns.shape[1]
    total, products = np.zeros(n_inputs), np.zeros((n_inputs, n_inputs))
    for start in range(0, len(rows), BLOCK):
        seen = patterns[rows[start : start + BLOCK]].astype(np.float64)
        total += seen.sum(axis=0)
        products += seen.T @ seen
    mean = total / len(rows)
    _, vectors = np.linalg.eigh(products / len(rows) - np.outer(mean, mean))
    kept = vectors[:, ::-1][:, :n_axes]
    return np.ascontiguousarray(kept) * (n_inputs / kept.shape[1]) ** 0.5


def coordinates_of(
    described: LayerDescription,
    patterns: Patterns | None,
    rows: Indices,
    subspace: int | None,
    axes: FloatArray | None = None,
) -> EachParameter | AlongAxes:
    """Return what training moves: weights along *subspace* axes of the layer's inputs *patterns*[*rows*].

    Every parameter by itself without a *subspace*, in a layer without weights, and where nobody knows the inputs.
    *axes* (inputs, r), of an earlier part of the run, go before those of the inputs.
    """
    group = weights_of(described)
    if subspace is None or group is None or patterns is None:
        return EachParameter(described)
    return AlongAxes(leading_axes(patterns, rows, subspace) if axes is None else axes, described, group)


def weights_of(described: LayerDescription) -> int | None:
    """Return the number of the parameter group that multiplies inputs into outputs, (inputs, outputs), or None.

    Where a reach is declared it must be the same for all inputs, as it is for a dense layer.
    """
    shape = described.n_inputs, described.n_outputs
    first = 0
    for number, group in enumerate(described.groups):
        if group.shape == shape and group.scale == "linear" and group.period is None:
            own = slice(first, first + group.size)
            reach = described.reach
            if reach is None or all(
                np.array_equal(by_input, np.broadcast_to(by_input[0], shape))
                for by_input in (edge[own].reshape(shape) for edge in (reach.first, reach.stop))
            ):
                return number
        first += group.size
    return None


def alive_groups(described: LayerDescription) -> list[Indices]:
    """Return, for each parameter group, the indices of its parameters that move."""
    edges = np.cumsum([0, *(group.size for group in described.groups)])
    alive = described.alive
    return [alive[(alive >= start) & (alive < stop)] for start, stop in pairwise(edges)]


def narrowed(reach: Reach | None, coordinates: Coordinates) -> Reach | None:
    """Return the reach of the coordinates."""
    if reach is None:
        return None
    own = coordinates.stands_for
    return Reach(reach.first[own], reach.stop[own], reach.n_outputs)
