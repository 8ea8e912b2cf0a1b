"""The drawing of a layer: every parameter has a place of its own, where it is on the chip, and JSON can hold it all."""

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from drivers.twin.mechanical.config import MechanicalConfig
from drivers.twin.mechanical.describing import describe as describe_lattice
from drivers.twin.photonic.config import PhotonicConfig
from drivers.twin.photonic.describing import describe as describe_mesh
from drivers.twin.photonic.mesh import MeshGeometry
from ffzero_lab.device import GROUND, SpringNetwork
from ffzero_lab.figures.chip_plan import plan_of, plan_of_shapes
from ffzero_lab.figures.plan import Plan


def mesh(ports: int) -> Plan:
    described = describe_mesh(PhotonicConfig(ports=ports, layers=1, preset="ideal"), "any")
    return plan_of(described.kind, described.layers[0])


def lattice(**config: Any) -> tuple[Plan, SpringNetwork]:
    layer = describe_lattice(MechanicalConfig.model_validate({"layers": 1, "loads": {"count": 2}, **config})).layers[0]
    assert layer.network is not None
    return plan_of("mechanical", layer), layer.network


def overlapping(plan: Plan) -> int:
    """Pairs of cells that cover each other."""
    left, top = (plan.cells[:, :2] - plan.cells[:, 2:] / 2).T
    right, bottom = (plan.cells[:, :2] + plan.cells[:, 2:] / 2).T
    over = (left[:, np.newaxis] < right - 1e-9) & (left < right[:, np.newaxis] - 1e-9)
    over &= (top[:, np.newaxis] < bottom - 1e-9) & (top < bottom[:, np.newaxis] - 1e-9)
    return int(np.triu(over, 1).sum())


@pytest.mark.parametrize("ports", [2, 3, 4, 9])
def test_the_mzis_of_a_mesh_stand_in_their_columns_and_ports(ports: int) -> None:
    plan, geometry = mesh(ports), MeshGeometry(ports)
    theta, phi = plan.cells[: geometry.n_mzi], plan.cells[geometry.n_mzi : 2 * geometry.n_mzi]
    assert plan.kind == "mesh"
    assert np.floor(theta[:, 1]).tolist() == geometry.port.tolist()
    columns = np.unique(theta[:, 0], return_inverse=True)[1]
    assert columns.tolist() == geometry.column.tolist()
    assert (phi[:, 0] < theta[:, 0]).all()
    assert [(group.name, group.start, group.stop) for group in plan.groups] == [
        ("theta", 0, geometry.n_mzi),
        ("phi", geometry.n_mzi, 2 * geometry.n_mzi),
        ("gamma", 2 * geometry.n_mzi, ports**2),
    ]
    assert plan.short[geometry.n_mzi - 1 : geometry.n_mzi + 1] == (f"θ{geometry.n_mzi - 1}", "φ0")


def test_waveguides_run_unbroken_from_input_to_output_and_meet_only_at_splitters() -> None:
    ports = 5
    plan = mesh(ports)
    assert len(plan.guides) == (2 * ports + 1) * ports
    for port in range(ports):
        own = plan.guides[port::ports]
        for before, after in pairwise(own):
            assert before[-1] == pytest.approx(after[0])
        assert all(abs(place - port) < 0.5 for piece in own for place in piece[:, 1])
        assert own[-1][-1] == pytest.approx(plan.outputs[port])
    geometry = MeshGeometry(ports)
    for column in range(ports):
        inside = plan.guides[(2 * column + 1) * ports : (2 * column + 2) * ports]
        upper = geometry.port[geometry.column == column].tolist()
        near = [p for p in range(ports - 1) if inside[p + 1][0, 1] - inside[p][0, 1] < 0.1]
        assert near == upper


