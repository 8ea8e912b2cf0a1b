"""The photonic twin beyond its mesh: detection, drive, hidden truth, cascade, clock, power."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from drivers.twin.photonic import PhotonicTwin
from drivers.twin.truth import photonic_truth
from ffzero_lab.device import DarkBatch, Guarded, LimitViolation, StagingLost

PORTS = 6
ODDS = 1e-6
"""Chance that a sound twin fails a statistical test of another seed."""


def twin(**options: object) -> PhotonicTwin:
    return PhotonicTwin.open(PhotonicTwin.Config(**{"preset": "ideal", "ports": PORTS, **options}))


def some(*shape: int, seed: int = 0, upper: float = 1.0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(0.0, upper, shape)


def read(device: PhotonicTwin, layer: int, patterns: NDArray[np.float64]) -> NDArray[np.float64]:
    return device.read_outputs(layer, np.arange(len(patterns)))


def dense_mesh(phases: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64]):
    """Multiply out a rectangular mesh from its definition, one MZI after the other, without the code under test."""
    ports = round(len(phases) ** 0.5)
    theta, phi, gamma = np.split(phases, [len(first), 2 * len(first)])
    matrix = np.diag(np.exp(1j * gamma))
    positions = [(c, p) for c in range(ports) for p in range(c % 2, ports - 1, 2)]
    for k, (_, p) in enumerate(positions):
        splitters = []
        for error in (first[k], second[k]):
            c, s = np.cos(np.pi / 4 + error), np.sin(np.pi / 4 + error)
            splitters.append(np.array([[c, 1j * s], [1j * s, c]]))
        block = splitters[1] @ np.diag([np.exp(1j * theta[k]), 1]) @ splitters[0] @ np.diag([np.exp(1j * phi[k]), 1])
        matrix[p : p + 2] = block @ matrix[p : p + 2]
    return matrix


def revealed_mesh(device: PhotonicTwin, layer: int) -> NDArray[np.complex128]:
    truth = photonic_truth(Guarded(device), layer)
    phases = device.read_parameters(layer) + truth.offsets
    return dense_mesh(phases, truth.splitter_first, truth.splitter_second)


def test_ideal_twin_conserves_energy_at_every_setting():
    device = twin(layers=1)
    patterns = some(20, PORTS)
    device.load_inputs(0, patterns)
    outputs = device.probe(0, some(5, PORTS**2, upper=12.0), np.arange(20))
    np.testing.assert_allclose(outputs.sum(axis=2), np.tile((patterns**2).sum(axis=1), (5, 1)), rtol=1e-12)


@pytest.mark.parametrize(
    "imperfections", [{}, {"random_offsets": True}, {"splitter_error_rad": 0.1}, {"phase_error_rad": 0.2}]
)
def test_outputs_are_those_of_the_revealed_chip(imperfections: dict[str, object]):
    device = twin(seed=3, mesh=imperfections)
    patterns = some(4, PORTS)
    for layer in range(2):
        device.load_inputs(layer, patterns)
        for phases in (np.zeros(PORTS**2), some(PORTS**2, seed=layer, upper=12.0)):
            device.write_parameters(layer, phases)
            expected = np.abs(patterns @ revealed_mesh(device, layer).T) ** 2
            np.testing.assert_allclose(read(device, layer, patterns), expected, atol=1e-12)


def test_offsets_and_splitters_are_hidden_from_the_port():
    device = twin(preset="typical", seed=5)
    truth = photonic_truth(device, 0)
    assert truth.offsets.std() > 1.0
    assert not device.read_parameters(0).any()
    assert device.read_health() == {"heat_0": 0.0, "heat_1": 0.0, "laser": 1.0}
    assert device.description == twin(preset="typical", seed=5).description
    other = twin(preset="typical", seed=6).description
    assert other.model_copy(update={"serial_number": device.description.serial_number}) == device.description


def test_the_truth_has_the_stated_distributions():
    truth = photonic_truth(twin(preset="typical", ports=64), 1)
    errors = np.concatenate([truth.splitter_first, truth.splitter_second]) / 0.03
    assert stats.kstest(errors, "norm").pvalue > ODDS
    assert stats.kstest(truth.offsets / (2 * np.pi), "uniform").pvalue > ODDS


def test_only_a_photonic_twin_reveals_its_truth():
    class Other:
        description = twin().description

    with pytest.raises(TypeError, match="is not a photonic twin"):
        photonic_truth(Other(), 0)  # type: ignore[arg-type]


def test_the_same_seed_is_the_same_chip_with_the_same_noise_and_another_seed_another():
    patterns = some(7, PORTS)

    def answers(seed: int) -> NDArray[np.float64]:
        device = twin(preset="typical", seed=seed)
        device.load_inputs(0, patterns)
        return device.probe(0, some(3, PORTS**2), np.arange(7))

    np.testing.assert_array_equal(answers(1), answers(1))
    assert np.abs(answers(1) - answers(2)).max() > 0.1
    chips = [photonic_truth(twin(preset="typical", seed=1), layer) for layer in (0, 1)]
    assert np.abs(chips[0].offsets - chips[1].offsets).max() > 0.1


def test_detector_noise_has_the_stated_variance_in_every_channel_and_is_white():
    device = twin(detectors={"thermal_noise": 0.01, "full_scale": 2.0})
    sigma, patterns, readings = 0.01 * 2.0, some(1, PORTS), 4000
    device.load_inputs(0, patterns)
    device.write_parameters(0, some(PORTS**2))
    noise = device.read_outputs(0, np.zeros(readings, dtype=np.intp))
    noise -= np.abs(patterns @ revealed_mesh(device, 0).T) ** 2
    sums = (noise**2).sum(axis=0) / sigma**2
    low, high = stats.chi2.ppf([ODDS, 1 - ODDS], readings)
    assert (low < sums).all(), sums
    assert (sums < high).all(), sums
    assert stats.kstest(noise.ravel() / sigma, "norm").pvalue > ODDS
    correlation = np.corrcoef(noise.T) - np.eye(PORTS)
    assert np.abs(correlation).max() < 6.0 / readings**0.5
    again = device.read_outputs(0, np.zeros(readings, dtype=np.intp))
    assert abs(np.corrcoef(noise[:, 0], again[:, 0])[0, 1]) < 6.0 / readings**0.5


def test_the_floor_is_four_standard_deviations_and_zero_without_noise():
    noise = {"thermal_noise": 0.003, "dark_offset": 0.004, "full_scale": 2.0}
    assert twin(detectors=noise).description.layers[0].detection_floor == pytest.approx(4 * 0.005 * 2.0)
    assert twin().description.layers[0].detection_floor == 0.0


def test_the_converter_rounds_to_its_steps_and_saturates_at_full_scale():
    device = twin(detectors={"adc_bits": 6, "full_scale": 1.0})
    patterns = some(50, PORTS)
    device.load_inputs(0, patterns)
    device.write_parameters(0, some(PORTS**2, upper=12.0))
    true, step = np.abs(patterns @ revealed_mesh(device, 0).T) ** 2, 1.0 / 64
    outputs = read(device, 0, patterns)
    inside = true < 1.0 - step
    assert inside.any()
    assert (true > 1.0).any()
    np.testing.assert_allclose(outputs / step, np.rint(outputs / step), atol=1e-12)
    assert np.abs(outputs - true)[inside].max() <= step / 2 + 1e-12
    assert (outputs[true > 1.0] == 1.0).all()


def test_the_converter_reads_a_little_below_zero_so_that_noise_is_not_rectified():
    device = twin(detectors={"adc_bits": 12, "thermal_noise": 0.002})
    device.load_inputs(0, np.zeros((1, PORTS)))
    dark = device.read_outputs(0, np.zeros(5000, dtype=np.intp))
    assert dark.min() >= -device.description.layers[0].output_upper / 64
    assert abs(dark.mean()) < 5 * 0.008 / dark.size**0.5
    assert abs(dark.std() - 0.008) < 0.03 * 0.008


@pytest.mark.parametrize("bits", [1, 4, 5, 7])
def test_a_coarse_converter_gives_whole_codes_below_zero_too(bits: int):
    device = twin(detectors={"adc_bits": bits, "thermal_noise": 0.1, "full_scale": 1.0})
    device.load_inputs(0, np.zeros((1, PORTS)))
    codes = device.read_outputs(0, np.zeros(2000, dtype=np.intp)) * 2**bits
    np.testing.assert_array_equal(codes, np.rint(codes))


def test_saturated_outputs_are_counted_by_the_guard():
    device = Guarded(twin(detectors={"adc_bits": 14, "full_scale": 0.5}))
    patterns = np.eye(PORTS)[:2]
    device.load_inputs(0, patterns)
    outputs = device.probe(0, np.zeros((1, PORTS**2)), np.arange(2))
    assert device.saturated == np.count_nonzero(outputs == 0.5) > 0


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_the_stated_resolution_is_the_largest_phase_step_of_the_drive(bits: int):
    device = twin(heaters={"drive_bits": bits})
    group = device.description.layers[0].groups[0]
    voltages = 3.0 * np.arange(2**bits) / (2**bits - 1)
    levels = np.pi * voltages**2 / (600.0 * 2e-3)
    levels = levels[levels <= group.upper]
    assert group.resolution == pytest.approx(np.diff(levels).max(), rel=2.0 / len(levels))
    assert group.resolution >= np.diff(levels).max()
    requested = some(PORTS**2, upper=group.upper)
    device.write_parameters(0, requested)
    reached = device.read_parameters(0)
    assert np.abs(reached - requested).max() <= group.resolution / 2 * (1 + 1 / len(levels))
    nearest = np.sqrt(levels)[np.abs(np.sqrt(levels) - np.sqrt(requested)[:, np.newaxis]).argmin(axis=1)] ** 2
    np.testing.assert_allclose(reached, nearest, rtol=1e-9)


@pytest.mark.parametrize("bits", range(4, 20))
def test_setpoints_at_the_upper_bound_are_reached_from_below_so_that_they_can_be_written_back(bits: int):
    device = Guarded(twin(ports=3, heaters={"drive_bits": bits}))
    group = device.description.layers[0].groups[0]
    device.write_parameters(0, np.full(9, group.upper))
    reached = device.read_parameters(0)
    assert (reached <= group.upper).all()
    assert (reached > group.upper - group.resolution).all()
    device.write_parameters(0, reached)
    np.testing.assert_array_equal(device.read_parameters(0), reached)


@pytest.mark.parametrize("drive", ["phase", "power", "volts"])
@pytest.mark.parametrize("full_scale_v", [3.0, 7.990126360253348, 10.0])
def test_setpoints_at_a_limit_that_takes_the_whole_drive_can_be_written_back(drive: str, full_scale_v: float):
    """The square root of R·V²/R may lie under V by the last bit."""
    power_w = full_scale_v**2 / 1000.0
    heaters = {
        "drive_bits": 6,
        "drive_full_scale_v": full_scale_v,
        "resistance_ohm": 1000.0,
        "pi_power_w": power_w / 4.0,
        "power_limit_w": power_w,
    }
    device = Guarded(twin(ports=3, drive=drive, heaters=heaters))
    device.write_parameters(0, np.full(9, device.description.layers[0].groups[0].upper))
    reached = device.read_parameters(0)
    device.write_parameters(0, reached)
    np.testing.assert_array_equal(device.read_parameters(0), reached)


def test_a_step_under_half_of_the_resolution_moves_nothing_and_one_of_it_does():
    device = twin(heaters={"drive_bits": 16}, layers=1)
    top = np.full(PORTS**2, device.description.layers[0].groups[0].upper - 0.1)
    resolution = device.description.layers[0].groups[0].resolution
    device.write_parameters(0, top)
    stands = device.read_parameters(0)
    device.write_parameters(0, stands + 0.45 * resolution)
    np.testing.assert_array_equal(device.read_parameters(0), stands)
    device.write_parameters(0, stands + resolution)
    assert (device.read_parameters(0) > stands).all()


def electro_optic(field: NDArray[np.complex128], alpha: float, gain: float, bias: float) -> NDArray[np.complex128]:
    half = (gain * np.abs(field) ** 2 + bias) / 2
    return np.sqrt(1 - alpha) * np.exp(-1j * half) * np.cos(half) * field


@pytest.mark.parametrize("constants", [(0.1, 0.05 * np.pi, np.pi), (0.3, 1.2, 0.4)])
def test_a_cascade_is_meshes_with_electro_optic_activations_between_them(constants: tuple[float, float, float]):
    alpha, gain, bias = constants
    activation = {"tap_fraction": alpha, "gain_rad": gain, "bias_rad": bias}
    device = twin(topology="cascaded", layers=3, mesh={"random_offsets": True}, seed=2, activation=activation)
    patterns = some(9, PORTS)
    device.load_inputs(0, patterns)
    field = patterns.astype(complex)
    for layer in range(3):
        device.write_parameters(layer, some(PORTS**2, seed=layer, upper=12.0))
        field = field @ revealed_mesh(device, layer).T
        np.testing.assert_allclose(read(device, layer, patterns), np.abs(field) ** 2, atol=1e-12)
        field = electro_optic(field, alpha, gain, bias)


def test_by_default_a_cascade_has_the_constants_of_williamson_2020():
    device = twin(topology="cascaded", activation={})
    patterns = some(9, PORTS)
    device.load_inputs(0, patterns)
    first, second = read(device, 0, patterns), read(device, 1, patterns)
    passed = 0.9 * first * np.cos((0.05 * np.pi * first + np.pi) / 2) ** 2
    np.testing.assert_allclose(second.sum(axis=1), passed.sum(axis=1), rtol=1e-9)  # a mesh conserves energy


def test_with_the_default_constants_the_second_tap_is_dark_on_a_typical_bench():
    device = Guarded(twin(preset="typical", ports=64, topology="cascaded", layers=3))
    patterns = some(100, 64)
    patterns /= patterns.max(axis=1, keepdims=True)
    device.load_inputs(0, patterns)
    rows = np.arange(100)
    for layer in range(3):
        device.write_parameters(layer, some(64**2, seed=layer, upper=6.0))
    floor = device.description.layers[0].detection_floor
    assert device.read_outputs(0, rows).mean() > 5 * floor
    bright = twin(preset="ideal", ports=64, topology="cascaded", layers=3)
    bright.load_inputs(0, patterns)
    for layer in range(3):
        bright.write_parameters(layer, some(64**2, seed=layer, upper=6.0))
    powers = [read(bright, layer, patterns).mean() for layer in range(3)]
    assert powers[0] > 20 * powers[1] > 400 * powers[2]
    assert powers[1] < floor / 4
    with pytest.raises(DarkBatch, match="layer 1"):  # one pattern: among 6400 outputs, noise passes the floor
        device.read_outputs(1, rows[:1])


def test_a_cascade_follows_every_change_before_the_tap():
    patterns = some(8, PORTS)
    settings = [some(PORTS**2, seed=number, upper=6.0) for number in range(6)]
    offsets = {"random_offsets": True}

    def fresh(*standing: NDArray[np.float64], inputs: NDArray[np.float64] = patterns) -> NDArray[np.float64]:
        device = twin(topology="cascaded", layers=3, mesh=offsets)
        device.load_inputs(0, inputs)
        for layer, values in enumerate(standing):
            device.write_parameters(layer, values)
        return read(device, 2, patterns)

    device = twin(topology="cascaded", layers=3, mesh=offsets)
    device.load_inputs(0, patterns)
    for layer in range(3):
        device.write_parameters(layer, settings[layer])
    np.testing.assert_array_equal(read(device, 2, patterns), fresh(*settings[:3]))
    device.write_parameters(0, settings[3])
    np.testing.assert_array_equal(read(device, 2, patterns), fresh(settings[3], *settings[1:3]))
    device.load_inputs(0, patterns[::-1].copy())
    expected = fresh(settings[3], *settings[1:3], inputs=patterns[::-1].copy())
    np.testing.assert_array_equal(read(device, 2, patterns), expected)
    device.park()
    np.testing.assert_array_equal(read(device, 2, patterns), fresh(inputs=patterns[::-1].copy()))


def test_the_virtual_clock_accounts_every_write_and_shot_and_nothing_else():
    device = twin(timing={"write_s": 0.25, "shot_s": 0.125})
    device.load_inputs(0, some(4, PORTS))
    device.read_parameters(0)
    device.read_health()
    device.park()
    assert device.clock.now_s() == 0.0
    device.write_parameters(0, some(PORTS**2))
    assert device.clock.now_s() == 0.25
    device.read_outputs(0, np.array([0, 0, 3]))
    assert device.clock.now_s() == 0.625
    device.probe(0, some(5, PORTS**2), np.arange(4))
    assert device.clock.now_s() == 0.625 + 5 * (0.25 + 4 * 0.125)


def test_heat_follows_the_phases_and_the_budget_is_kept():
    device = Guarded(twin(heaters={"pi_power_w": 0.01, "resistance_ohm": 100.0, "budget_w": 0.3}))
    assert [layer.power_budget_w for layer in device.description.layers] == [0.3, 0.3]
    phases = np.zeros(PORTS**2)
    phases[:5] = np.pi
    device.write_parameters(1, phases)
    assert device.read_health() == pytest.approx({"heat_0": 0.0, "heat_1": 5 * 0.01, "laser": 1.0})
    with pytest.raises(
        LimitViolation, match=r"layer 0: the actuators would draw 0\.72 W, the layer's budget is 0\.3 W"
    ):
        device.write_parameters(0, np.full(PORTS**2, 2 * np.pi))
    assert not device.read_parameters(0).any()
    device.park()
    assert device.read_health() == {"heat_0": 0.0, "heat_1": 0.0, "laser": 1.0}


@pytest.mark.parametrize(
    ("heaters", "message"),
    [
        ({"power_limit_w": 0.0151}, r"power_limit_w is 0\.0151 W, but 3 V in 600 ohm only reach 0\.015 W"),
        ({"pi_power_w": 0.025}, r"power_limit_w, 4 Pπ when left out, is 0\.1 W, but 3 V in 600 ohm only reach"),
    ],
)
def test_a_phase_beyond_the_drive_cannot_be_configured(heaters: dict[str, float], message: str):
    with pytest.raises(ValueError, match=message):
        twin(heaters=heaters)


@pytest.mark.parametrize(
    ("detectors", "most"),
    [
        ({"adc_bits": 0, "full_scale": 1e6, "thermal_noise": 0.01}, "all 6 ports together give 6;"),
        ({"adc_bits": 14, "full_scale": 1e6, "thermal_noise": 0.01}, "all 6 ports together give 6;"),
        ({"adc_bits": 14, "dark_offset": 0.3, "thermal_noise": 0.2}, "the converter ends at 4;"),
    ],
)
def test_detectors_that_tell_no_light_from_noise_cannot_be_configured(detectors: dict[str, float], most: str):
    with pytest.raises(ValueError, match=f"detectors: full_scale .* and {most}"):
        twin(detectors=detectors)


def test_a_closed_twin_has_forgotten_its_patterns():
    device = twin()
    device.load_inputs(0, some(2, PORTS))
    device.close()
    with pytest.raises(StagingLost, match="twin:photonic, layer 0"):
        device.read_outputs(0, np.arange(2))


def test_both_kernels_make_the_same_twin():
    answers = []
    for kernel in ("numba", "numpy"):
        device = twin(
            preset="typical",
            kernel=kernel,
            topology="cascaded",
            detectors={"thermal_noise": 0.0, "shot_noise": 0.0, "adc_bits": 24},
        )
        device.load_inputs(0, some(9, PORTS))
        device.write_parameters(0, some(PORTS**2, upper=12.0))
        answers.append([device.read_outputs(layer, np.arange(9)) for layer in range(2)])
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-6)
