"""The scale on which training moves: there and back, bounds that hold, amounts by group."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import ValidationError

from ffzero_lab.device import LayerDescription, ParameterGroup
from ffzero_lab.errors import InputError
from ffzero_lab.training import TrainSettings
from ffzero_lab.training.layer import initial_parameters
from ffzero_lab.training.scale import TrainedScale

PHASE = ParameterGroup(name="phase", shape=(3,), unit="rad", lower=0.0, upper=12.0, period=6.0, resolution=1e-3)
STIFFNESS = ParameterGroup(name="spring", shape=(2, 2), unit="N/m", lower=10.0, upper=1000.0, scale="log")
VOLTS = ParameterGroup(
    name="heater", shape=(5,), unit="V", lower=0.0, upper=3.0, resolution=0.1, scale="square", typical_change=0.4
)


def layer_of(*groups: ParameterGroup) -> LayerDescription:
    return LayerDescription(
        input_shape=(2,),
        input_lower=0.0,
        input_upper=1.0,
        input_unit="amplitude",
        output_shape=(2,),
        output_upper=1.0,
        output_unit="intensity",
        one_sign=True,
        groups=groups,
    )


def test_linear_parameters_pass_bit_by_bit() -> None:
    values = np.array([0.1, 1.0 / 3.0, 12.0])
    scale = TrainedScale(layer_of(PHASE))
    assert_array_equal(scale.values(scale.coordinates(values)), values)


def test_stiffness_moves_by_its_logarithm_and_volts_by_their_square() -> None:
    scale = TrainedScale(layer_of(PHASE, STIFFNESS, VOLTS))
    values = np.concatenate([[1.0, 2.0, 3.0], [10.0, 100.0, 500.0, 1000.0], [0.0, 0.5, 1.0, 2.0, 3.0]])
    coordinates = scale.coordinates(values)
    assert_allclose(coordinates[3:7], np.log([10.0, 100.0, 500.0, 1000.0]))
    assert_allclose(coordinates[7:], [0.0, 0.25, 1.0, 4.0, 9.0])
    assert_allclose(scale.values(coordinates), values, rtol=1e-15)


@given(share=st.floats(0.0, 1.0), lower=st.floats(1e-6, 1e3), ratio=st.floats(1.001, 1e6))
def test_what_lies_in_the_box_lies_within_the_device_bounds_to_the_bit(
    share: float, lower: float, ratio: float
) -> None:
    groups = [
        ParameterGroup(name=name, shape=(1,), unit="u", lower=lower, upper=lower * ratio, scale=name)
        for name in ("log", "square")
    ]
    described = layer_of(*groups)
    scale = TrainedScale(described)
    values = scale.values(scale.box.lower + share * (scale.box.upper - scale.box.lower))
    assert np.all(values >= described.per_parameter("lower"))
    assert np.all(values <= described.per_parameter("upper"))


def test_the_resolution_is_taken_where_the_scale_is_steepest() -> None:
    stiffness = STIFFNESS.model_copy(update={"resolution": 2.0})
    resolution = TrainedScale(layer_of(PHASE, stiffness, VOLTS)).resolution
    assert_allclose(resolution[:3], 1e-3)
    assert_allclose(resolution[3:7], np.log(12.0 / 10.0))
    assert_allclose(resolution[7:], 3.0**2 - 2.9**2)


def test_default_amounts_are_multiples_of_the_typical_change() -> None:
    scale = TrainedScale(layer_of(PHASE, VOLTS))
    assert_allclose(scale.amplitude(TrainSettings()), [0.01] * 3 + [0.004] * 5)
    assert_allclose(scale.learning_rate(TrainSettings()), [0.007] * 3 + [0.0028] * 5)
    assert_allclose(scale.learning_rate(TrainSettings(optimizer="sgd")), [0.007] * 3 + [0.007 * 0.16] * 5)


def test_plain_descent_goes_the_same_way_whatever_the_unit() -> None:
    """The slope per coordinate scales with 1/c and the rate with c², so the step with c: the unit drops out."""
    small, large = (
        TrainedScale(layer_of(VOLTS.model_copy(update={"typical_change": c}))).learning_rate(
            TrainSettings(optimizer="sgd")
        )
        for c in (0.5, 2.0)
    )
    slope = 3.0
    assert_allclose(small * slope / 0.5 / 0.5, large * slope / 2.0 / 2.0)


def test_amounts_may_be_given_for_each_group() -> None:
    scale = TrainedScale(layer_of(PHASE, VOLTS))
    assert_allclose(scale.amplitude(TrainSettings(epsilon=0.02)), 0.02)
    assert_allclose(scale.amplitude(TrainSettings(epsilon={"heater": 0.5})), [0.01] * 3 + [0.5] * 5)
    with pytest.raises(InputError, match=r"epsilon.*'heatr'.*heater"):
        scale.amplitude(TrainSettings(epsilon={"heatr": 0.5}))


def test_training_starts_in_the_range_the_device_names() -> None:
    named = VOLTS.model_copy(update={"start": (1.0, 2.0), "shape": (400,)})
    spread = STIFFNESS.model_copy(update={"shape": (400,)})
    drawn = initial_parameters(layer_of(named, spread), seed=3, layer=0)
    volts, stiffness = drawn[:400], drawn[400:]
    assert 1.0 <= volts.min() < 1.1
    assert 1.9 < volts.max() <= 2.0
    assert_allclose(np.mean(volts**2), 2.5, atol=0.15)  # uniform in V²: mean of 1 to 4, standard error 0.04
    assert_allclose(np.mean(np.log10(stiffness)), 2.0, atol=0.1)  # uniform in ln k: standard error 0.03


def test_a_range_that_is_asked_for_goes_before_the_one_the_device_names() -> None:
    heaters = VOLTS.model_copy(update={"start": (1.0, 2.0), "shape": (400,)})
    phases = PHASE.model_copy(update={"start": (2.0, 8.0), "shape": (400,)})
    drawn = initial_parameters(layer_of(phases, heaters), 3, 0, {"heater": (0.0, 0.5)})
    assert 2.0 <= drawn[:400].min() < 2.1
    assert 7.9 < drawn[:400].max() <= 8.0
    assert 0.45 < drawn[400:].max() <= 0.5
    assert_allclose(np.mean(drawn[400:] ** 2), 0.125, atol=0.015)  # uniform in V² up to 0.25: standard error 0.004


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"heatr": (0.0, 1.0)}, r"start.*'heatr'.*heater"),
        ({"heater": (0.0, 3.5)}, r"heater from 0 to 3.5 V.*within 0 to 3 V"),
        ({"heater": (2.0, 1.0)}, r"heater from 2 to 1 V.*must rise"),
    ],
)
def test_a_start_that_no_parameter_can_take_is_refused(ranges: dict[str, tuple[float, float]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrainedScale(layer_of(VOLTS)).start(ranges)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": "log", "lower": 0.0}, "more than 0"),
        ({"scale": "square", "lower": -1.0}, "at least 0"),
        ({"scale": "log", "period": 3.0}, "linear scale only"),
        ({"start": (0.5, 2000.0)}, "must lie within"),
    ],
)
def test_a_group_that_cannot_be_trained_so_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ParameterGroup.model_validate({**STIFFNESS.model_dump(), **change})


def test_of_all_layers_seen_as_one_a_group_is_meant_with_its_layer_or_everywhere() -> None:
    groups = [ParameterGroup(name=f"layer{n}.theta", shape=(2,), unit="rad", lower=-4.0, upper=4.0) for n in (0, 1)]
    scale = TrainedScale(layer_of(*groups))
    rates = {"theta": 0.5, "layer1.theta": 0.25}
    assert scale.learning_rate(TrainSettings(learning_rate=rates)).tolist() == [0.5, 0.5, 0.25, 0.25]
    assert scale.learning_rate(TrainSettings(learning_rate=dict(reversed(rates.items())))).tolist()[2:] == [0.25, 0.25]
    lowest, _ = scale.start({"theta": (1.0, 2.0)})
    assert lowest.tolist() == [1.0] * 4
    with pytest.raises(InputError, match=r"'phi' is unknown.*layer0\.theta, layer1\.theta"):
        scale.amplitude(TrainSettings(epsilon={"phi": 0.1}))
