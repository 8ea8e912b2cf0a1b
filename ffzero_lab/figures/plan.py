"""A drawing of a layer as numbers: cells, waveguides, outlines, words. Knows no way to draw, and goes through JSON."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Kind = Literal["mesh", "lattice", "blocks"]
Word = tuple[float, float, str]
"""x, y and what stands there."""
DECIMALS = 3
"""Of places in JSON; a cell is about half a unit wide."""


@dataclass(frozen=True)
class GroupCells:
    """The cells of one parameter group: those from *start* up to *stop* of the layer's parameters, in their order."""

    name: str
    unit: str
    """Empty: nobody says."""
    start: int
    stop: int


@dataclass(frozen=True)
class Block:
    """A group drawn as a table of unit cells: row r and column c show parameter start + r·row_step + c·column_step.

    A last row that is not full ends with the group's *stop*. The centre of the first cell is at (x, y); cells are one
    unit wide and *row_height* high.
    """

    title: str
    start: int
    stop: int
    rows: int
    columns: int
    row_step: int
    column_step: int
    x: float
    y: float
    row_height: float = 1.0

    def indices(self) -> NDArray[np.intp]:
        """Return (rows, columns) which parameter each cell shows; −1 behind the last one."""
        found = (
            self.start
            + self.row_step * np.arange(self.rows)[:, np.newaxis]
            + self.column_step * np.arange(self.columns)[np.newaxis]
        )
        return np.where(found < self.stop, found, -1).astype(np.intp)


@dataclass(frozen=True)
class Plan:
    """A drawing of a layer; x runs to the right, y downwards.

    Attributes
    ----------
    kind
        ``mesh``, ``lattice``, or ``blocks`` of cells where nothing else is known.
    about
        How it is read, in a sentence or two.
    groups
        Which cells belong to which parameter group.
    cells
        (P, 4) centre x, centre y, width and height of each parameter's cell, in the order of the parameters.
    short
        (P,) names short enough to stand in the cells.
    lines
        (K, 2) courses of what has no value: outlines, strings of a lattice.
    guides
        (K, 2) pieces of a mesh's waveguides. With N ports there are 2N + 1 levels of N pieces, from the top port down:
        level 2c leads to the first splitters of column c, level 2c + 1 lies between its splitters, the last level
        leads to the outputs. `ffzero_lab.figures.mesh_light` gives the power of each.
    words
        What is written beside the cells.
    outputs
        (n, 2) places of the outputs; empty where they are not drawn.
    blocks
        The cells as tables, for ``blocks``.
    """

    kind: Kind
    about: str
    groups: tuple[GroupCells, ...]
    cells: FloatArray
    short: tuple[str, ...]
    lines: tuple[FloatArray, ...] = ()
    guides: tuple[FloatArray, ...] = ()
    words: tuple[Word, ...] = ()
    outputs: FloatArray = field(default_factory=lambda: np.empty((0, 2)))
    blocks: tuple[Block, ...] = ()

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of everything that is drawn, without a margin."""
        half = self.cells[:, 2:] / 2
        corners = [
            self.cells[:, :2] - half,
            self.cells[:, :2] + half,
            self.outputs,
            np.array([word[:2] for word in self.words]).reshape(-1, 2),
            *self.lines,
            *self.guides,
        ]
        points = np.concatenate(corners)
        (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        return left, top, right, bottom

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold, under the attributes' names, with ``box``.

        Of ``blocks`` the cells are left out: those of large crossbars are many, and the blocks say where they are.
        """
        plain: dict[str, Any] = {
            "kind": self.kind,
            "about": self.about,
            "box": [round(edge, DECIMALS) for edge in self.box],
            "groups": [vars(group) for group in self.groups],
            "words": [[round(x, DECIMALS), round(y, DECIMALS), word] for x, y, word in self.words],
        }
        if self.kind == "blocks":
            return {**plain, "blocks": [vars(block) for block in self.blocks]}
        return {
            **plain,
            "cells": _rounded(self.cells),
            "short": list(self.short),
            "lines": [_rounded(line) for line in self.lines],
            "guides": [_rounded(guide) for guide in self.guides],
            "outputs": _rounded(self.outputs),
        }


def _rounded(places: FloatArray) -> list[list[float]]:
    return np.round(places, DECIMALS).tolist()
