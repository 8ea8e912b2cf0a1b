"""The drawing of parameters of which only the shape is known: a table of cells for each group."""

from dataclasses import replace
from math import ceil, prod, sqrt

import numpy as np

from ffzero_lab.figures.plan import Block, FloatArray, GroupCells, Plan

LEAST_COLUMNS = 32
"""Columns that a list of parameters is broken into, at least."""
CELL = 0.86
"""Side of a cell."""
GAP, GAP_SHARE = 1.6, 0.045
"""Between two groups a title stands: so many units, or so much of the width where that is more."""
FLATTEST = 0.02
"""Least height of a block as a share of the width: a bias of one row must still be seen."""
Shape = tuple[int, ...]


def block_plan(kind: str, shapes: list[Shape], groups: tuple[GroupCells, ...]) -> Plan:
    """Return the drawing: matrices as matrices, wider than high, kernels as a row for each channel, lists broken."""
    blocks = [_block(kind, shape, group) for shape, group in zip(shapes, groups, strict=True)]
    widest = max(block.columns for block in blocks)
    gap, top = max(GAP, GAP_SHARE * widest), 0.0
    for number, block in enumerate(blocks):
        height = max(1.0, FLATTEST * widest / block.rows)
        blocks[number] = replace(block, y=top + height / 2, row_height=height)
        top += block.rows * height + gap
    return Plan(
        kind="blocks",
        about="Each block is a group of parameters. " + " ".join(f"{block.title}." for block in blocks),
        groups=groups,
        cells=_cells(blocks),
        short=tuple(str(index - group.start) for group in groups for index in range(group.start, group.stop)),
        words=tuple(
            (block.x - 0.5, block.y - 0.5 * block.row_height - 0.3 * gap, group.name)
            for block, group in zip(blocks, groups, strict=True)
        ),
        blocks=tuple(blocks),
    )


def _block(kind: str, shape: Shape, group: GroupCells) -> Block:
    size = prod(shape)
    if len(shape) == 1:
        columns = size if size <= 2 * LEAST_COLUMNS else max(LEAST_COLUMNS, ceil(sqrt(3 * size)))
        rows = ceil(size / columns)
        row_step, column_step, told = columns, 1, "numbered row by row"
        if kind == "crossbar":
            columns, rows = size, 1
            row_step, told = size, f"one for each of {size} columns"
    elif len(shape) == 2:
        (down, across), (row_step, column_step) = shape, (shape[1], 1)
        names = ("inputs", "outputs") if kind == "crossbar" else ("rows", "columns")
        if down > across:
            down, across, row_step, column_step, names = across, down, 1, shape[1], names[::-1]
        rows, columns = down, across
        told = f"{across} {names[1]} across, {down} {names[0]} down"
    else:
        rows, columns = shape[0], size // shape[0]
        row_step, column_step = columns, 1
        told = f"a row for each of {rows} channels, its {columns} values across"
    return Block(f"{group.name}: {told}", group.start, group.stop, rows, columns, row_step, column_step, 0.0, 0.0)


def _cells(blocks: list[Block]) -> FloatArray:
    cells: FloatArray = np.full((sum(block.stop - block.start for block in blocks), 4), CELL)
    for block in blocks:
        indices = block.indices()
        row, column = np.nonzero(indices >= 0)
        own = indices[row, column]
        cells[own, :2] = np.column_stack([block.x + column, block.y + row * block.row_height])
        cells[own, 3] = CELL * block.row_height
    return cells
