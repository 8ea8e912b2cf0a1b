"""Random directions along which a slope is measured, drawn without state: step by step from the seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ffzero_lab.rule.randomness import For, generator

FloatArray = NDArray[np.float64]
DirectionKind = Literal["rademacher", "gaussian", "orthogonal", "coordinate"]


@dataclass(frozen=True)
class DirectionDraw:
    """Directions v with E[vvᵀ] = c·I over the parameters that move.

    Attributes
    ----------
    kind
        ``rademacher``, ``gaussian`` and ``orthogonal`` have RMS 1 within each group (c = 1); ``coordinate`` moves
        one parameter at a time (c = 1/P).
    groups
        For every parameter group the indices of its parameters that move; all others stay at zero.
    n_parameters
        Length P of a direction.
    seed, layer
        Key of the randomness.
    """

    kind: DirectionKind
    groups: Sequence[NDArray[np.intp]]
    n_parameters: int
    seed: int
    layer: int

    @cached_property
    def _alive(self) -> NDArray[np.intp]:
        return np.concatenate(self.groups)

    @property
    def second_moment(self) -> float:
        """The constant c of E[vvᵀ] = c·I."""
        return 1.0 / len(self._alive) if self.kind == "coordinate" else 1.0

    def draw(self, step: int, n_directions: int) -> FloatArray:
        """Return the directions (K, P) of one step; recomputing a step gives the same numbers."""
        directions = np.zeros((n_directions, self.n_parameters))
        numbers = range(step * n_directions, (step + 1) * n_directions)
        if self.kind == "coordinate":
            for row, number in enumerate(numbers):
                block, place = divmod(number, len(self._alive))
                order, _ = _shuffled_block(self.seed, self.layer, block, 1, len(self._alive))
                directions[row, self._alive[order[place]]] = 1.0
        elif self.kind == "orthogonal":
            for part, group in enumerate(self.groups, start=1):
                if len(group):
                    directions[:, group] = self._orthogonal(numbers, part, len(group))
        else:
            rng = generator(self.seed, For.DIRECTIONS, self.layer, step)
            shape = (n_directions, len(self._alive))
            signs = self.kind == "rademacher"
            drawn = _random_signs(rng, shape) if signs else rng.standard_normal(shape)
            if len(self._alive) == self.n_parameters:
                return drawn
            directions[:, self._alive] = drawn
        return directions

    def _orthogonal(self, numbers: range, part: int, size: int) -> FloatArray:
        """Return orthogonal rows (K, size) of norm √size.

        Sizes that are a power of two take the rows of a Hadamard matrix in random order, with random column signs,
        block after block over the steps; other sizes take Haar-random rows, orthogonal within a step.
        """
        rows = np.empty((len(numbers), size))
        if size & (size - 1) == 0:
            for row, number in enumerate(numbers):
                block, place = divmod(number, size)
                order, signs = _shuffled_block(self.seed, self.layer, block, part, size)
                rows[row] = hadamard_row(int(order[place]), size) * signs
            return rows
        for start in range(0, len(numbers), size):
            chunk = rows[start : start + size]
            rng = generator(self.seed, For.DIRECTIONS, self.layer, numbers[start], part)
            q, r = np.linalg.qr(rng.standard_normal((size, len(chunk))))
            chunk[:] = (q * np.where(np.diag(r) < 0.0, -1.0, 1.0)).T * np.sqrt(size)
        return rows


def hadamard_row(index: int, size: int) -> FloatArray:
    """Return row *index* of the Sylvester Hadamard matrix of order *size* (a power of two), entries ±1."""
    row = np.ones(1)
    for bit in range(size.bit_length() - 1):
        row = np.concatenate([row, -row if index >> bit & 1 else row])
    return row


@lru_cache(maxsize=8)
def _shuffled_block(seed: int, layer: int, block: int, part: int, size: int) -> tuple[NDArray[np.int64], FloatArray]:
    rng = generator(seed, For.DIRECTIONS, layer, block, part)
    return rng.permutation(size), _random_signs(rng, (size,))


def _random_signs(rng: Generator, shape: tuple[int, ...]) -> FloatArray:
    return 2.0 * rng.integers(0, 2, shape, dtype=np.int8).astype(np.float64) - 1.0
