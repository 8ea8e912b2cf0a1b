"""Faults that a mechanical twin can be given, each from a time of its own on."""

import re
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from drivers.twin.mechanical.lattice import Lattice
from drivers.twin.tables import Table

Index = NDArray[np.intp]


class _Fault(Table):
    from_s: Annotated[float, Field(ge=0.0, le=1e9)] = 0.0
    """Device time from which on it holds."""


class _OfLayer(_Fault):
    layer: Annotated[int, Field(ge=0)] = 0
    """Layer."""


class _OfSpring(_OfLayer):
    parameter: str
    """Spring by its name, such as ``coupling[17]`` or ``ground[3]``."""


class DeadServo(_OfSpring):
    """A servo that moves no more: the spring stays as it is (at its softest, if it never moved)."""

    kind: Literal["dead-servo"]


class BrokenSpring(_OfSpring):
    """A spring that has no stiffness any more."""

    kind: Literal["broken-spring"]


class DeadGauge(_OfLayer):
    """A gauge that follows its nodes no more."""

    kind: Literal["dead-gauge"]
    output: Annotated[int, Field(ge=0)]
    """Gauge."""


class DeadLoad(_OfLayer):
    """A load cell that gives no force."""

    kind: Literal["dead-load"]
    input: Annotated[int, Field(ge=0)]
    """Input."""


class LoadsOff(_Fault):
    """The supply of all load cells goes out; the bias weights stay."""

    kind: Literal["loads-off"]


Fault = Annotated[DeadServo | BrokenSpring | DeadGauge | DeadLoad | LoadsOff, Field(discriminator="kind")]


def spring_of(fault: DeadServo | BrokenSpring, n_couplings: int, n_grounds: int) -> int:
    """Return the index of the parameter that *fault* names; raises ValueError for one that the layer has not."""
    found = re.fullmatch(r"(coupling|ground)\[(\d+)\]", fault.parameter)
    sizes = {"coupling": n_couplings, "ground": n_grounds}
    if found is None or int(found[2]) >= sizes[found[1]]:
        raise ValueError(
            f"fault {fault.kind!r}: parameter {fault.parameter!r} is none of coupling[0] to "
            f"coupling[{n_couplings - 1}], ground[0] to ground[{n_grounds - 1}]"
        )
    return int(found[2]) + (n_couplings if found[1] == "ground" else 0)


def every_node_is_held(lattice: Lattice, couplings: NDArray[np.bool_], grounds: NDArray[np.bool_]) -> bool:
    """Tell whether each connected part of a membrane has a ground spring; arguments (E,) and (n,), True if unbroken.

    Only then is its stiffness matrix positive definite.
    """
    first, second = lattice.couplings[couplings].T
    links = coo_array((np.ones(len(first)), (first, second)), shape=(lattice.n_nodes, lattice.n_nodes))
    n_parts, part = connected_components(links, directed=False)
    return len(np.unique(part[grounds])) == n_parts


def loads_supply(faults: tuple[Fault, ...], now_s: float) -> float:
    """Return the forces that the load cells give relative to what is asked for: 1, or 0 when their supply is out."""
    return 0.0 if any(isinstance(fault, LoadsOff) and fault.from_s <= now_s for fault in faults) else 1.0
