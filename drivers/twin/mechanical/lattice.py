"""Where nodes, springs, loads and gauges of a membrane lattice sit."""

from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Nodes = NDArray[np.intp]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class Lattice:
    """nx × ny nodes that move out of the plane, held by springs between neighbours and to ground.

    Node (x, y) has the number y·nx + x. The springs of a membrane are numbered couplings first (along x row by row,
    then along y), then one ground spring for each node.

    Parameters
    ----------
    nx, ny
        Nodes along either side, at least 2.

    Raises
    ------
    ValueError
        If a side has fewer than two nodes.
    """

    nx: int
    ny: int

    def __post_init__(self) -> None:
        if min(self.nx, self.ny) < 2:
            raise ValueError(f"a lattice needs at least 2 nodes along each side, not {self.nx} x {self.ny}")

    @property
    def n_nodes(self) -> int:
        """Nodes, and ground springs."""
        return self.nx * self.ny

    @property
    def n_couplings(self) -> int:
        """Springs between neighbours."""
        return (self.nx - 1) * self.ny + self.nx * (self.ny - 1)

    @cached_property
    def couplings(self) -> Nodes:
        """(E, 2) the two nodes of each spring between neighbours, the lower number first."""
        nodes = self._nodes
        along_x = np.stack([nodes[:, :-1], nodes[:, 1:]], axis=-1).reshape(-1, 2)
        along_y = np.stack([nodes[:-1], nodes[1:]], axis=-1).reshape(-1, 2)
        return np.concatenate([along_x, along_y])

    @cached_property
    def inner(self) -> Nodes:
        """Nodes that are not on the rim; none when a side has only two."""
        return self._nodes[1:-1, 1:-1].ravel()

    @cached_property
    def pairs(self) -> Nodes:
        """(M, 2) neighbours along x that form disjoint pairs; the last node of an odd row has no partner."""
        used = self.nx // 2 * 2
        return self._nodes[:, :used].reshape(-1, 2)

    def evenly(self, count: int) -> Nodes:
        """Return *count* different nodes spread evenly, row by row: the nodes in the middle of a grid of cells.

        Raises ValueError when there are fewer nodes than *count*.
        """
        if not 1 <= count <= self.n_nodes:
            raise ValueError(f"a {self.nx} x {self.ny} lattice has {self.n_nodes} nodes; {count} cannot be chosen")
        columns = ceil((count * self.nx / self.ny) ** 0.5)
        rows = ceil(count / columns)
        cells = np.arange(count)
        x = ((cells % columns + 0.5) * self.nx / columns).astype(np.intp)
        y = ((cells // columns + 0.5) * self.ny / rows).astype(np.intp)
        return y * self.nx + x

    @cached_property
    def _nodes(self) -> Nodes:
        return np.arange(self.n_nodes, dtype=np.intp).reshape(self.ny, self.nx)


def by_membrane(lattice: Lattice, springs: NDArray[Scalar]) -> list[tuple[NDArray[Scalar], NDArray[Scalar]]]:
    """Split what belongs to the springs (P,) of a layer into couplings (E,) and grounds (n,) of each membrane.

    The couplings of all membranes come first, then the ground springs of all membranes.
    """
    membranes = len(springs) // (lattice.n_couplings + lattice.n_nodes)
    edge = membranes * lattice.n_couplings
    couplings = springs[:edge].reshape(membranes, -1)
    return list(zip(couplings, springs[edge:].reshape(membranes, -1), strict=True))
