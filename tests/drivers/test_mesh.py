"""The ideal mesh: unitary, numbered as documented, equal in every kernel, causal in its light cone."""

import subprocess
import sys
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from drivers.twin.photonic.mesh import Mesh, MeshGeometry

KERNELS: tuple[Literal["numba", "numpy"], ...] = ("numba", "numpy")
PORTS = (2, 3, 4, 5, 8, 17, 32, 33)


def random_mesh(ports: int, seed: int, kernel: Literal["numba", "numpy"], spread_rad: float = 0.3):
    """Return a mesh with uneven splitters, phases over more than a turn, and the generator that drew them."""
    rng = np.random.default_rng(seed)
    geometry = MeshGeometry(ports)
    first, second = rng.normal(0, spread_rad, (2, geometry.n_mzi))
    phases = rng.uniform(-10, 10, geometry.n_parameters)
    return Mesh(geometry, first, second, kernel=kernel), first, second, phases, rng


def dense_product(
    ports: int, first: NDArray[np.float64], second: NDArray[np.float64], phases: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """Multiply the definition out, one N×N matrix per MZI, sharing nothing with the code under test."""

    def splitter(beta: float) -> NDArray[np.complex128]:
        c, s = np.cos(np.pi / 4 + beta), np.sin(np.pi / 4 + beta)
        return np.array([[c, 1j * s], [1j * s, c]])

    n = ports * (ports - 1) // 2
    total = np.diag(np.exp(1j * phases[2 * n :]))
    k = 0
    for column in range(ports):
        for p in range(ports - 1):
            if (p - column) % 2 == 0:
                inner, outer = np.diag([np.exp(1j * phases[k]), 1]), np.diag([np.exp(1j * phases[n + k]), 1])
                embedded = np.eye(ports, dtype=complex)
                embedded[p : p + 2, p : p + 2] = splitter(second[k]) @ inner @ splitter(first[k]) @ outer
                total = embedded @ total
                k += 1
    assert k == n
    return total


@pytest.mark.parametrize("ports", [2, 3, 4, 7, 10])
def test_mzis_are_numbered_column_by_column_with_ports_ascending(ports: int):
    geometry = MeshGeometry(ports)
    expected = [(c, p) for c in range(ports) for p in range(c % 2, ports - 1, 2)]
    assert list(zip(geometry.column.tolist(), geometry.port.tolist(), strict=True)) == expected
    assert geometry.n_mzi == len(expected)
    assert geometry.n_parameters == ports**2
    starts = geometry.column_starts
    assert starts.shape == (ports + 1,)
    assert starts[-1] == geometry.n_mzi
    assert [geometry.column[start] for start in starts[:-1] if start < geometry.n_mzi] == sorted(
        {column for column, _ in expected}
    )


def test_a_mesh_of_one_port_is_refused():
    with pytest.raises(ValueError, match="ports=1"):
        MeshGeometry(1)


@pytest.mark.parametrize("kernel", KERNELS)
@settings(deadline=None, max_examples=40)
@given(data=st.data(), ports=st.integers(2, 20), seed=st.integers(0, 2**32 - 1))
def test_every_mesh_is_unitary_and_conserves_energy(
    kernel: Literal["numba", "numpy"], data: st.DataObject, ports: int, seed: int
):
    rng = np.random.default_rng(seed)
    geometry = MeshGeometry(ports)
    largest_rad = data.draw(st.sampled_from([0.0, 0.03, 1.0, 100.0]))
    first, second = rng.uniform(-largest_rad, largest_rad, (2, geometry.n_mzi))
    phases = rng.uniform(-1, 1, geometry.n_parameters) * data.draw(st.floats(0, 1e4))
    mesh = Mesh(geometry, first, second, kernel=kernel)
    matrix = mesh.transfer(phases)
    np.testing.assert_allclose(matrix @ matrix.conj().T, np.eye(ports), atol=1e-13)
    amplitudes = rng.normal(size=(data.draw(st.integers(1, 2 * ports)), ports))
    detected = mesh.intensities(amplitudes, phases)
    np.testing.assert_allclose(detected.sum(axis=1), (amplitudes**2).sum(axis=1), rtol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("ports", PORTS)
def test_transfer_matrix_is_the_dense_product_of_its_mzis(ports: int, kernel: Literal["numba", "numpy"]):
    mesh, first, second, phases, _ = random_mesh(ports, 1, kernel)
    np.testing.assert_allclose(mesh.transfer(phases), dense_product(ports, first, second, phases), rtol=0, atol=1e-13)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("ports", PORTS)
def test_small_and_large_batches_agree_with_the_dense_product(ports: int, kernel: Literal["numba", "numpy"]):
    mesh, first, second, phases, rng = random_mesh(ports, 2, kernel)
    matrix = dense_product(ports, first, second, phases)
    for batch in {1, ports - 1, ports, 3 * ports + 1}:
        real = rng.uniform(0, 1, (batch, ports))
        fields = real * np.exp(1j * rng.uniform(0, 7, real.shape))
        np.testing.assert_allclose(mesh.propagate(fields, phases), fields @ matrix.T, rtol=0, atol=1e-12)
        np.testing.assert_allclose(mesh.propagate(real, phases), real @ matrix.T, rtol=0, atol=1e-12)
        np.testing.assert_allclose(mesh.intensities(real, phases), np.abs(real @ matrix.T) ** 2, rtol=0, atol=1e-11)


def test_numba_kernel_agrees_with_the_reference_on_a_large_mesh():
    compiled, first, second, phases, rng = random_mesh(129, 3, "numba", spread_rad=0.03)
    reference = Mesh(compiled.geometry, first, second, kernel="numpy")
    for batch in (1, 37, 128, 200):
        amplitudes = rng.uniform(0, 1, (batch, 129))
        np.testing.assert_allclose(
            compiled.intensities(amplitudes, phases), reference.intensities(amplitudes, phases), atol=1e-11
        )


def test_ideal_splitters_are_the_default():
    phases = np.random.default_rng(4).uniform(0, 6, 25)
    zeros = np.zeros(10)
    np.testing.assert_allclose(
        Mesh(MeshGeometry(5)).transfer(phases), dense_product(5, zeros, zeros, phases), atol=1e-14
    )


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("ports", [2, 3, 4, 5, 6, 9, 18, 19])
def test_each_parameter_moves_its_light_cone_up_to_both_edges_and_nothing_else(
    ports: int, kernel: Literal["numba", "numpy"]
):
    mesh, _, _, phases, rng = random_mesh(ports, 5, kernel)
    amplitudes = rng.uniform(0.5, 1, (ports - 1, ports))
    before = mesh.intensities(amplitudes, phases)
    first, stop = mesh.geometry.light_cone()
    assert first.shape == stop.shape == (ports**2,)
    for parameter in range(ports**2):
        moved = phases.copy()
        moved[parameter] += 1.0
        change = np.abs(mesh.intensities(amplitudes, moved) - before).max(axis=0)
        low, high = first[parameter], stop[parameter]
        assert change[:low].sum() == 0.0
        assert change[high:].sum() == 0.0
        assert min(change[low], change[high - 1]) > 1e-9


@pytest.mark.parametrize("batch", [3, 40])
def test_results_repeat_to_the_bit_and_do_not_share_memory_with_the_mesh(batch: int):
    mesh, _, _, phases, rng = random_mesh(16, 6, "numba")
    amplitudes = rng.uniform(0, 1, (batch, 16))
    results = mesh.transfer(phases), mesh.propagate(amplitudes, phases), mesh.intensities(amplitudes, phases)
    copies = [result.copy() for result in results]
    mesh.transfer(phases + 1)
    mesh.propagate(amplitudes[: batch // 2], phases + 1)
    mesh.intensities(amplitudes, phases + 1)
    again = mesh.transfer(phases), mesh.propagate(amplitudes, phases), mesh.intensities(amplitudes, phases)
    for result, copy, repeated in zip(results, copies, again, strict=True):
        np.testing.assert_array_equal(result, copy)
        np.testing.assert_array_equal(repeated, copy)


def test_compiled_sine_and_cosine_are_exact_to_rounding_at_any_angle():
    from drivers.twin.photonic.kernels import sine_cosine

    rng = np.random.default_rng(7)
    quarter_turns = np.arange(-8, 9) * np.pi / 2
    angles = np.concatenate([quarter_turns, *(rng.uniform(-s, s, 2000) for s in (1, 30, 1e5, 1e6, 1e12))])
    sine, cosine = np.empty((2, angles.size))
    sine_cosine(angles, sine, cosine)
    np.testing.assert_allclose(sine, np.sin(angles), rtol=0, atol=2.3e-16)
    np.testing.assert_allclose(cosine, np.cos(angles), rtol=0, atol=2.3e-16)
    np.testing.assert_allclose(sine[:17], np.sin(quarter_turns), rtol=1e-14)
    sine_cosine(np.full(angles.size, np.nan), sine, cosine)
    assert np.isnan(sine).all()
    assert np.isnan(cosine).all()


@pytest.mark.parametrize("kernel", KERNELS)
def test_single_precision_patterns_are_computed_in_double(kernel: Literal["numba", "numpy"]):
    mesh, _, _, phases, rng = random_mesh(6, 8, kernel)
    patterns = rng.uniform(0, 1, (4, 6)).astype(np.float32)
    detected = mesh.intensities(patterns, phases)
    assert detected.dtype == np.float64
    np.testing.assert_array_equal(detected, mesh.intensities(patterns.astype(np.float64), phases))


def test_wrong_shapes_and_complex_amplitudes_are_refused_by_name():
    mesh = Mesh(MeshGeometry(4), kernel="numpy")
    with pytest.raises(ValueError, match=r"phases must have shape \(16,\)"):
        mesh.transfer(np.zeros(15))
    with pytest.raises(ValueError, match=r"fields must have shape \(B, 4\)"):
        mesh.propagate(np.zeros((2, 5)), np.zeros(16))
    with pytest.raises(ValueError, match=r"amplitudes must have shape \(B, 4\)"):
        mesh.intensities(np.zeros(4), np.zeros(16))
    with pytest.raises(ValueError, match="amplitudes must be real"):
        mesh.intensities(np.zeros((2, 4), dtype=complex), np.zeros(16))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"splitter_second must have shape \(6,\)"):
        Mesh(MeshGeometry(4), np.zeros(6), np.zeros(7))


def test_numba_is_chosen_where_installed_and_numpy_where_not(monkeypatch: pytest.MonkeyPatch):
    assert Mesh(MeshGeometry(2)).kernel == "numba"
    monkeypatch.setitem(sys.modules, "drivers.twin.photonic.compiled", None)  # its import now fails
    assert Mesh(MeshGeometry(2)).kernel == "numpy"
    with pytest.raises(ImportError):
        Mesh(MeshGeometry(2), kernel="numba")


def test_importing_the_mesh_does_not_import_numba():
    program = "import sys, drivers.twin.photonic.mesh; sys.exit('numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
