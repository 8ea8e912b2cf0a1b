"""The mesh as calibration sees it: the twin's own physics, its derivatives, its gauge, and phases from intensities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import unitary_group

from calibration.photonic.constants import Constants, Readings, crosstalk, jacobian, phases_of, predicted
from calibration.photonic.gauge import balanced, canonical, near_balance, wrapped
from calibration.photonic.joint_fit import fit
from calibration.photonic.mesh_model import Layout, slopes, transfer
from calibration.photonic.peeling import peeled
from calibration.photonic.retrieval import completed, rows_of
from drivers.twin.photonic.mesh import Mesh, MeshGeometry

PORTS = st.integers(2, 7)
SEEDS = st.integers(0, 10_000)
FloatArray = NDArray[np.float64]


def drawn(ports: int, seed: int, spread_rad: float = 0.1) -> tuple[Layout, np.random.Generator, FloatArray, FloatArray]:
    """Return a layout, its generator, phases (P,) and splitters (2, M)."""
    rng, layout = np.random.default_rng(seed), Layout(ports)
    return layout, rng, rng.uniform(-4.0, 4.0, ports**2), spread_rad * rng.standard_normal((2, layout.n_mzi))


def intensities(layout: Layout, phases: FloatArray, splitters: FloatArray) -> FloatArray:
    """Return |t|² (N, N), and those of pairs of inputs in phase and in quadrature: all that detectors can tell."""
    through = transfer(layout, phases[np.newaxis], *splitters, 0.0)[0]
    pairs = [through[:, a] + turn * through[:, b] for a in range(layout.ports) for b in range(a) for turn in (1, 1j)]
    return np.abs(np.stack([*through.T, *pairs])) ** 2


@given(PORTS, SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_model_is_the_twins_physics(ports: int, seed: int) -> None:
    layout, _, phases, splitters = drawn(ports, seed)
    twin = Mesh(MeshGeometry(ports), *splitters, kernel="numpy")
    assert np.allclose(transfer(layout, phases[np.newaxis], *splitters, 0.0)[0], twin.transfer(phases), atol=1e-12)


@given(PORTS, SEEDS)
@settings(max_examples=15, deadline=None)
def test_slopes_are_those_of_finite_differences(ports: int, seed: int) -> None:
    layout, _, phases, splitters = drawn(ports, seed)
    exact, step = slopes(layout, phases[np.newaxis], *splitters, 0.03), 1e-6

    def field(phases: FloatArray, splitters: FloatArray, bypass: float = 0.03) -> NDArray[np.complex128]:
        return transfer(layout, phases[np.newaxis], *splitters, bypass)[0]

    for parameter, moved in enumerate(step * np.eye(ports**2)):
        change = (field(phases + moved, splitters) - field(phases - moved, splitters)) / (2 * step)
        assert np.allclose(exact.phases[parameter, 0], change, atol=1e-8)
    for which, told in enumerate((exact.first, exact.second)):
        for mzi in range(layout.n_mzi):
            moved = np.zeros_like(splitters)
            moved[which, mzi] = step
            change = (field(phases, splitters + moved) - field(phases, splitters - moved)) / (2 * step)
            assert np.allclose(told[mzi, 0], change, atol=1e-8)
    change = (field(phases, splitters, 0.03 + step) - field(phases, splitters, 0.03 - step)) / (2 * step)
    assert np.allclose(exact.bypass[0], change, atol=1e-8)


@given(PORTS, SEEDS)
@settings(max_examples=25, deadline=None)
def test_the_canonical_gauge_changes_no_intensity_and_has_no_input_phases(ports: int, seed: int) -> None:
    layout, _, phases, splitters = drawn(ports, seed)
    found = canonical(layout, phases)
    assert not found[2 * layout.n_mzi :].any()
    assert np.allclose(intensities(layout, found, splitters), intensities(layout, phases, splitters), atol=1e-12)
    assert np.allclose(canonical(layout, found), found)


@given(PORTS, SEEDS, st.sampled_from([-1.0, 1.0]))
@settings(max_examples=25, deadline=None)
def test_an_mzi_that_stands_still_has_an_equivalent_of_even_splitters(ports: int, seed: int, sign: float) -> None:
    layout, rng, phases, splitters = drawn(ports, seed)
    mzi = int(rng.integers(layout.n_mzi))
    found, even = balanced(layout, phases, mzi, sign, *splitters[:, mzi].tolist()), splitters.copy()
    even[:, mzi] = 0.0
    assert np.allclose(intensities(layout, found, even), intensities(layout, phases, splitters), atol=1e-12)


@given(PORTS, SEEDS)
@settings(max_examples=25, deadline=None)
def test_splitters_far_from_even_have_equivalents_near_it(ports: int, seed: int) -> None:
    layout, rng, phases, splitters = drawn(ports, seed)
    splitters += rng.choice([-np.pi / 2, 0.0, np.pi / 2], splitters.shape)
    found, first, second = near_balance(layout, phases, *splitters)
    assert max(np.abs(first).max(), np.abs(second).max()) <= np.pi / 4
    assert np.allclose(
        intensities(layout, found, np.stack([first, second])), intensities(layout, phases, splitters), atol=1e-12
    )


@given(PORTS, SEEDS)
@settings(max_examples=25, deadline=None)
def test_peeling_a_unitary_gives_phases_that_build_it(ports: int, seed: int) -> None:
    layout = Layout(ports)
    unitary = unitary_group.rvs(ports, random_state=np.random.default_rng(seed))
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], layout.n_mzi)
    theta, phi = peeled(layout, unitary, signs)
    even = np.zeros(layout.n_mzi)
    built = transfer(layout, np.concatenate([theta, phi, np.zeros(ports)])[np.newaxis], even, even, 0.0)[0]
    assert np.allclose(np.abs((built * unitary.conj()).sum(axis=1)), 1.0, atol=1e-9), "each row but for a phase"


def test_rows_follow_from_intensities_of_known_fields_but_for_a_phase_each() -> None:
    rng = np.random.default_rng(4)
    unitary = unitary_group.rvs(4, random_state=rng)
    fields = rng.standard_normal((60, 4)) + 1j * rng.standard_normal((60, 4))
    readings = np.abs(fields @ unitary.T) ** 2 + 0.01 + 1e-4 * rng.standard_normal((60, 4))
    rows = rows_of(fields, readings)
    assert np.abs((rows * unitary.conj()).sum(axis=1)) == pytest.approx(np.ones(4), abs=2e-3)


def test_a_row_that_nobody_sees_follows_from_the_others() -> None:
    unitary = unitary_group.rvs(5, random_state=np.random.default_rng(2))
    whole = completed(1.3 * unitary[:4], np.arange(4))
    assert np.abs((whole * unitary.conj()).sum(axis=1)) == pytest.approx(np.ones(5), abs=1e-9)


def a_bench(seed: int, settings: int = 24, noise: float = 1e-3) -> tuple[Layout, Constants, Readings]:
    """Return a chip of four ports with all its imperfections, and what it reads at random settings."""
    rng, layout = np.random.default_rng(seed), Layout(4)
    spread = rng.standard_normal
    truth = Constants(
        offsets=np.concatenate([rng.uniform(-np.pi, np.pi, 12), np.zeros(4)]),
        rates=0.2 * np.exp(0.05 * spread(16)),
        first=0.03 * spread(6),
        second=0.03 * spread(6),
        nearest=0.005,
        decay=1.1,
        bypass=0.02,
        inputs=0.02 * spread(4),
        leak=0.03,
        outputs=0.02 * spread(4),
        darks=0.002 * spread(4),
    )
    s, heats = rng.uniform(0.0, 30.0, (settings, 16)), np.exp(0.03 * spread(16))
    patterns = rng.uniform(0.0, 1.0, (12, 4))
    shape = (settings, 12, 4)
    empty = Readings(s, heats, patterns, np.zeros(shape), np.full(shape, noise), np.arange(4))
    outputs = predicted(layout, truth, empty) + noise * spread(shape)
    return layout, truth, Readings(s, heats, patterns, outputs, empty.noise, empty.seen)


def test_the_jacobian_of_all_constants_is_that_of_finite_differences() -> None:
    layout, truth, readings = a_bench(0, settings=3)
    exact, row, step = jacobian(layout, truth, readings), truth.row(), 1e-6
    for constant, moved in enumerate(step * np.eye(len(row))):
        up, down = (predicted(layout, truth.from_row(row + sign * moved), readings) for sign in (1.0, -1.0))
        assert np.allclose(exact[constant], (up - down) / (2 * step), atol=1e-7), f"constant {constant}"


def test_heat_arrives_in_proportion_to_power_and_by_the_law_of_distance() -> None:
    layout, truth, readings = a_bench(1, settings=1)
    shares = crosstalk(layout, truth)
    a, b = 0, 6  # θ and φ of the first MZI: one pitch apart
    assert layout.distances[a, b] == 1.0
    assert shares[a, b] == pytest.approx(0.005)
    more = readings.settings.copy()
    more[0, b] += 10.0
    there = Readings(more, readings.heats, readings.patterns, readings.outputs, readings.noise, readings.seen)
    change = (phases_of(layout, truth, there) - phases_of(layout, truth, readings))[0]
    expected = truth.rates[a] * 0.005 * 10.0 * readings.heats[b] / readings.heats[a]
    assert change[a] == pytest.approx(expected)
    assert change[b] == pytest.approx(truth.rates[b] * 10.0)


@pytest.mark.parametrize("seed", range(3))
def test_the_joint_fit_finds_every_constant_within_its_uncertainty(seed: int) -> None:
    layout, truth, readings = a_bench(seed, settings=40)
    rng = np.random.default_rng(100 + seed)
    wrong = truth.offsets + np.where(np.arange(16) < 12, rng.uniform(-0.3, 0.3, 16), 0.0)
    start = Constants(
        wrong, 1.01 * truth.rates, np.zeros(6), np.zeros(6), 0.0, 1.0, 0.0, np.zeros(4), 0.03, np.zeros(4), np.zeros(4)
    )
    known = Constants(
        offsets=np.where(np.arange(16) < 12, np.inf, 0.0),
        rates=0.05 * truth.rates,
        first=np.full(6, 0.2),
        second=np.full(6, 0.2),
        nearest=0.1,
        decay=0.5,
        bypass=0.1,
        inputs=np.full(4, 0.2),
        leak=0.1,
        outputs=np.full(4, np.inf),
        darks=np.full(4, 0.01),
    ).row()
    found = fit(layout, start, known, readings)
    assert found.chi2 == pytest.approx(1.0, abs=0.1)
    spread, places = np.sqrt(np.diag(found.covariance)), truth.places()
    for name in ("offsets", "rates", "first", "second", "darks"):
        off = found.constants.row()[places[name]] - truth.row()[places[name]]
        off = wrapped(off) if name == "offsets" else off
        assert np.abs(off / np.maximum(spread[places[name]], 1e-12)).max() < 4.5, name
    assert found.constants.nearest == pytest.approx(0.005, abs=4.0 * spread[places["nearest"]][0])
