"""Where the parameters of a layer are on a drawing of it: a mesh as a mesh, a lattice as a lattice, else blocks.

The run report, the calibration report and the live view draw from the same geometry. It needs NumPy alone.
"""

from collections.abc import Mapping
from math import prod

from ffzero_lab.device.description import LayerDescription
from ffzero_lab.device.network import SpringNetwork
from ffzero_lab.figures.block_plan import block_plan
from ffzero_lab.figures.lattice_plan import lattice_plan
from ffzero_lab.figures.mesh_plan import mesh_layout, mesh_plan
from ffzero_lab.figures.plan import GroupCells, Plan

LARGEST_MESH = 128
"""Ports of a mesh above which it is drawn as blocks: nobody could tell its waveguides apart."""


def plan_of(kind: str, layer: LayerDescription) -> Plan:
    """Return the drawing of a *layer* of a device of *kind*, from its description."""
    shapes = {group.name: group.shape for group in layer.groups}
    return plan_of_shapes(kind, shapes, {group.name: group.unit for group in layer.groups}, layer.network)


def plan_of_shapes(
    kind: str,
    shapes: Mapping[str, tuple[int, ...]],
    units: Mapping[str, str] | None = None,
    network: SpringNetwork | None = None,
) -> Plan:
    """Return the drawing of a layer of a device of *kind*, of whose groups the *shapes* are known.

    The way springs are put together decides how a lattice is drawn; without it, their numbers do.
    """
    groups: list[GroupCells] = []
    start = 0
    for name, shape in shapes.items():
        groups.append(GroupCells(name, (units or {}).get(name, ""), start, start + prod(shape)))
        start += prod(shape)
    own, listed = tuple(groups), list(shapes.values())
    plan: Plan | None = None
    if kind == "photonic":
        layout = mesh_layout([prod(shape) for shape in listed])
        plan = mesh_plan(layout, own) if layout is not None and layout.ports <= LARGEST_MESH else None
    elif kind == "mechanical":
        plan = lattice_plan(listed, own, network)
    return block_plan(kind, listed, own) if plan is None else plan
