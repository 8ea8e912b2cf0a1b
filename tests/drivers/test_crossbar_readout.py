"""The crossbar's periphery: row converters, amplifiers, noise, column converters, time."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from drivers.twin.crossbar import CrossbarTwin
from drivers.twin.truth import crossbar_truth
from ffzero_lab.device import DarkBatch, Guarded, StagingLost

FloatArray = NDArray[np.float64]
ODDS = 1e-6
"""Chance that a sound twin fails a statistical test of another seed."""
N_IN, N_OUT = 12, 6


def twin(**options: Any) -> CrossbarTwin:
    defaults = {"preset": "ideal", "sizes": [N_IN, N_OUT], "activation": "none"}
    return CrossbarTwin.open(CrossbarTwin.Config(**{**defaults, **options}))


def some(*shape: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).uniform(-1.0, 1.0, shape)


def written(device: CrossbarTwin, seed: int = 1, gain: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """Write a setting; returns the weights (n_in, n_out) and the bias (n_out,)."""
    described = device.description.layers[0]
    values = gain * some(described.n_parameters, seed=seed) * described.groups[0].upper
    device.write_parameters(0, values)
    return values[: N_IN * N_OUT].reshape(N_IN, N_OUT), values[N_IN * N_OUT :]


def read(device: CrossbarTwin, patterns: FloatArray) -> FloatArray:
    device.load_inputs(0, patterns)
    return device.read_outputs(0, np.arange(len(patterns)))


@pytest.mark.parametrize(("activation", "full_scale"), [("none", 2.5), ("relu", 2.5), ("tanh", 1.0)])
def test_noise_has_the_stated_variance_in_every_output_and_is_white(activation: str, full_scale: float):
    device = twin(readout={"noise": 0.01, "full_scale": 2.5}, activation=activation)
    clean, pattern, count = twin(activation=activation), some(1, N_IN), 4000
    for each in (device, clean):
        written(each)
        each.load_inputs(0, pattern)
    rows = np.zeros(count, dtype=np.intp)
    sigma, true = 0.01 * full_scale, clean.read_outputs(0, rows[:1])
    noise = device.read_outputs(0, rows) - true
    sums = (noise**2).sum(axis=0) / sigma**2
    low, high = stats.chi2.ppf([ODDS, 1 - ODDS], count)
    assert (low < sums).all(), sums
    assert (sums < high).all(), sums
    assert stats.kstest(noise.ravel() / sigma, "norm").pvalue > ODDS
    assert np.abs(np.corrcoef(noise.T) - np.eye(N_OUT)).max() < 6.0 / count**0.5
    again = device.read_outputs(0, rows) - true
    assert abs(np.corrcoef(noise.ravel(), again.ravel())[0, 1]) < 6.0 / noise.size**0.5
    assert device.description.layers[0].detection_floor == pytest.approx(4 * sigma)


def test_noise_is_keyed_by_the_seed_the_layer_and_the_number_of_the_reading():
    def readings(seed: int) -> list[FloatArray]:
        device = twin(seed=seed, readout={"noise": 0.01}, sizes=[N_OUT, N_OUT, N_OUT])
        for layer in range(2):
            device.load_inputs(layer, some(5, N_OUT))
        return [device.read_outputs(layer, np.arange(5)) for layer in (0, 1, 0)]

    first, again, other = readings(0), readings(0), readings(1)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    distinct = [*first, *other]
    assert all(np.abs(a - b).max() > 1e-3 for i, a in enumerate(distinct) for b in distinct[:i])


@pytest.mark.parametrize("pooled", [False, True])
def test_amplifiers_have_gains_and_offsets_of_their_own(pooled: bool):
    images = {"kind": "conv", "channels": 40, "kernel": 3, "pool": 2}
    shape = {"sizes": None, "inputs": [1, 6, 6], "layers": [images]} if pooled else {"sizes": [36, 160]}
    device = twin(**shape, readout={"gain_error": 0.05, "offset": 0.01, "full_scale": 3.0})
    clean, patterns = twin(**shape), some(4, 36)
    for each in (device, clean):
        described = each.description.layers[0]
        each.write_parameters(0, some(described.n_parameters, seed=1) * described.groups[0].upper)
    truth = crossbar_truth(device, 0).columns
    per_column = 160 // len(truth.gain)
    gain, offset = np.repeat(truth.gain, per_column), np.repeat(truth.offset, per_column)
    np.testing.assert_allclose(read(device, patterns), read(clean, patterns) * gain + offset, atol=1e-12)
    for found in ((truth.gain - 1.0) / 0.05, truth.offset / (0.01 * 3.0)):
        low, high = stats.chi2.ppf([ODDS, 1 - ODDS], len(found))
        assert low < (found**2).sum() < high
    assert device.description.layers[0].detection_floor == pytest.approx(4 * 0.01 * 3.0)


@pytest.mark.parametrize(
    ("activation", "least", "full_scale"), [("none", -1.5, 1.5), ("relu", -1.5 / 64, 1.5), ("tanh", -1.0, 1.0)]
)
def test_the_converter_rounds_to_its_steps_and_saturates_at_full_scale(
    activation: str, least: float, full_scale: float
):
    device, clean = (
        twin(activation=activation, readout={"full_scale": 1.5, "adc_bits": bits, "noise": 0.0}) for bits in (6, 0)
    )
    for each in (device, clean):
        written(each)
    patterns = some(300, N_IN)
    outputs, true = read(device, patterns), read(clean, patterns)
    step = full_scale / 2 ** (6 if activation == "relu" else 5)
    np.testing.assert_allclose(outputs / step, np.rint(outputs / step), atol=1e-9)
    inside = (true > least) & (true < full_scale - step)
    assert inside.mean() > 0.3
    assert np.abs(outputs - true)[inside].max() <= step / 2 + 1e-12
    assert device.description.layers[0].output_upper == full_scale
    if activation != "tanh":
        assert (true > 1.5).any()
        assert (outputs[true > 1.5] == 1.5).all()
    if activation == "none":
        assert (outputs[true < -1.5] == -1.5).all()


def test_a_converter_behind_relu_reads_a_little_below_zero_so_that_noise_is_not_rectified():
    device = twin(activation="relu", readout={"adc_bits": 12, "noise": 0.002})
    dark = read(device, np.zeros((5000, N_IN)))
    sigma = 0.002 * 4.0
    assert dark.min() >= -4.0 / 64
    assert abs(dark.mean()) < 5 * sigma / dark.size**0.5
    assert dark.std() == pytest.approx(sigma, rel=0.03)


def test_saturated_readings_are_counted_by_the_guard_at_any_full_scale_and_precision():
    for full_scale in (0.1, 0.3, 0.7):
        for noise in (0.0, 0.001):
            device = Guarded(twin(readout={"adc_bits": 9, "full_scale": full_scale, "noise": noise}))
            written(device.driver)
            device.load_inputs(0, some(30, N_IN))
            outputs = device.read_outputs(0, np.arange(30))
            assert device.saturated == np.count_nonzero(outputs == outputs.max()) > 10


def test_an_array_without_its_drive_is_a_dark_batch():
    device = Guarded(twin(preset="typical", readout={"offset": 0.0}, cells={"stuck_on": 0.0}))
    device.load_inputs(0, np.zeros((200, N_IN)))
    with pytest.raises(DarkBatch, match="twin:crossbar, layer 0"):
        device.read_outputs(0, np.arange(200))


@pytest.mark.parametrize(("signed", "bits", "codes"), [(True, 2, 1), (True, 6, 31), (False, 2, 3), (False, 6, 63)])
def test_rows_are_driven_in_the_steps_of_their_converters(signed: bool, bits: int, codes: int):
    device = twin(signed_inputs=signed, drivers={"dac_bits": bits})
    described = device.description.layers[0]
    assert (described.input_lower, described.input_upper) == (-1.0 if signed else 0.0, 1.0)
    weights, bias = written(device)
    patterns = some(40, N_IN) if signed else np.abs(some(40, N_IN))
    patterns[0, :2] = described.input_lower, 1.0
    levels = np.arange(-codes if signed else 0, codes + 1) / codes
    driven = levels[np.abs(levels - patterns[..., np.newaxis]).argmin(axis=-1)]
    np.testing.assert_allclose(read(device, patterns), driven @ weights + bias, atol=1e-12)


def test_in_a_cascade_only_the_first_rows_have_converters():
    device = twin(sizes=[N_IN, N_OUT, 5], topology="cascaded", drivers={"dac_bits": 4})
    weights, bias = written(device)
    device.write_parameters(1, np.full(35, 0.1))
    patterns = some(9, N_IN)
    driven = np.rint(patterns * 7) / 7
    expected = 0.1 * ((driven @ weights + bias).sum(axis=1, keepdims=True) + 1.0)
    device.load_inputs(0, patterns)
    np.testing.assert_allclose(device.read_outputs(1, np.arange(9)), np.tile(expected, 5), atol=1e-12)


def test_single_precision_of_a_noisy_array_is_far_under_its_noise():
    values = {"sizes": [784, 100], "weight_range": 4.0}
    noisy, clean = twin(**values, readout={"noise": 1e-5}), twin(**values)
    described = clean.description.layers[0]
    setting, patterns = some(described.n_parameters, seed=1) * described.groups[0].upper, some(50, 784)
    for each in (noisy, clean):
        each.write_parameters(0, setting)
    difference = read(noisy, patterns) - read(clean, patterns)
    assert difference.std() == pytest.approx(4e-5, rel=0.05)


def test_the_virtual_clock_accounts_every_write_and_vector_and_nothing_else():
    layers = [{"kind": "conv", "channels": 2, "kernel": 3, "pool": 2}, {"kind": "dense", "outputs": 4}]
    device = twin(sizes=None, inputs=[1, 7, 6], layers=layers, timing={"write_s": 0.25, "vector_s": 0.0625})
    assert device.description.timing.shot_s == 20 * 0.0625  # 5 x 4 patches, the slowest layer's pace
    device.load_inputs(0, some(4, 42))
    device.read_parameters(0)
    device.read_health()
    device.park()
    assert device.clock.now_s() == 0.0
    device.write_parameters(0, np.zeros(20))
    assert device.clock.now_s() == 0.25
    device.read_outputs(0, np.array([0, 0, 3]))
    assert device.clock.now_s() == 0.25 + 3 * 1.25
    device.probe(0, np.zeros((5, 20)), np.arange(4))
    assert device.clock.now_s() == 4.0 + 5 * (0.25 + 4 * 1.25)


def test_a_closed_twin_is_discharged_and_has_forgotten_its_patterns():
    device = twin()
    written(device)
    device.load_inputs(0, some(2, N_IN))
    device.close()
    assert not device.read_parameters(0).any()
    with pytest.raises(StagingLost, match="twin:crossbar, layer 0"):
        device.read_outputs(0, np.arange(2))
