"""The drawing of membranes of springs: nodes on a grid, springs between neighbours and to ground."""

from math import isqrt, prod

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device.network import GROUND, SpringNetwork
from ffzero_lab.figures.plan import FloatArray, GroupCells, Plan

ALONG, ACROSS, NODE = 0.52, 0.2, 0.4
"""Length and width of a spring between neighbours, and side of a node, in distances of the nodes."""
GAP = 1.6
"""Between two membranes."""
Joins = NDArray[np.intp]
Shape = tuple[int, ...]


def lattice_plan(
    shapes: list[Shape], groups: tuple[GroupCells, ...], network: SpringNetwork | None = None
) -> Plan | None:
    """Return the drawing of the membranes that *network* describes; None: it is no rectangular grid.

    Without a network, couplings and grounds of *shapes* (membranes, springs of each) are taken for those of a grid
    that is numbered along its rows, the longer side along x.
    """
    if network is None:
        found = _guessed(shapes)
        if found is None:
            return None
        joins, nx, ny, membranes = found
        turned = nx != ny
    else:
        joins, turned = network.joins, False
        sides = _sides_of(network)
        if sides is None:
            return None
        nx, ny, membranes = sides
    return _drawn(joins, nx, ny, membranes, groups, turned=turned)


def _drawn(joins: Joins, nx: int, ny: int, membranes: int, groups: tuple[GroupCells, ...], *, turned: bool) -> Plan:
    first, second = joins.T
    grounded = second == GROUND
    places = _places(nx, ny, membranes)
    ends: FloatArray = np.where(grounded[:, np.newaxis], places[first], places[second])
    flat = np.abs(ends - places[first])[:, 0] > 0.0
    width = np.where(grounded, NODE, np.where(flat, ALONG, ACROSS))
    height = np.where(grounded, NODE, np.where(flat, ACROSS, ALONG))
    cells = np.column_stack([(places[first] + ends) / 2, width, height])
    shift = np.array([nx - 1 + GAP, 0.0])
    rows = [np.array([(0.0, j), (nx - 1.0, j)]) for j in range(ny)]
    columns = [np.array([(i, 0.0), (i, ny - 1.0)]) for i in range(nx)]
    titles = [((nx - 1) / 2 + membrane * shift[0], -0.7, f"membrane {membrane}") for membrane in range(membranes)]
    counts = np.where(grounded, np.cumsum(grounded), np.cumsum(~grounded)) - 1
    return Plan(
        kind="lattice",
        about="Squares are the nodes with their springs to ground, bars the springs between neighbours, which are "
        "numbered along x row by row, then along y." + (" The longer side is drawn along x." if turned else ""),
        groups=groups,
        cells=cells,
        short=tuple(
            f"{'g' if ground else 'k'}{k}" for ground, k in zip(grounded.tolist(), counts.tolist(), strict=True)
        ),
        lines=tuple(line + membrane * shift for membrane in range(membranes) for line in rows + columns),
        words=tuple(titles) if membranes > 1 else (),
    )


def _places(nx: int, ny: int, membranes: int) -> FloatArray:
    """Return (membranes·ny·nx, 2) where the nodes are drawn."""
    x, y = np.meshgrid(np.arange(nx, dtype=np.float64), np.arange(ny, dtype=np.float64))
    grid = np.stack([x, y], axis=-1).reshape(-1, 2)
    return np.concatenate([grid + membrane * np.array([nx - 1 + GAP, 0.0]) for membrane in range(membranes)])


def _sides_of(network: SpringNetwork) -> tuple[int, int, int] | None:
    """Return nx, ny and the number of membranes of a network; None: it is no grid numbered row by row.

    Neighbours along x then differ by one, those along y by nx, and no spring leads over the end of a row or from one
    membrane into the next.
    """
    couplings = np.sort(network.joins[network.joins[:, 1] != GROUND], axis=1)
    if not len(couplings):
        return None
    apart = couplings[:, 1] - couplings[:, 0]
    nx = int(apart.max())
    along_x, along_y = couplings[apart == 1], couplings[apart == nx]
    if nx < 2 or len(along_x) + len(along_y) != len(couplings) or network.n_nodes % nx:
        return None
    if np.any(along_x[:, 0] % nx == nx - 1):
        return None
    rows = network.n_nodes // nx
    joined = np.zeros(rows, dtype=bool)
    joined[along_y[:, 0] // nx] = True  # this row and the one below belong to one membrane
    heights = np.diff(np.flatnonzero(np.concatenate([[True], ~joined])))
    if len(set(heights.tolist())) != 1 or heights[0] < 2:
        return None
    return nx, int(heights[0]), len(heights)


def _guessed(shapes: list[Shape]) -> tuple[Joins, int, int, int] | None:
    """Return joins, sides and number of the membranes that couplings and grounds of these *shapes* belong to."""
    if len(shapes) != 2 or len(shapes[0]) != 2 or len(shapes[1]) != 2 or shapes[0][0] != shapes[1][0]:
        return None
    membranes, couplings = shapes[0]
    nodes = prod(shapes[1]) // membranes
    perimeter = 2 * nodes - couplings  # nx + ny, as there are 2·nx·ny − nx − ny couplings
    root = perimeter**2 - 4 * nodes
    if root < 0 or isqrt(root) ** 2 != root or (perimeter + isqrt(root)) % 2:
        return None
    nx = (perimeter + isqrt(root)) // 2
    ny = perimeter - nx
    numbers = np.arange(nodes, dtype=np.intp).reshape(ny, nx)
    along_x = np.stack([numbers[:, :-1], numbers[:, 1:]], axis=-1).reshape(-1, 2)
    along_y = np.stack([numbers[:-1], numbers[1:]], axis=-1).reshape(-1, 2)
    one = np.concatenate([along_x, along_y])
    coupled = np.concatenate([one + nodes * membrane for membrane in range(membranes)])
    ground = np.arange(membranes * nodes, dtype=np.intp)
    grounds = np.stack([ground, np.full_like(ground, GROUND)], axis=1)
    return np.concatenate([coupled, grounds]), nx, ny, membranes
