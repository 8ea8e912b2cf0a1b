"""Exact slopes of a mesh: equal to finite differences of the twin's own kernels, blind to what no detector sees."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from drivers.twin.photonic.adjoint import phase_slopes
from drivers.twin.photonic.mesh import Mesh, MeshGeometry
from drivers.twin.photonic.passive import PassiveMesh

STEP_RAD = 1e-4


def lossy_mesh(ports: int, rng: Generator, spread_rad: float = 0.3) -> tuple[Mesh, PassiveMesh]:
    """Return the mesh under test and its constants, with 0.4 dB a column and 0.3 dB a coupler."""
    geometry = MeshGeometry(ports)
    first, second = rng.normal(0.0, spread_rad, (2, geometry.n_mzi))
    mesh = Mesh(geometry, first, second, column_loss_db=0.4, coupler_loss_db=0.3)
    passive = PassiveMesh(geometry.column_starts, first, second, 10.0 ** (-0.6 / 20.0), 10.0 ** (-0.4 * ports / 20.0))
    return mesh, passive


def differences(mesh: Mesh, phases: NDArray[Any], fields: NDArray[Any], loss: Any) -> NDArray[np.float64]:
    """Return ∂L/∂phase (P,) by central differences of fourth order."""

    def at(index: int, change: float) -> float:
        moved = phases.copy()
        moved[index] += change
        return loss(np.abs(mesh.propagate(fields, moved)) ** 2)

    return np.array(
        [
            (8.0 * (at(i, STEP_RAD) - at(i, -STEP_RAD)) - (at(i, 2.0 * STEP_RAD) - at(i, -2.0 * STEP_RAD)))
            / (12.0 * STEP_RAD)
            for i in range(len(phases))
        ]
    )


@pytest.mark.parametrize("kind", ["real", "complex"])
@settings(deadline=None, max_examples=25)
@given(ports=st.integers(2, 9), batch=st.integers(1, 14), seed=st.integers(0, 2**32 - 1))
def test_slopes_equal_finite_differences_of_a_bent_loss(kind: str, ports: int, batch: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mesh, passive = lossy_mesh(ports, rng)
    phases = rng.uniform(-10.0, 10.0, ports**2)
    fields = rng.standard_normal((batch, ports)) + (
        1j * rng.standard_normal((batch, ports)) if kind == "complex" else 0
    )
    weights = rng.standard_normal((batch, ports))

    def loss(intensities: NDArray[np.float64]) -> float:
        return float((weights * np.sin(intensities)).sum())

    intensities = np.abs(mesh.propagate(fields, phases)) ** 2
    exact = phase_slopes(passive, phases, fields, weights * np.cos(intensities))
    expected = differences(mesh, phases, fields, loss)
    assert_allclose(exact, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max() + 1e-9)


def test_a_mesh_of_full_size_agrees_at_phases_of_every_kind() -> None:
    rng = np.random.default_rng(4)
    mesh, passive = lossy_mesh(64, rng, spread_rad=0.06)
    phases, fields = rng.uniform(0.0, 6.0, 64**2), rng.random((200, 64))
    weights = rng.standard_normal((200, 64))
    exact = phase_slopes(passive, phases, fields, weights)
    direction = rng.standard_normal(64**2)

    def along(change: float) -> float:
        return float((weights * mesh.intensities(fields, phases + change * direction)).sum())

    slope = (8.0 * (along(1e-4) - along(-1e-4)) - (along(2e-4) - along(-2e-4))) / 12e-4
    assert_allclose(exact @ direction, slope, rtol=1e-6)


def test_what_no_detector_sees_has_no_slope() -> None:
    """A phase common to all inputs is lost on |E|²; the total power of a mesh without loss is the input's."""
    rng = np.random.default_rng(5)
    geometry = MeshGeometry(8)
    first, second = rng.normal(0.0, 0.1, (2, geometry.n_mzi))
    passive = PassiveMesh(geometry.column_starts, first, second, 1.0, 1.0)
    phases, fields = rng.uniform(0.0, 6.0, 64), rng.random((5, 8))
    seen = phase_slopes(passive, phases, fields, rng.standard_normal((5, 8)))
    assert np.abs(seen).max() > 0.1
    assert_allclose(seen[2 * geometry.n_mzi :].sum(), 0.0, atol=1e-12)
    assert_allclose(phase_slopes(passive, phases, fields, np.ones((5, 8))), 0.0, atol=1e-12)
