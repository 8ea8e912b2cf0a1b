"""The drawing of a rectangular interferometer mesh (Clements et al. 2016, Optica 3, 1460)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.figures.plan import FloatArray, GroupCells, Plan

PITCH = 1.7
"""Width of a column, in distances between the ports."""
NEAR = 0.46
"""How far a waveguide leaves its port towards its partner's at a splitter."""
ARM = 0.24
"""And between the splitters."""
FIRST, SECOND = 0.72, 1.48
"""Where in a column the middles of the two splitters are."""


@dataclass(frozen=True)
class MeshLayout:
    """Where the MZIs of a mesh of N ports are: N columns, column c on the ports (p, p + 1) with p ≡ c mod 2.

    MZIs are numbered column by column from the top; the parameters are all θ, then all φ, then the input phases γ.
    """

    ports: int

    @property
    def n_mzi(self) -> int:
        """Number of MZIs, N(N − 1)/2."""
        return self.ports * (self.ports - 1) // 2

    @cached_property
    def column(self) -> NDArray[np.intp]:
        """(M,) column of each MZI."""
        return np.array([c for c in range(self.ports) for _ in self.upper_ports(c)], dtype=np.intp)

    @cached_property
    def port(self) -> NDArray[np.intp]:
        """(M,) upper port of each MZI."""
        return np.array([p for c in range(self.ports) for p in self.upper_ports(c)], dtype=np.intp)

    def upper_ports(self, column: int) -> range:
        """Return the upper ports of a column's MZIs."""
        return range(column % 2, self.ports - 1, 2)


def mesh_layout(sizes: Sequence[int]) -> MeshLayout | None:
    """Return the layout of a mesh whose parameter groups have these *sizes*; None: they are no mesh's."""
    ports = isqrt(sum(sizes))
    if ports < 2 or list(sizes) != [ports * (ports - 1) // 2, ports * (ports - 1) // 2, ports]:
        return None
    return MeshLayout(ports)


def mesh_plan(layout: MeshLayout, groups: tuple[GroupCells, ...]) -> Plan:
    """Return the drawing of a mesh."""
    n, column, port = layout.ports, PITCH * layout.column.astype(np.float64), layout.port.astype(np.float64)
    ones: FloatArray = np.ones(layout.n_mzi)
    theta: FloatArray = np.stack([column + 1.10, port + ARM, 0.46 * ones, 0.36 * ones], axis=1)
    phi: FloatArray = np.stack([column + 0.29, port, 0.46 * ones, 0.36 * ones], axis=1)
    ports = np.arange(n, dtype=np.float64)
    gamma: FloatArray = np.stack([np.full(n, -0.62), ports, np.full(n, 0.46), np.full(n, 0.36)], axis=1)
    end = n * PITCH + 0.25
    words = [(-1.25, float(p), f"in {p}") for p in range(n)] + [(end + 0.55, float(p), f"out {p}") for p in range(n)]
    counts = (("θ", layout.n_mzi), ("φ", layout.n_mzi), ("γ", n))
    return Plan(
        kind="mesh",
        about="Light runs from left to right. θ sits between the splitters of an MZI, φ before them, γ at the inputs.",
        groups=groups,
        cells=np.concatenate([theta, phi, gamma]),
        short=tuple(f"{symbol}{k}" for symbol, count in counts for k in range(count)),
        guides=tuple(_pieces(layout, end)),
        words=tuple(words),
        outputs=np.stack([np.full(n, end), ports], axis=1),
    )


def _pieces(layout: MeshLayout, end: float) -> list[FloatArray]:
    """Return the pieces of the waveguides, level by level, as `Plan.guides` says."""
    n = layout.ports
    starts = [[(-1.0, float(p))] for p in range(n)]
    pieces: list[FloatArray] = []
    for column in range(n):
        at, sides = column * PITCH, _sides(layout, column)
        bend = ((0.55, 0.0), (0.68, NEAR), (FIRST, NEAR))
        arms = ((FIRST, NEAR), (0.76, NEAR), (0.86, ARM), (1.34, ARM), (1.44, NEAR), (SECOND, NEAR))
        for p, side in enumerate(sides):
            pieces.append(np.array(starts[p] + _course(bend, at, p, side)))
        for p, side in enumerate(sides):
            pieces.append(np.array(_course(arms, at, p, side)))
        starts = [_course(((SECOND, NEAR), (1.52, NEAR), (1.65, 0.0)), at, p, side) for p, side in enumerate(sides)]
    return pieces + [np.array([*starts[p], (end, float(p))]) for p in range(n)]


def _sides(layout: MeshLayout, column: int) -> list[int]:
    """Return for each port of a column on which side its partner is: +1 below, −1 above, 0 it has none."""
    upper = layout.upper_ports(column)
    return [1 if p in upper else -1 if p - 1 in upper else 0 for p in range(layout.ports)]


def _course(points: Sequence[tuple[float, float]], at: float, port: int, side: int) -> list[tuple[float, float]]:
    """Return points of a waveguide; one without a partner runs straight on."""
    shown = points if side else (points[0], points[-1])
    return [(at + x, port + side * share) for x, share in shown]
