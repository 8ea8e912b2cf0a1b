"""Where the parameters of a layer are on a drawing of it: a mesh as a mesh, a lattice as a lattice, else blocks."""

from dataclasses import dataclass, field
from math import isqrt, prod

import numpy as np
from numpy.typing import NDArray

from calibration.photonic.mesh_model import Layout
from ffzero_lab.device.record import LayerRecord

FloatArray = NDArray[np.float64]
Word = tuple[float, float, str]
"""x, y and what stands there."""
PITCH = 1.7
"""Width of a mesh's column, in distances between its ports."""
BLOCK_COLUMNS = 32


@dataclass(frozen=True)
class Plan:
    """A drawing of a layer; y runs downwards.

    Attributes
    ----------
    about
        How it is read.
    cells
        (P, 4) centre x, centre y, width and height of each parameter's cell.
    short
        (P,) names short enough to stand in the cells.
    lines
        (K, 2) courses of waveguides, or outlines.
    words
        What is written beside the cells.
    outputs
        (n, 2) places of the outputs; empty where they are not drawn.
    """

    about: str
    cells: FloatArray
    short: tuple[str, ...]
    lines: tuple[FloatArray, ...] = ()
    words: tuple[Word, ...] = ()
    outputs: FloatArray = field(default_factory=lambda: np.empty((0, 2)))


