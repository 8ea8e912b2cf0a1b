"""Descriptions: what they refuse, what they work out, and that nobody can change them."""

import numpy as np
import pytest
from pydantic import ValidationError

from ffzero_lab.device import HealthChannel, ParameterGroup, PowerLaw, Reach, Timing


def reach(parameters: int = 4, outputs: int = 2) -> Reach:
    return Reach(np.zeros(parameters, np.intp), np.full(parameters, outputs), outputs)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_lower": 1.0}, "input_lower 1.0 must be below input_upper 1.0"),
        ({"detection_floor": 1000.0}, "detection_floor 1000.0 must be below output_upper"),
        ({"detection_floor": -1.0}, "detection_floor"),
        ({"input_upper": np.nan}, "input_upper"),
        ({"output_shape": (0,)}, "output_shape"),
        ({"groups": ()}, "groups"),
        ({"dead": (4,)}, "dead channels must be parameter indices from 0 to 3"),
        ({"dead": (-1,)}, "dead channels"),
        ({"reach": reach(parameters=5)}, "reach covers 5 parameters and 2 outputs, the layer has 4 and 2"),
        ({"reach": reach(outputs=3)}, "reach covers 4 parameters and 3 outputs"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_layer_that_contradicts_itself_is_refused(describe_layer, changes, message):
    with pytest.raises(ValidationError, match=message):
        describe_layer(**changes)


def test_groups_of_one_layer_must_have_names_of_their_own(describe_layer):
    twice = ParameterGroup(name="k", shape=(1,), unit="N/m", lower=0.0, upper=1.0)
    with pytest.raises(ValidationError, match="groups must have names of their own, not k, k"):
        describe_layer(groups=(twice, twice))


@pytest.mark.parametrize(
    "changes",
    [
        {"lower": 1.0, "upper": 1.0},
        {"lower": 2.0},
        {"upper": np.inf},
        {"lower": np.nan},
        {"period": 0.0},
        {"resolution": -0.1},
        {"slew_per_s": 0.0},
        {"shape": (0,)},
        {"power": {"watts": -1.0}},
    ],
)
def test_a_group_needs_an_open_finite_range(changes):
    sound = {"name": "k", "shape": (2,), "unit": "N/m", "lower": 0.0, "upper": 1.0}
    ParameterGroup(**sound)
    with pytest.raises(ValidationError):
        ParameterGroup(**{**sound, **changes})


@pytest.mark.parametrize("seconds", [-1.0, np.nan, np.inf])
def test_latencies_are_finite_and_not_negative(seconds):
    with pytest.raises(ValidationError):
        Timing(write_s=seconds, shot_s=0.0)
    with pytest.raises(ValidationError):
        Timing(write_s=0.0, shot_s=seconds)


@pytest.mark.parametrize(
    "changes",
    [{"layers": 0}, {"pattern_memory": 0}, {"power_budget_w": 0.0}, {"topology": "sideways"}, {"health": ("hot",)}],
)
def test_a_device_that_contradicts_itself_is_refused(describe, changes):
    with pytest.raises(ValidationError):
        describe(**changes)


def test_everything_is_frozen(describe):
    device = describe(health=(HealthChannel(name="t", unit="K"),), of_layer={"reach": reach(), "dead": (1,)})
    layer = device.layers[0]
    for thing, name in (
        (device, "name"),
        (layer, "dead"),
        (layer.groups[0], "upper"),
        (device.timing, "write_s"),
        (device.health[0], "upper"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(thing, name, 0)
    with pytest.raises(AttributeError):
        layer.reach.n_outputs = 9
    for array in (layer.reach.first, layer.reach.stop, layer.alive):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_a_reach_keeps_nothing_of_the_arrays_it_was_made_from():
    first, stop = np.zeros(4, np.int64), np.full(4, 2)
    made = Reach(first, stop, 2)
    first[:] = 1
    assert not made.first.any()


@pytest.mark.parametrize(
    ("first", "stop"), [([-1], [1]), ([0], [4]), ([2], [1]), ([0, 0], [1]), ([[0]], [[1]])], ids=str
)
def test_a_reach_outside_the_outputs_is_refused(first, stop):
    with pytest.raises(ValueError, match=r"outputs|one-dimensional"):
        Reach(np.array(first), np.array(stop), 3)


def test_sizes_indices_and_names_of_parameters(describe_layer):
    square = ParameterGroup(name="square", shape=(2, 3), unit="rad", lower=0.0, upper=9.0, period=6.0)
    line = ParameterGroup(name="line", shape=(2,), unit="V", lower=-1.0, upper=1.0, resolution=0.5)
    layer = describe_layer(groups=(square, line), dead=(6, 1), input_shape=(2, 5), output_shape=(3, 4))
    assert (layer.n_inputs, layer.n_outputs, layer.n_parameters) == (10, 12, 8)
    assert layer.alive.tolist() == [0, 2, 3, 4, 5, 7]
    assert [layer.name_of(i) for i in (0, 5, 6, 7)] == ["square[0]", "square[5]", "line[0]", "line[1]"]
    assert [layer.unit_of(i) for i in (5, 6)] == ["rad", "V"]
    with pytest.raises(IndexError):
        layer.name_of(8)
    assert layer.per_parameter("upper").tolist() == [9.0] * 6 + [1.0] * 2
    assert layer.per_parameter("resolution").tolist() == [0.0] * 6 + [0.5] * 2
    assert layer.per_parameter("period").tolist() == [6.0] * 6 + [np.inf] * 2
    assert np.isinf(layer.per_parameter("slew_per_s")).all()


def test_power_follows_the_magnitude_to_the_exponent():
    values = np.array([[1.0, -2.0], [0.0, 3.0]])
    np.testing.assert_allclose(PowerLaw(watts=2.0).total_w(values), [6.0, 6.0])
    np.testing.assert_allclose(PowerLaw(watts=2.0, exponent=2.0).total_w(values), [10.0, 18.0])


def test_equal_descriptions_are_equal_and_another_reach_makes_another(describe):
    assert describe(of_layer={"reach": reach()}) == describe(of_layer={"reach": reach()})
    narrow = Reach(np.zeros(4, np.intp), np.ones(4, np.intp), 2)
    assert describe(of_layer={"reach": reach()}) != describe(of_layer={"reach": narrow})


def test_a_description_goes_through_json_without_its_reach(describe):
    described = describe(of_layer={"reach": reach()}, power_budget_w=3.0)
    assert type(described).model_validate_json(described.model_dump_json()) == describe(power_budget_w=3.0)
