"""Lattice statics against computations of their own: loops over springs, dense solves, the energy, SciPy, Cardano."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import root

from drivers.twin.mechanical.duffing import NotInEquilibrium, equilibrium, times_band
from drivers.twin.mechanical.lattice import Lattice, by_membrane
from drivers.twin.mechanical.statics import Factor, stiffness_band

FloatArray = NDArray[np.float64]
SIZES = [(2, 2), (2, 5), (5, 2), (4, 4), (6, 3)]


def springs(lattice: Lattice, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    drawn = np.exp(np.random.default_rng(seed).uniform(np.log(10), np.log(1000), lattice.n_couplings + lattice.n_nodes))
    return drawn[: lattice.n_couplings], drawn[lattice.n_couplings :]


def forces(*shape: int, seed: int = 1) -> FloatArray:
    return np.random.default_rng(seed).uniform(-1.0, 1.0, shape)


def neighbours(lattice: Lattice) -> list[tuple[int, int]]:
    """Find the pairs of nodes at distance 1, along x first, by comparing every node with every other."""
    place = [(node % lattice.nx, node // lattice.nx) for node in range(lattice.nx * lattice.ny)]
    pairs = [
        (i, j)
        for i, (xi, yi) in enumerate(place)
        for j, (xj, yj) in enumerate(place)
        if i < j and abs(xi - xj) + abs(yi - yj) == 1
    ]
    return sorted(pairs, key=lambda pair: (place[pair[0]][1] != place[pair[1]][1], pair))


def energy(lattice: Lattice, couplings: FloatArray, grounds: FloatArray, cubic: float, u: FloatArray) -> float:
    """Add up what every spring stores, one after the other."""
    stored = 0.0
    for (i, j), k in zip(neighbours(lattice), couplings, strict=True):
        stored += 0.5 * k * (u[i] - u[j]) ** 2
    for node, k in enumerate(grounds):
        stored += 0.5 * k * u[node] ** 2 + 0.25 * cubic * u[node] ** 4
    return stored


def dense(lattice: Lattice, couplings: FloatArray, grounds: FloatArray) -> FloatArray:
    matrix = np.diag(grounds)
    for (i, j), k in zip(neighbours(lattice), couplings, strict=True):
        stretch = np.zeros(lattice.n_nodes)
        stretch[[i, j]] = 1.0, -1.0
        matrix += k * np.outer(stretch, stretch)
    return matrix


@pytest.mark.parametrize(("nx", "ny"), SIZES)
def test_springs_join_every_pair_of_neighbours_once(nx: int, ny: int):
    lattice = Lattice(nx, ny)
    assert lattice.couplings.tolist() == [list(pair) for pair in neighbours(lattice)]
    assert lattice.n_couplings == len(lattice.couplings)


def test_a_lattice_has_two_nodes_along_each_side_at_least():
    with pytest.raises(ValueError, match="at least 2 nodes along each side, not 1 x 8"):
        Lattice(1, 8)


@pytest.mark.parametrize(("nx", "ny"), SIZES)
def test_pairs_are_disjoint_neighbours_and_leave_the_end_of_an_odd_row_out(nx: int, ny: int):
    pairs = Lattice(nx, ny).pairs
    assert len(pairs) == (nx // 2) * ny
    assert len(np.unique(pairs)) == pairs.size
    assert {tuple(pair) for pair in pairs.tolist()} <= set(neighbours(Lattice(nx, ny)))


def test_inner_nodes_have_four_neighbours():
    lattice = Lattice(5, 4)
    degree = np.bincount(lattice.couplings.ravel())
    assert lattice.inner.tolist() == np.flatnonzero(degree == 4).tolist()
    assert Lattice(2, 7).inner.size == 0


@given(st.integers(2, 12), st.integers(2, 12), st.data())
def test_loads_are_spread_over_different_nodes_of_the_lattice(nx: int, ny: int, data: st.DataObject):
    count = data.draw(st.integers(1, nx * ny))
    nodes = Lattice(nx, ny).evenly(count)
    assert len(np.unique(nodes)) == count
    assert nodes.min() >= 0
    assert nodes.max() < nx * ny


def test_four_loads_on_six_by_six_sit_in_the_middle_of_the_quarters_and_all_nodes_come_in_order():
    assert Lattice(6, 6).evenly(4).tolist() == [7, 10, 25, 28]
    assert Lattice(5, 3).evenly(15).tolist() == list(range(15))
    with pytest.raises(ValueError, match="has 15 nodes; 16 cannot be chosen"):
        Lattice(5, 3).evenly(16)


def test_couplings_of_all_membranes_come_before_the_ground_springs_of_all():
    lattice = Lattice(3, 2)
    (first, first_grounds), (second, second_grounds) = by_membrane(lattice, np.arange(2 * (7 + 6)))
    assert first.tolist() == list(range(7))
    assert second.tolist() == list(range(7, 14))
    assert first_grounds.tolist() == list(range(14, 20))
    assert second_grounds.tolist() == list(range(20, 26))


@pytest.mark.parametrize(("nx", "ny"), SIZES)
def test_the_band_of_the_stiffness_matrix_is_the_sum_over_springs_and_nothing_lies_outside(nx: int, ny: int):
    lattice = Lattice(nx, ny)
    expected, band = dense(lattice, *springs(lattice)), stiffness_band(lattice, *springs(lattice))
    for below in range(nx + 1):
        np.testing.assert_allclose(band[below, : nx * ny - below], np.diagonal(expected, -below), rtol=1e-14)
    assert not np.tril(expected, -nx - 1).any()
    patterns = forces(3, nx * ny)
    np.testing.assert_allclose(times_band(band, patterns), patterns @ expected, rtol=1e-12, atol=1e-12)


def test_the_stiffness_matrix_is_the_slope_of_the_energys_gradient():
    lattice = Lattice(4, 3)
    step = 1e-3
    couplings, grounds = springs(lattice)
    directions = step * np.eye(lattice.n_nodes)

    def stored(u: FloatArray) -> float:
        return energy(lattice, couplings, grounds, 0.0, u)

    slopes = [
        [(stored(a + b) - stored(a - b) - stored(b - a) + stored(-a - b)) / (4.0 * step**2) for b in directions]
        for a in directions
    ]
    found = times_band(stiffness_band(lattice, couplings, grounds), np.eye(lattice.n_nodes))
    np.testing.assert_allclose(found, slopes, atol=1e-6)


@pytest.mark.parametrize(("nx", "ny"), [*SIZES, (8, 8), (23, 23)])
def test_the_factor_solves_as_a_dense_solve_does(nx: int, ny: int):
    lattice, loads = Lattice(nx, ny), forces(nx * ny, 5)
    expected = np.linalg.solve(dense(lattice, *springs(lattice)), loads)
    found = Factor(stiffness_band(lattice, *springs(lattice))).solve(loads)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@given(st.integers(2, 7), st.integers(2, 7), st.integers(0, 2**32))
def test_equilibrium_is_reciprocal_stable_and_of_one_sign_under_loads_of_one_sign(nx: int, ny: int, seed: int):
    lattice = Lattice(nx, ny)
    couplings, grounds = springs(lattice, seed)
    assert np.linalg.eigvalsh(dense(lattice, couplings, grounds)).min() >= grounds.min() * (1 - 1e-12)
    compliance = Factor(stiffness_band(lattice, couplings, grounds)).solve(np.eye(nx * ny))
    np.testing.assert_allclose(compliance, compliance.T, rtol=1e-9)
    assert (compliance > 0.0).all()  # a nonsingular M-matrix that is irreducible (Berman and Plemmons 1994, ch. 6)
    largest = compliance.max(axis=0)
    assert (largest == np.diag(compliance)).all()


def test_differences_of_neighbours_have_both_signs_under_loads_of_one_sign():
    lattice = Lattice(8, 8)
    compliance = Factor(stiffness_band(lattice, *springs(lattice))).solve(np.eye(64))
    first, second = lattice.pairs.T
    differences = compliance[first] - compliance[second]
    assert 0.4 < (differences > 0.0).mean() < 0.6


def test_a_matrix_that_is_not_positive_definite_is_refused():
    lattice = Lattice(3, 3)
    couplings, grounds = springs(lattice)
    couplings[(lattice.couplings == 4).any(axis=1)] = grounds[4] = 0.0
    with pytest.raises(np.linalg.LinAlgError):
        Factor(stiffness_band(lattice, couplings, grounds))


@pytest.mark.parametrize("cubic", [1e3, 1e6, 1e9])
def test_the_duffing_lattice_stands_where_scipy_finds_the_root(cubic: float):
    lattice = Lattice(4, 3)
    matrix, patterns = dense(lattice, *springs(lattice)), forces(3, 12)
    found = equilibrium(stiffness_band(lattice, *springs(lattice)), cubic, patterns)
    for u, f in zip(found, patterns, strict=True):
        start = np.linalg.solve(matrix, f)
        scaled = root(lambda v, f=f: matrix @ (v * 1e-3) + cubic * (v * 1e-3) ** 3 - f, start * 1e3, tol=1e-12)
        assert scaled.success
        np.testing.assert_allclose(u, scaled.x * 1e-3, rtol=1e-7, atol=1e-12)


def test_the_duffing_lattice_stands_where_the_energy_is_least():
    lattice, cubic = Lattice(3, 4), 1e6
    couplings, grounds = springs(lattice)
    (load,) = forces(1, 12)
    (u,) = equilibrium(stiffness_band(lattice, couplings, grounds), cubic, load[np.newaxis])
    for direction in 1e-5 * np.eye(12):
        up, down = (energy(lattice, couplings, grounds, cubic, u + s * direction) for s in (1, -1))
        assert (up - down) / 2e-5 == pytest.approx(load @ direction / 1e-5, abs=1e-5)


def test_alike_nodes_under_alike_loads_follow_cardanos_formula():
    lattice, ground, cubic, load = Lattice(5, 5), 40.0, 3e5, 0.7
    band = stiffness_band(lattice, springs(lattice)[0], np.full(25, ground))
    half, third = load / (2 * cubic), ground / (3 * cubic)
    spread = np.sqrt(half**2 + third**3)
    expected = np.cbrt(half + spread) + np.cbrt(half - spread)
    found = equilibrium(band, cubic, np.array([np.full(25, load), np.full(25, -load)]))
    np.testing.assert_allclose(found, [np.full(25, expected), np.full(25, -expected)], rtol=1e-9)


@pytest.mark.parametrize("cubic", [1e-3, 1e5, 1e12, 1e15])
def test_newton_converges_from_weak_to_absurd_hardening_and_leaves_unloaded_patterns_at_rest(cubic: float):
    lattice = Lattice(8, 8)
    band, patterns = stiffness_band(lattice, *springs(lattice)), forces(20, 64)
    patterns[7] = 0.0
    found = equilibrium(band, cubic, patterns)
    residual = patterns - found @ dense(lattice, *springs(lattice)) - cubic * found**3
    assert np.abs(residual).max() < 2e-10
    assert not found[7].any()


def test_equilibrium_not_found_is_an_error_that_says_what_is_left():
    lattice = Lattice(3, 3)
    with pytest.raises(NotInEquilibrium, match=r"2 of 2 patterns .* after 2 Newton steps; .* N on a node, allowed"):
        equilibrium(stiffness_band(lattice, *springs(lattice)), 1e9, forces(2, 9), most_steps=2)
