"""Carry: the outputs of one layer fill the input range of the next, pattern by pattern."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from ffzero_lab.device import LayerDescription, ParameterGroup
from ffzero_lab.training.carry import Carry

FloatArray = NDArray[np.float64]
OUTPUTS = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6),
    elements=st.just(0.0) | st.floats(1e-9, 1e3) | st.floats(-1e3, -1e-9),
)
UPPER = st.floats(0.01, 100)


@given(OUTPUTS, UPPER)
def test_intensities_are_divided_by_the_brightest_output_of_their_pattern(outputs: FloatArray, upper: float):
    carried = Carry(0.0, upper).apply(outputs)
    for z, x in zip(outputs.tolist(), carried.tolist(), strict=True):
        peak = max(z)
        expected = [upper * max(value, 0.0) / peak if peak > 0.0 else 0.0 for value in z]
        np.testing.assert_allclose(x, expected, rtol=1e-12)


@given(OUTPUTS, UPPER)
def test_intensities_stay_in_the_range_of_the_next_layer_exactly(outputs: FloatArray, upper: float):
    carried = Carry(0.0, upper).apply(outputs)
    assert (carried >= 0.0).all()
    assert (carried <= upper).all()


@given(OUTPUTS, UPPER)
def test_signed_outputs_keep_their_sign_and_fill_the_range(outputs: FloatArray, upper: float):
    carried = Carry(-upper, upper).apply(outputs)
    for z, x in zip(outputs.tolist(), carried.tolist(), strict=True):
        peak = max(abs(value) for value in z)
        expected = [upper * value / peak if peak > 0.0 else 0.0 for value in z]
        np.testing.assert_allclose(x, expected, rtol=1e-12)


@given(OUTPUTS, st.floats(1e-6, 1e6), st.booleans())
def test_the_carry_forgets_the_brightness_of_a_pattern(outputs: FloatArray, factor: float, signed: bool):
    carry = Carry(-2.0 if signed else 0.0, 2.0)
    np.testing.assert_allclose(carry.apply(outputs * factor), carry.apply(outputs), rtol=1e-12)


def test_a_pattern_without_a_positive_reading_stays_dark():
    outputs = np.array([[0.0, 0.0], [-0.1, -0.2], [-0.1, 0.4]])
    np.testing.assert_allclose(Carry(0.0, 1.0).apply(outputs), [[0, 0], [0, 0], [0, 1]])
    np.testing.assert_allclose(Carry(-1.0, 1.0).apply(outputs), [[0, 0], [-0.5, -1], [-0.25, 1]])


def layer(lower: float, upper: float) -> LayerDescription:
    return LayerDescription(
        input_shape=(2,),
        input_lower=lower,
        input_upper=upper,
        input_unit="V",
        output_shape=(2,),
        output_upper=1.0,
        output_unit="V",
        one_sign=False,
        groups=(ParameterGroup(name="g", shape=(2,), unit="V", lower=0.0, upper=1.0),),
    )


@pytest.mark.parametrize(
    ("lower", "upper", "carry"),
    [
        (0.0, 1.0, Carry(0.0, 1.0)),
        (0.2, 1.0, Carry(0.2, 1.0)),
        (-1.0, 1.0, Carry(-1.0, 1.0)),
        (-0.5, 2.0, Carry(-0.5, 0.5)),
        (-2.0, 0.7, Carry(-0.7, 0.7)),
    ],
)
def test_the_carry_uses_the_range_the_next_layer_declares(lower: float, upper: float, carry: Carry):
    assert Carry.into(layer(lower, upper)) == carry


def test_inputs_that_start_above_zero_are_filled_from_there():
    carried = Carry(0.2, 1.0).apply(np.array([[0.0, 0.5, 1.0], [-1.0, -2.0, 0.0]]))
    np.testing.assert_allclose(carried, [[0.2, 0.6, 1.0], [0.2, 0.2, 0.2]])


@given(OUTPUTS, UPPER)
def test_signed_outputs_stay_in_the_range_of_the_next_layer_exactly(outputs: FloatArray, upper: float):
    assert (np.abs(Carry(-upper, upper).apply(outputs)) <= upper).all()


@given(st.sampled_from([-1.0, 0.0, 0.5]), UPPER)
def test_a_carry_comes_back_from_its_arrays(lower: float, upper: float):
    assert Carry.from_arrays(Carry(lower, upper).to_arrays()) == Carry(lower, upper)


def test_outputs_are_left_alone():
    outputs = np.array([[-1.0, 2.0]])
    Carry(0.0, 1.0).apply(outputs)
    assert outputs.tolist() == [[-1.0, 2.0]]
