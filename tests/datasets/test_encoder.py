"""The encoder: amplitudes never leave the device's range, nothing is limited silently."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ffzero_lab.datasets import Encoder, load_dataset
from ffzero_lab.errors import InputError

WIDTH = 3
TRAINING = hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.just(WIDTH)), elements=st.floats(-1e150, 1e150))
PIXELS = hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.just(WIDTH)), elements=st.floats(0.0, 1.0))
ANY_FINITE = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.just(WIDTH)),
    elements=st.floats(allow_nan=False, allow_infinity=False),
)
RANGES = st.sampled_from([(0.0, 1.0), (0.1, 2.0), (-1.0, 1.0), (-0.5, 2.0)])
PORTS = st.integers(WIDTH, WIDTH + 2)


@given(TRAINING | PIXELS, ANY_FINITE, PORTS, RANGES)
def test_amplitudes_are_always_finite_and_within_the_range_of_the_device(train, test, ports, bounds) -> None:
    encoder = Encoder.fit(train, ports, *bounds)
    for inputs in (train, test):
        patterns = encoder.encode(inputs).patterns
        assert patterns.shape == (inputs.shape[0], ports)
        assert (patterns >= bounds[0]).all()  # NaN and infinity fail here or below
        assert (patterns <= bounds[1]).all()


@given(TRAINING | PIXELS, PORTS, RANGES)
def test_training_inputs_are_never_outside(train, ports, bounds) -> None:
    assert Encoder.fit(train, ports, *bounds).encode(train).n_outside == 0


@given(TRAINING | PIXELS, ANY_FINITE, PORTS, RANGES)
def test_an_encoder_from_saved_arrays_encodes_bit_by_bit_alike(train, test, ports, bounds) -> None:
    encoder = Encoder.fit(train, ports, *bounds)
    file = io.BytesIO()
    np.savez(file, **encoder.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        again = Encoder.from_arrays(arrays)
    assert (again.n_inputs, again.reference) == (ports, ports > WIDTH)
    before, after = encoder.encode(test), again.encode(test)
    np.testing.assert_array_equal(before.patterns, after.patterns)
    assert before.n_outside == after.n_outside


def test_pixels_share_one_scale_so_that_faint_features_stay_faint() -> None:
    train = np.array([[0.0, 0.5, 0.1], [0.0, 0.25, 0.0]])
    encoded = Encoder.fit(train, 4).encode(train)
    np.testing.assert_allclose(encoded.patterns, [[0.0, 1.0, 0.2, 1.0], [0.0, 0.5, 0.0, 1.0]])


def test_other_features_are_scaled_each_from_its_minimum_to_its_maximum() -> None:
    train = np.array([[-10.0, 5.0], [10.0, 5.5], [0.0, 6.0]])
    patterns = Encoder.fit(train, 3).encode(train).patterns
    np.testing.assert_allclose(patterns[:, :2], [[0.0, 0.0], [1.0, 0.5], [0.5, 1.0]])


def test_the_first_spare_port_carries_the_reference_and_the_others_rest() -> None:
    patterns = Encoder.fit(np.array([[0.0, 2.0], [4.0, 0.0]]), 5).encode(np.zeros((2, 2))).patterns
    np.testing.assert_array_equal(patterns, [[0.0, 0.0, 1.0, 0.0, 0.0]] * 2)


def test_without_a_spare_port_each_pattern_is_divided_by_its_peak_and_a_dark_one_stays_dark() -> None:
    train = np.array([[0.2, 0.1], [1.0, 0.5], [0.0, 0.0]])
    encoder = Encoder.fit(train, 2)
    assert not encoder.reference
    np.testing.assert_allclose(encoder.encode(train).patterns, [[1.0, 0.5], [1.0, 0.5], [0.0, 0.0]])


def test_an_unsigned_range_that_starts_above_zero_is_used_from_end_to_end() -> None:
    train = np.array([[0.0, 1.0], [0.5, 0.5]])
    patterns = Encoder.fit(train, 4, 0.1, 2.1).encode(train).patterns
    np.testing.assert_allclose(patterns, [[0.1, 2.1, 2.1, 0.1], [1.1, 1.1, 2.1, 0.1]])


def test_signed_inputs_rest_at_the_training_mean_and_touch_the_nearer_bound() -> None:
    train = np.array([[10.0, 0.0], [10.0, 3.0], [40.0, 0.0], [20.0, 3.0]])  # means 20 and 1.5
    patterns = Encoder.fit(train, 2, -1.0, 1.0).encode(train).patterns
    np.testing.assert_allclose(patterns, [[-0.5, -1.0], [-0.5, 1.0], [1.0, -1.0], [0.0, 1.0]])
    patterns = Encoder.fit(train, 3, -0.25, 1.0).encode(train).patterns
    np.testing.assert_allclose(patterns[:, 0], [-0.25, -0.25, 0.5, 0.0])
    np.testing.assert_array_equal(patterns[:, 2], 1.0)


def test_signed_pixels_share_one_scale() -> None:
    train = np.array([[0.0, 0.4], [1.0, 0.6]])
    patterns = Encoder.fit(train, 2, -1.0, 1.0).encode(train).patterns
    np.testing.assert_allclose(patterns, [[-1.0, -0.2], [1.0, 0.2]])


def test_values_outside_the_training_range_are_limited_and_counted() -> None:
    encoder = Encoder.fit(np.array([[0.0, 100.0], [10.0, 200.0]]), 3)
    encoded = encoder.encode(np.array([[-1.0, 150.0], [11.0, 1e308], [10.0, 200.0]]))
    assert encoded.n_outside == 3
    np.testing.assert_allclose(encoded.patterns[:, :2], [[0.0, 0.5], [1.0, 1.0], [1.0, 1.0]])


def test_a_feature_constant_in_training_rests_and_another_value_of_it_counts_as_outside() -> None:
    encoder = Encoder.fit(np.array([[7.3, 0.0], [7.3, 2.0]]), 3)
    encoded = encoder.encode(np.array([[7.3, 1.0], [8.0, 1.0]]))
    assert encoded.n_outside == 1
    np.testing.assert_array_equal(encoded.patterns, [[0.0, 0.5, 1.0]] * 2)


def test_the_mean_of_a_constant_signed_feature_leaves_no_rounding_to_blow_up() -> None:
    train = np.full((7, 2), 0.1) * [1.0, 100.0]  # the mean of seven times 0.1 is not 0.1
    np.testing.assert_array_equal(Encoder.fit(train, 2, -1.0, 1.0).encode(train).patterns, 0.0)


def test_digits_on_64_ports_are_peak_normalised_and_on_65_keep_their_level() -> None:
    digits = load_dataset("digits")
    for ports in (64, 65):
        encoder = Encoder.fit(digits.train_inputs, ports)
        encoded = encoder.encode(digits.test_inputs)
        assert encoded.n_outside == 0
        np.testing.assert_array_equal(encoded.patterns.max(axis=1), 1.0)
    np.testing.assert_array_equal(encoded.patterns[:, :64], digits.test_inputs)


@pytest.mark.parametrize(
    ("bounds", "kept"), [((0.0, 1.0), True), ((-1.0, 1.0), True), ((0.0, 0.1), False), ((-0.7, 1.0), False)]
)
def test_single_precision_is_kept_where_the_bounds_of_the_device_allow_it(bounds: tuple[float, float], kept) -> None:
    inputs = np.random.default_rng(5).uniform(0.0, 1.0, (3000, 400))  # more than are worked on at once
    train = inputs.astype(np.float32)
    encoded = Encoder.fit(train, 401, *bounds).encode(train)
    assert encoded.patterns.dtype == (np.float32 if kept else np.float64)
    assert encoded.n_outside == 0
    assert bounds[0] <= encoded.patterns.min() < encoded.patterns.max() <= bounds[1]
    in_double = Encoder.fit(train.astype(np.float64), 401, *bounds).encode(train.astype(np.float64)).patterns
    np.testing.assert_allclose(encoded.patterns, in_double, atol=1e-7)


def test_more_features_than_inputs_are_refused_with_both_counts() -> None:
    with pytest.raises(InputError, match=r"^dataset wide has 70 features, device has 64 inputs$"):
        Encoder.fit(np.zeros((2, 70)), 64, dataset="wide")


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_training_inputs_that_are_not_finite_or_too_large_are_refused(bad: float) -> None:
    with pytest.raises(InputError, match="dataset x: training inputs must be finite"):
        Encoder.fit(np.array([[0.0, bad]]), 2, dataset="x")


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (1.0, 0.0), (-1.0, 0.0), (0.0, np.nan), (-np.inf, 1.0)])
def test_a_device_range_without_room_above_zero_is_refused(bounds: tuple[float, float]) -> None:
    with pytest.raises(InputError, match=r"device inputs range from .*lower < upper"):
        Encoder.fit(np.zeros((1, 2)), 2, *bounds)


def test_inputs_of_another_width_or_not_finite_are_refused() -> None:
    encoder = Encoder.fit(np.zeros((2, 2)), 2)
    with pytest.raises(InputError, match=r"shape \(1, 3\), the encoder was fitted on 2 features"):
        encoder.encode(np.zeros((1, 3)))
    with pytest.raises(InputError, match="input row 2, feature 1 is nan"):
        encoder.encode(np.array([[0.0, 0.0], [np.nan, 0.0]]))


def test_signed_features_within_one_drive_signed_inputs_as_they_are():
    inputs = np.array([[-0.5, 1.0], [0.25, 0.5], [0.0, -1.0]])
    encoder = Encoder.fit(inputs, 2, -3.0, 2.0)
    assert np.array_equal(encoder.encode(inputs).patterns, 2.0 * inputs)
