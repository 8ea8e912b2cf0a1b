"""Light in an ideal mesh, against matrices that are written down entry by entry and multiplied."""

import numpy as np
import pytest

from ffzero_lab.figures.mesh_light import fields_along
from ffzero_lab.figures.mesh_plan import mesh_layout, mesh_plan
from ffzero_lab.figures.plan import FloatArray


def splitters(ports: int, column: int) -> np.ndarray:
    """Splitters of one half on the ports (p, p + 1) of a column, p ≡ column mod 2."""
    matrix = np.eye(ports, dtype=complex)
    for p in range(column % 2, ports - 1, 2):
        matrix[p : p + 2, p : p + 2] = np.array([[1, 1j], [1j, 1]]) / np.sqrt(2)
    return matrix


def shifts(ports: int, phases: dict[int, float]) -> np.ndarray:
    return np.diag([np.exp(1j * phases.get(p, 0.0)) for p in range(ports)])


def multiplied(ports: int, phases: FloatArray, entering: FloatArray) -> list[np.ndarray]:
    n_mzi = ports * (ports - 1) // 2
    numbers = iter(range(n_mzi))
    fields = [shifts(ports, dict(enumerate(phases[2 * n_mzi :].tolist()))) @ entering]
    for column in range(ports):
        at = {p: next(numbers) for p in range(column % 2, ports - 1, 2)}
        theta = shifts(ports, {p: phases[number] for p, number in at.items()})
        phi = shifts(ports, {p: phases[n_mzi + number] for p, number in at.items()})
        split = splitters(ports, column)
        fields.append(split @ phi @ fields[-1])
        fields.append(split @ theta @ fields[-1])
    return fields


@pytest.mark.parametrize("ports", [2, 3, 4, 7])
def test_fields_are_those_of_a_product_of_matrices_and_lose_nothing(ports: int) -> None:
    layout = mesh_layout([ports * (ports - 1) // 2, ports * (ports - 1) // 2, ports])
    assert layout is not None
    rng = np.random.default_rng(ports)
    phases, entering = rng.uniform(0.0, 4.0 * np.pi, ports**2), rng.uniform(0.0, 1.0, ports)
    fields = fields_along(layout, phases, entering)
    assert np.abs(fields - np.array(multiplied(ports, phases, entering))).max() < 1e-12
    assert (np.abs(fields) ** 2).sum(axis=1) == pytest.approx(np.full(2 * ports + 1, (entering**2).sum()))


def test_there_is_one_field_for_each_piece_of_a_waveguide() -> None:
    layout = mesh_layout([6, 6, 4])
    assert layout is not None
    assert fields_along(layout, np.zeros(16), np.ones(4)).size == len(mesh_plan(layout, ()).guides)


def test_what_is_no_mesh_has_no_layout() -> None:
    assert mesh_layout([6, 6, 3]) is None
    assert mesh_layout([16]) is None
    assert mesh_layout([0, 0, 1]) is None
