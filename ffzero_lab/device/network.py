"""How a lattice of springs is put together: which nodes each spring joins, each input pulls and each output watches."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GROUND = -1
"""In place of a node: the spring holds its other end to the ground."""


@dataclass(frozen=True, eq=False)
class SpringNetwork:
    """The drawing of a layer of springs, as an operator knows it: geometry, and nothing of how well it was made.

    At rest, K u = loads·x with K = Σ_e k_e b_e b_eᵀ, b_e = +1 and −1 at the two nodes of spring e, +1 alone where it
    goes to the ground; the outputs are gauges·u. Several membranes are one network in several unconnected parts.

    Parameters
    ----------
    joins
        (P, 2) nodes of each parameter's spring; the second may be GROUND.
    loads
        (N, n_in) force on each node by one unit of each input.
    gauges
        (n_out, N) what each output shows by one unit of displacement of each node.
    """

    joins: NDArray[np.intp]
    loads: NDArray[np.float64]
    gauges: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name, kind in (("joins", np.intp), ("loads", np.float64), ("gauges", np.float64)):
            own = np.array(getattr(self, name), dtype=kind)  # a description is frozen: nobody else may hold its memory
            own.flags.writeable = False
            object.__setattr__(self, name, own)
        if self.joins.ndim != 2 or self.joins.shape[1] != 2 or self.loads.ndim != 2 or self.gauges.ndim != 2:
            raise ValueError("joins, loads and gauges must have the shapes (P, 2), (N, n_in) and (n_out, N)")
        nodes = len(self.loads)
        if self.gauges.shape[1] != nodes:
            raise ValueError(f"loads are given on {nodes} nodes, gauges on {self.gauges.shape[1]}")
        first, second = self.joins.T
        if np.any(first < 0) or np.any(second < GROUND) or np.any(self.joins >= nodes) or np.any(first == second):
            raise ValueError(f"every spring joins one of the nodes 0 to {nodes - 1} to another one or to the ground")

    @property
    def n_nodes(self) -> int:
        """The number of nodes N."""
        return len(self.loads)

    @property
    def n_parameters(self) -> int:
        """The number of springs P."""
        return len(self.joins)

    @property
    def n_inputs(self) -> int:
        """The number of inputs."""
        return self.loads.shape[1]

    @property
    def n_outputs(self) -> int:
        """The number of outputs."""
        return len(self.gauges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpringNetwork) and all(
            np.array_equal(own, others)
            for own, others in (
                (self.joins, other.joins),
                (self.loads, other.loads),
                (self.gauges, other.gauges),
            )
        )

    def __hash__(self) -> int:
        return hash((self.joins.tobytes(), self.loads.tobytes(), self.gauges.tobytes()))
