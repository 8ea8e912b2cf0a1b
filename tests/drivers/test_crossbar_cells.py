"""The crossbar's memory cells: hidden truth, programming errors, levels, stuck cells, drift, snapshots."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from drivers.twin.crossbar import CrossbarTwin
from drivers.twin.crossbar.noise import gaussian
from drivers.twin.photonic import PhotonicTwin
from drivers.twin.truth import crossbar_truth
from ffzero_lab.device import Guarded, VirtualClock, WallClock

FloatArray = NDArray[np.float64]
ODDS = 1e-6
"""Chance that a sound twin fails a statistical test of another seed."""


def twin(**options: Any) -> CrossbarTwin:
    defaults = {"preset": "ideal", "sizes": [50, 40], "activation": "none"}
    return CrossbarTwin.open(CrossbarTwin.Config(**{**defaults, **options}))


def upper(device: CrossbarTwin) -> float:
    return device.description.layers[0].groups[0].upper


def some_setting(device: CrossbarTwin, seed: int = 0, share: float = 1.0) -> FloatArray:
    described = device.description.layers[0]
    return np.random.default_rng(seed).uniform(-share, share, described.n_parameters) * upper(device)


def conductances(device: CrossbarTwin, layer: int = 0) -> FloatArray:
    return crossbar_truth(device, layer).conductances


def within_chi_square(squares: float, n: int) -> bool:
    low, high = stats.chi2.ppf([ODDS, 1 - ODDS], n)
    return low < squares < high


def test_keyed_noise_is_gaussian_and_every_key_has_its_own():
    drawn = gaussian(7, (1, 2, 3), (300, 400))
    assert stats.kstest(drawn.ravel()[:20_000], "norm").pvalue > ODDS
    assert abs(drawn.mean()) < 5 / drawn.size**0.5
    assert within_chi_square(float((drawn.astype(float) ** 2).sum()), drawn.size)
    assert stats.kurtosis(drawn.ravel()) == pytest.approx(0.0, abs=6 * (24 / drawn.size) ** 0.5)
    np.testing.assert_array_equal(drawn, gaussian(7, (1, 2, 3), (300, 400)))
    for other in (gaussian(8, (1, 2, 3), drawn.shape), gaussian(7, (1, 2, 4), drawn.shape)):
        assert abs(np.corrcoef(drawn.ravel(), other.ravel())[0, 1]) < 5 / drawn.size**0.5


def test_ideal_cells_stand_where_they_were_written():
    device = twin()
    values = some_setting(device)
    device.write_parameters(0, values)
    np.testing.assert_array_equal(conductances(device), values)


@pytest.mark.parametrize(("absolute", "relative"), [(0.02, 0.0), (0.0, 0.05), (0.01, 0.03)])
def test_every_write_errs_by_the_stated_deviation(absolute: float, relative: float):
    device = twin(cells={"programming_error": absolute, "relative_error": relative})
    values = some_setting(device, share=0.5)
    deviation = absolute * upper(device) + relative * np.abs(values)
    errors = []
    for _ in range(5):
        device.write_parameters(0, values)
        errors.append((conductances(device) - values) / deviation)
        np.testing.assert_array_equal(device.read_parameters(0), values)
    found = np.array(errors)
    assert within_chi_square(float((found**2).sum()), found.size)
    assert stats.kstest(found.ravel(), "norm").pvalue > ODDS
    assert np.abs(np.corrcoef(found) - np.eye(5)).max() < 6 / found.shape[1] ** 0.5


def test_programming_errors_are_keyed_by_the_seed_and_the_number_of_the_write():
    def written(seed: int, count: int) -> FloatArray:
        device = twin(seed=seed, cells={"programming_error": 0.01})
        for _ in range(count):
            device.write_parameters(0, some_setting(device))
        return conductances(device)

    np.testing.assert_array_equal(written(0, 2), written(0, 2))
    assert np.abs(written(0, 2) - written(0, 3)).max() > 1e-3
    assert np.abs(written(0, 2) - written(1, 2)).max() > 1e-3


def test_each_crosspoint_has_a_gain_of_its_own_that_stays():
    device = twin(cells={"spread": 0.04})
    values = some_setting(device, share=0.5)
    device.write_parameters(0, values)
    ratios = conductances(device) / values
    assert within_chi_square(float((((ratios - 1.0) / 0.04) ** 2).sum()), ratios.size)
    device.write_parameters(0, 0.5 * values)
    np.testing.assert_allclose(conductances(device) / (0.5 * values), ratios, rtol=1e-12)


@pytest.mark.parametrize("bits", [2, 5, 11])
def test_cells_stand_at_the_nearest_of_their_levels(bits: int):
    device = Guarded(twin(cells={"bits": bits}))
    group = device.description.layers[0].groups[0]
    step = group.upper / (2**bits - 1)
    assert group.resolution == pytest.approx(step)
    values = some_setting(device.driver)
    values[:2] = group.upper, group.lower
    device.write_parameters(0, values)
    levels = step * np.arange(1 - 2**bits, 2**bits)
    nearest = levels[np.abs(levels - values[:, np.newaxis]).argmin(axis=1)]
    reached = device.read_parameters(0)
    assert reached is not None
    np.testing.assert_allclose(reached, nearest, atol=1e-15)
    np.testing.assert_array_equal(conductances(device.driver), reached)
    device.write_parameters(0, reached)
    np.testing.assert_array_equal(device.read_parameters(0), reached)


def test_a_stuck_cell_halves_what_its_crosspoint_can_reach():
    device = twin(cells={"stuck_off": 0.1, "stuck_on": 0.05}, sizes=[200, 100], seed=2)
    truth = crossbar_truth(device, 0).cells
    # G+ and G- are each off, on, or free to go from 0 to 1; the pair reaches from least G+ - most G- to the opposite.
    ends = {"off": (0.0, 0.0), "on": (1.0, 1.0), "free": (0.0, 1.0)}
    chance = {"off": 0.1, "on": 0.05, "free": 0.85}
    expected: dict[tuple[float, float], float] = {}
    for plus, (p_least, p_most) in ends.items():
        for minus, (m_least, m_most) in ends.items():
            reach = p_least - m_most, p_most - m_least
            expected[reach] = expected.get(reach, 0.0) + chance[plus] * chance[minus]
    counted = dict.fromkeys(expected, 0)
    for reach in zip(truth.lower, truth.upper, strict=True):
        counted[reach] += 1
    n = len(truth.lower)
    assert stats.chisquare(list(counted.values()), [n * share for share in expected.values()]).pvalue > ODDS
    for sign in (1.0, -1.0):
        device.write_parameters(0, np.full(n, 0.7 * sign * upper(device)))
        limited = np.clip(0.7 * sign, truth.lower, truth.upper) * upper(device)
        np.testing.assert_allclose(conductances(device), limited, rtol=1e-12)
    device.park()
    np.testing.assert_allclose(conductances(device), np.clip(0.0, truth.lower, truth.upper) * upper(device))


def test_programming_errors_do_not_lead_beyond_full_scale():
    device = twin(cells={"programming_error": 0.1})
    device.write_parameters(0, np.full(2040, upper(device)))
    assert conductances(device).max() == upper(device)


def test_conductances_fall_by_the_power_law_of_the_time_since_they_were_written():
    device = twin(drift={"exponent": 0.06, "exponent_spread": 0.02, "reference_s": 20.0}, sizes=[200, 100])
    exponent = crossbar_truth(device, 0).cells.drift_exponent
    assert within_chi_square(float((((exponent - 0.06) / 0.02) ** 2)[exponent > 0.0].sum()), int((exponent > 0).sum()))
    assert (exponent == 0.0).mean() == pytest.approx(stats.norm.cdf(-3.0), abs=2e-3)
    values = some_setting(device)
    device.write_parameters(0, values)
    np.testing.assert_array_equal(conductances(device), values)
    for age_s in (1.0, 60.0, 86_400.0):
        device.write_parameters(0, values)
        device.clock.sleep_s(age_s)
        np.testing.assert_allclose(conductances(device), values * (1.0 + age_s / 20.0) ** -exponent, rtol=1e-10)
    late = conductances(device)
    device.clock.sleep_s(86_400.0)
    fallen = np.log(np.abs(conductances(device) / late)) / np.log((172_800 + 20) / (86_400 + 20))
    np.testing.assert_allclose(-fallen, exponent, atol=1e-9)


def test_a_frozen_array_drifts_under_the_later_ones_of_a_cascade():
    device = twin(sizes=[6, 5, 4], topology="cascaded", drift={"exponent": 0.1})
    patterns = np.random.default_rng(0).uniform(-1.0, 1.0, (3, 6))
    device.load_inputs(0, patterns)
    for layer in range(2):
        device.write_parameters(layer, some_setting_of(device, layer))
    weights = [some_setting_of(device, layer) for layer in range(2)]
    device.clock.sleep_s(1000.0)
    first = (1.0 + (device.clock.now_s() - 0.01) / 20.0) ** -0.1  # the first array was written 0.01 s after the start
    rows = np.arange(3)
    between = first * (patterns @ weights[0][:30].reshape(6, 5) + weights[0][30:])
    probed = device.probe(1, weights[1][np.newaxis], rows)[0]
    aged = first * (1.0 + 0.01 / (20.0 + 1000.01)) ** -0.1  # the probe's own write took 0.01 s
    expected = (between * aged / first) @ weights[1][:20].reshape(5, 4) + weights[1][20:]
    np.testing.assert_allclose(probed, expected, rtol=1e-6)


def some_setting_of(device: CrossbarTwin, layer: int) -> FloatArray:
    described = device.description.layers[layer]
    return np.random.default_rng(layer).uniform(-1.0, 1.0, described.n_parameters) * described.groups[0].upper


def test_the_truth_is_hidden_and_another_seed_is_another_chip():
    device, other = twin(preset="typical", seed=5), twin(preset="typical", seed=6)
    values = some_setting(device)
    device.write_parameters(0, values)
    assert (
        np.abs(device.read_parameters(0) - values).max() <= 0.5001 * device.description.layers[0].groups[0].resolution
    )
    assert device.read_health() == {}
    named = {"serial_number": device.description.serial_number}
    assert other.description.model_copy(update=named) == device.description
    truths = [crossbar_truth(Guarded(each), 0) for each in (device, other)]
    assert np.abs(truths[0].cells.gain - truths[1].cells.gain).max() > 0.05
    assert np.abs(truths[0].columns.gain - truths[1].columns.gain).max() > 0.02


def test_switching_one_imperfection_off_leaves_the_same_chip():
    whole = crossbar_truth(twin(preset="typical"), 0)
    drift_off = crossbar_truth(twin(preset="typical", drift={"exponent": 0.0, "exponent_spread": 0.0}), 0)
    spread_off = crossbar_truth(twin(preset="typical", cells={"spread": 0.0}, readout={"gain_error": 0.0}), 0)
    np.testing.assert_array_equal(drift_off.cells.gain, whole.cells.gain)
    np.testing.assert_array_equal(spread_off.cells.drift_exponent, whole.cells.drift_exponent)
    np.testing.assert_array_equal(spread_off.cells.lower, whole.cells.lower)
    np.testing.assert_array_equal(spread_off.columns.offset, whole.columns.offset)
    assert not drift_off.cells.drift_exponent.any()
    assert (spread_off.cells.gain == 1.0).all()
    assert (spread_off.columns.gain == 1.0).all()


def test_only_a_crossbar_reveals_its_truth():
    with pytest.raises(TypeError, match="twin:photonic is not a crossbar twin"):
        crossbar_truth(PhotonicTwin.open(PhotonicTwin.Config(ports=4)), 0)


def test_a_snapshot_goes_on_to_the_bit_in_another_twin_with_drift_and_noise():
    def begun() -> CrossbarTwin:
        device = twin(preset="typical", sizes=[50, 40, 30])
        for layer, width in enumerate((50, 40)):
            device.load_inputs(layer, np.random.default_rng(layer).uniform(-1.0, 1.0, (7, width)))
        return device

    device = begun()
    for layer in (0, 1, 0):
        device.write_parameters(layer, some_setting_of(device, layer))
    device.clock.sleep_s(5000.0)
    state, rows = device.snapshot(), np.arange(7)
    revived = begun()
    revived.restore(state)
    for layer in range(2):
        np.testing.assert_array_equal(revived.read_outputs(layer, rows), device.read_outputs(layer, rows))
        setting = some_setting_of(device, layer)[np.newaxis]
        np.testing.assert_array_equal(revived.probe(layer, setting, rows), device.probe(layer, setting, rows))
        np.testing.assert_array_equal(conductances(revived, layer), conductances(device, layer))
    assert revived.clock.now_s() == device.clock.now_s()


def test_a_snapshot_of_other_arrays_is_refused_but_of_another_bench_it_is_not():
    state = twin(preset="typical").snapshot()
    twin(preset="typical", timing={"write_s": 1.0}).restore(state)
    for other in ({"seed": 1}, {"sizes": [50, 41]}, {"drift": {"exponent": 0.07}}):
        with pytest.raises(ValueError, match="this is a snapshot of"):
            twin(preset="typical", **other).restore(state)


def test_cells_go_on_ageing_from_where_a_snapshot_left_them_on_a_clock_of_another_origin():
    class Bench:
        def __init__(self, now_s: float) -> None:
            self.at_s = now_s

        def now_s(self) -> float:
            return self.at_s

        def sleep_s(self, duration_s: float) -> None:
            self.at_s += duration_s

    config = CrossbarTwin.Config(preset="ideal", sizes=[50, 40], drift={"exponent": 0.1})
    device, revived = CrossbarTwin.open(config, Bench(1e6)), CrossbarTwin.open(config, Bench(3.0))
    device.write_parameters(0, some_setting(device))
    device.clock.sleep_s(100.0)
    revived.restore(device.snapshot())
    for _ in range(2):
        np.testing.assert_allclose(conductances(revived), conductances(device), rtol=1e-9)
        device.clock.sleep_s(500.0)
        revived.clock.sleep_s(500.0)


def test_a_twin_takes_virtual_time_unless_it_is_told_to_wait():
    assert isinstance(twin().clock, VirtualClock)
    assert isinstance(twin(realtime=True).clock, WallClock)