def plan_of(layer: LayerRecord, kind: str) -> Plan | None:
    """Return the drawing of a layer of a device of *kind*; None: it has no quantity over its parameters."""
    count = parameters_of(layer)
    if count == 0:
        return None
    ports = isqrt(count)
    sizes = [prod(shape) for shape in layer.groups.values()]
    of_mesh = [ports * (ports - 1) // 2, ports * (ports - 1) // 2, ports]
    if kind == "photonic" and ports**2 == count and sizes in ([], of_mesh):
        return _mesh(Layout(ports))
    shapes = list(layer.groups.values())
    if kind == "mechanical" and len(shapes) == 2 and len(shapes[0]) == len(shapes[1]) == 2:
        sides = _sides(couplings=shapes[0][1], nodes=shapes[1][1])
        if sides is not None and shapes[0][0] == shapes[1][0]:
            return _lattices(*sides, membranes=shapes[0][0])
    return _blocks(layer, count)


def parameters_of(layer: LayerRecord) -> int:
    """Return how many parameters a layer has, by its groups or by what was measured of them."""
    if layer.groups:
        return sum(prod(shape) for shape in layer.groups.values())
    measured = [len(quantity.values) for quantity in layer.quantities.values() if quantity.axis == "parameter"]
    return max(measured, default=0)


def _mesh(layout: Layout) -> Plan:
    n, column, port = layout.ports, PITCH * layout.column.astype(np.float64), layout.port.astype(np.float64)
    ones: FloatArray = np.ones(layout.n_mzi)
    theta: FloatArray = np.stack([column + 1.10, port + 0.24, 0.46 * ones, 0.36 * ones], axis=1)
    phi: FloatArray = np.stack([column + 0.29, port, 0.46 * ones, 0.36 * ones], axis=1)
    ports = np.arange(n, dtype=np.float64)
    gamma: FloatArray = np.stack([np.full(n, -0.62), ports, np.full(n, 0.46), np.full(n, 0.36)], axis=1)
    end = n * PITCH + 0.25
    words = [(-1.25, float(p), f"in {p}") for p in range(n)] + [(end + 0.55, float(p), f"out {p}") for p in range(n)]
    short = [
        f"{symbol}{k}" for symbol, count in (("θ", layout.n_mzi), ("φ", layout.n_mzi), ("γ", n)) for k in range(count)
    ]
    return Plan(
        about="Light runs from left to right. θ sits between the splitters of an MZI, φ before them, γ at the inputs.",
        cells=np.concatenate([theta, phi, gamma]),
        short=tuple(short),
        lines=tuple(_waveguide(layout, p, end) for p in range(n)),
        words=tuple(words),
        outputs=np.stack([np.full(n, end), ports], axis=1),
    )


def _waveguide(layout: Layout, port: int, end: float) -> FloatArray:
    """Return the course (K, 2) of the waveguide at *port*: it comes near its partner at both splitters of an MZI."""
    course: list[tuple[float, float]] = [(-1.0, port)]
    for c in range(layout.ports):
        covered = set(layout.port[layout.of_column(c)].tolist())
        side = 1.0 if port in covered else -1.0 if port - 1 in covered else 0.0
        if side:
            at = c * PITCH
            for x, share in ((0.55, 0.0), (0.68, 0.46), (0.76, 0.46), (0.86, 0.24)):
                course.append((at + x, port + side * share))
            for x, share in ((1.34, 0.24), (1.44, 0.46), (1.52, 0.46), (1.65, 0.0)):
                course.append((at + x, port + side * share))
    return np.array([*course, (end, port)])


def _sides(couplings: int, nodes: int) -> tuple[int, int] | None:
    """Return nx and ny, the longer first, of a lattice of nx·ny nodes with 2·nx·ny − nx − ny couplings."""
    perimeter = 2 * nodes - couplings
    root = perimeter**2 - 4 * nodes
    if root < 0 or isqrt(root) ** 2 != root or (perimeter + isqrt(root)) % 2:
        return None
    nx = (perimeter + isqrt(root)) // 2
    return nx, perimeter - nx


def _lattices(nx: int, ny: int, membranes: int) -> Plan:
    x, y = np.meshgrid(np.arange(nx), np.arange(ny))
    nodes = np.stack([x, y], axis=-1).astype(np.float64)
    along_x, along_y = (nodes[:, :-1] + nodes[:, 1:]) / 2, (nodes[:-1] + nodes[1:]) / 2
    couplings = np.concatenate(
        [
            np.concatenate([centres.reshape(-1, 2), np.tile(size, (centres[..., 0].size, 1))], axis=1)
            for centres, size in ((along_x, (0.52, 0.2)), (along_y, (0.2, 0.52)))
        ]
    )
    grounds = np.concatenate([nodes.reshape(-1, 2), np.full((nx * ny, 2), 0.4)], axis=1)
    shift = np.array([nx + 0.6, 0.0, 0.0, 0.0])
    placed = [
        np.concatenate([cells + membrane * shift for membrane in range(membranes)]) for cells in (couplings, grounds)
    ]
    rows = [np.array([(0.0, j), (nx - 1.0, j)]) for j in range(ny)]
    columns = [np.array([(i, 0.0), (i, ny - 1.0)]) for i in range(nx)]
    lines = [line + membrane * shift[:2] for membrane in range(membranes) for line in rows + columns]
    titles = [((nx - 1) / 2 + membrane * shift[0], -0.7, f"membrane {membrane}") for membrane in range(membranes)]
    short = [f"k{k}" for k in range(len(placed[0]))] + [f"g{k}" for k in range(len(placed[1]))]
    return Plan(
        about="Squares are the nodes with their springs to ground, bars the springs between neighbours, which are "
        "numbered along x row by row, then along y." + (" The longer side is drawn along x." if nx != ny else ""),
        cells=np.concatenate(placed),
        short=tuple(short),
        lines=tuple(lines),
        words=tuple(titles) if membranes > 1 else (),
    )


def _blocks(layer: LayerRecord, count: int) -> Plan:
    """Return the parameters of each group as a block of cells, a row for each index but the last of its shape."""
    groups = layer.groups or {"parameters": (count,)}
    cells: list[FloatArray] = []
    words: list[Word] = []
    short: list[str] = []
    top = 0.0
    for group, shape in groups.items():
        size = prod(shape)
        across = shape[-1] if len(shape) > 1 else min(size, BLOCK_COLUMNS)
        place = np.arange(size, dtype=np.float64)
        cells.append(np.stack([place % across, top + place // across, *np.full((2, size), 0.86)], axis=1))
        words.append((-1.0, top, group))
        short += [str(k) for k in range(size)]
        top += -(-size // across) + 1.0
    return Plan(
        "Each block is a group of parameters, numbered row by row.",
        np.concatenate(cells),
        tuple(short),
        (),
        tuple(words),
    )