@pytest.mark.parametrize(("nx", "ny", "membranes"), [(2, 2, 1), (4, 4, 2), (5, 3, 1), (3, 6, 2), (2, 4, 1)])
def test_springs_lie_between_the_nodes_they_join(nx: int, ny: int, membranes: int) -> None:
    plan, network = lattice(nx=nx, ny=ny, membranes=membranes)
    assert plan.kind == "lattice"
    grounds = {
        join[0]: cell for join, cell in zip(network.joins.tolist(), plan.cells, strict=True) if join[1] == GROUND
    }
    assert len(grounds) == nx * ny * membranes
    for (first, second), cell in zip(network.joins.tolist(), plan.cells, strict=True):
        if second != GROUND:
            assert cell[:2] == pytest.approx((grounds[first][:2] + grounds[second][:2]) / 2)
            assert np.abs(grounds[first][:2] - grounds[second][:2]).sum() == pytest.approx(1.0)
    assert overlapping(plan) == 0
    width = np.ptp([grounds[node][0] for node in range(nx * ny)])
    assert width == pytest.approx(nx - 1)


def test_without_its_network_a_lattice_is_drawn_by_the_number_of_its_springs() -> None:
    plan, network = lattice(nx=5, ny=3, membranes=2)
    shapes = {"coupling": (2, 22), "ground": (2, 15)}
    assert plan_of_shapes("mechanical", shapes).cells == pytest.approx(plan.cells)
    assert network.n_parameters == len(plan.cells)
    assert plan_of_shapes("mechanical", {"coupling": (1, 5), "ground": (1, 3)}).kind == "blocks"


def test_a_mesh_too_large_to_be_seen_is_drawn_as_blocks() -> None:
    mzis = 200 * 199 // 2
    plan = plan_of_shapes("photonic", {"theta": (mzis,), "phi": (mzis,), "gamma": (200,)})
    assert plan.kind == "blocks"
    assert len(plan.cells) == 200**2


def test_springs_that_are_no_grid_are_drawn_as_blocks() -> None:
    star = np.array([(0, 1), (0, 2), (0, 3), (0, 4), *((node, GROUND) for node in range(5))])
    network = SpringNetwork(star, np.eye(5), np.eye(5))
    assert plan_of_shapes("mechanical", {"coupling": (4,), "ground": (5,)}, network=network).kind == "blocks"


@pytest.mark.parametrize(
    ("shapes", "row_and_column"),
    [
        ({"weights": (7, 3), "bias": (3,)}, lambda i: (i % 3, i // 3)),  # 7 inputs across, 3 outputs down
        ({"weights": (3, 7), "bias": (7,)}, lambda i: (i // 7, i % 7)),
        ({"kernels": (4, 2, 3, 3), "bias": (4,)}, lambda i: (i // 18, i % 18)),
    ],
)
def test_a_crossbar_is_drawn_as_its_matrix(shapes: dict[str, tuple[int, ...]], row_and_column: Any) -> None:
    plan = plan_of_shapes("crossbar", shapes)
    block = plan.blocks[0]
    for index in range(block.stop):
        row, column = row_and_column(index)
        assert block.indices()[row, column] == index
        assert plan.cells[index, :2].tolist() == [block.x + column, block.y + row]
    assert overlapping(plan) == 0


def test_a_long_list_is_broken_into_rows_and_ends_where_its_group_ends() -> None:
    plan = plan_of_shapes("other", {"volts": (1000,), "amps": (7,)})
    indices = [block.indices() for block in plan.blocks]
    assert sorted(index for table in indices for index in table.ravel().tolist() if index >= 0) == list(range(1007))
    assert overlapping(plan) == 0


@pytest.mark.parametrize(
    "plan",
    [mesh(4), lattice(nx=3, ny=3)[0], plan_of_shapes("crossbar", {"weights": (200, 100)})],
    ids=["mesh", "lattice", "blocks"],
)
def test_a_plan_goes_through_json(plan: Plan) -> None:
    told = json.loads(json.dumps(plan.as_json(), allow_nan=False))
    left, top, right, bottom = told["box"]
    if plan.kind == "blocks":
        assert "cells" not in told
        assert told["blocks"][0]["rows"] * told["blocks"][0]["columns"] == 20_000
    else:
        cells = np.array(told["cells"])
        assert cells == pytest.approx(plan.cells, abs=1e-3)
        assert (cells[:, 0] >= left).all()
        assert (cells[:, 0] <= right).all()
        assert (cells[:, 1] >= top).all()
        assert (cells[:, 1] <= bottom).all()
        assert len(told["guides"]) == len(plan.guides)
