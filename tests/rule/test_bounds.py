"""Bounds between steps: always inside the box, periodic values unchanged in effect and moved as seldom as can be."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ffzero_lab.rule.bounds import ParameterBox

FloatArray = NDArray[np.float64]
ROUNDING = 1e-9


@dataclass(frozen=True)
class Case:
    box: ParameterBox
    headroom: FloatArray
    values: FloatArray


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Boxes anywhere, with room for a period after the headroom is taken off, and values far outside them."""
    n = draw(st.integers(1, 6))

    def several(low: float, high: float) -> FloatArray:
        return np.array(draw(st.lists(st.floats(low, high), min_size=n, max_size=n)))

    lower, headroom, spare = several(-20, 20), several(0, 0.5), several(1e-3, 10)
    periodic = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    period = np.where(periodic, several(0.5, 10), np.inf)
    upper = lower + np.where(periodic, period, 0.0) + 2 * headroom + spare
    return Case(ParameterBox(lower, upper, period), headroom, several(-300, 300))


@given(cases())
def test_settled_values_lie_in_the_box_with_the_headroom_kept(case: Case):
    settled = case.box.shrunk(case.headroom).settle(case.values).values
    assert (settled - case.headroom >= case.box.lower - ROUNDING).all()
    assert (settled + case.headroom <= case.box.upper + ROUNDING).all()


@given(cases())
def test_settled_values_never_leave_the_shrunk_box_by_even_a_rounding(case: Case):
    box = case.box.shrunk(case.headroom)
    settled = box.settle(case.values).values
    assert ((settled >= box.lower) & (settled <= box.upper)).all()


@given(cases())
def test_periodic_values_keep_their_phase_and_the_others_are_projected(case: Case):
    box = case.box.shrunk(case.headroom)
    settled = box.settle(case.values).values
    for value, after, lower, upper, period in zip(case.values, settled, box.lower, box.upper, box.period, strict=True):
        if np.isfinite(period):
            turns = (value - after) / period
            assert turns == pytest.approx(round(turns), abs=1e-9)
        else:
            assert after == min(max(value, lower), upper)


@given(cases())
def test_a_periodic_value_stays_while_it_is_inside_and_comes_back_by_the_fewest_turns(case: Case):
    box = case.box.shrunk(case.headroom)
    settled = box.settle(case.values).values
    for value, after, lower, upper, period in zip(case.values, settled, box.lower, box.upper, box.period, strict=True):
        if np.isfinite(period):
            candidates = value + period * np.arange(-1400, 1401)
            inside = candidates[(candidates > lower + ROUNDING) & (candidates < upper - ROUNDING)]
            assert abs(after - value) <= np.abs(inside - value).min(initial=np.inf) + ROUNDING


@given(cases())
def test_wrapped_and_projected_are_counted_apart(case: Case):
    box = case.box.shrunk(case.headroom)
    after = box.settle(case.values)
    periodic = np.isfinite(box.period)
    moved = np.abs(after.values - case.values) > 0.25
    assert after.wrapped == np.count_nonzero(moved & periodic)
    outside = (case.values < box.lower) | (case.values > box.upper)
    assert np.count_nonzero(outside & ~periodic) <= after.projected
    assert after.projected <= np.count_nonzero(outside & ~periodic) + np.count_nonzero(
        periodic & (np.minimum(after.values - box.lower, box.upper - after.values) < ROUNDING)
    )


@given(cases())
def test_values_already_at_rest_are_left_as_they_are(case: Case):
    box = case.box.shrunk(case.headroom)
    once = box.settle(case.values)
    twice = box.settle(once.values)
    np.testing.assert_array_equal(twice.values, once.values)
    assert (twice.wrapped, twice.projected) == (0, 0)


@given(lower=st.floats(-10, 10), width=st.floats(1, 10), headroom=st.floats(1e-6, 0.3), outside=st.booleans())
def test_a_perturbation_at_a_bound_stays_inside_to_the_bit(lower: float, width: float, headroom: float, outside: bool):
    upper = lower + width
    box = ParameterBox(np.array([lower]), np.array([upper]), np.array([np.inf]))
    settled = box.shrunk(np.array([headroom])).settle(np.array([upper + 1.0 if outside else lower - 1.0])).values
    assert settled[0] - headroom >= lower
    assert settled[0] + headroom <= upper


@given(cases())
def test_settling_leaves_its_argument_alone(case: Case):
    kept = case.values.copy()
    case.box.settle(case.values)
    assert np.array_equal(case.values, kept)


@pytest.mark.parametrize(
    ("lower", "upper", "value", "expected"),
    [
        (-10.0, 10.0, 4.0, 4.0),
        (-10.0, 10.0, -3.0, -3.0),
        (0.0, 10.0, -1.0, 2 * np.pi - 1.0),
        (0.0, 10.0, 9.0, 9.0),
        (0.0, 4 * np.pi, 4 * np.pi + 0.1, 2 * np.pi + 0.1),
        (-10.0, 0.0, 1.0, 1.0 - 2 * np.pi),
        (-1.0, 10.0, -1.5, 2 * np.pi - 1.5),
        (5.0, 20.0, 0.0, 2 * np.pi),
        (5.0, 20.0, -30.0, -30.0 + 12 * np.pi),
    ],
)
def test_phases_that_left_the_range_come_back_by_whole_turns(lower: float, upper: float, value: float, expected: float):
    box = ParameterBox(np.array([lower]), np.array([upper]), np.array([2 * np.pi]))
    assert box.settle(np.array([value])).values[0] == pytest.approx(expected)


def test_counts_of_a_mixed_layer():
    period = np.array([2 * np.pi, 2 * np.pi, np.inf, np.inf, np.inf])
    box = ParameterBox(np.full(5, -7.0), np.full(5, 7.0), period)
    settled = box.settle(np.array([7.1, 3.0, 8.0, -9.0, 6.9]))
    np.testing.assert_allclose(settled.values, [7.1 - 2 * np.pi, 3.0, 7.0, -7.0, 6.9])
    assert (settled.wrapped, settled.projected) == (1, 2)


@given(cases())
def test_a_shrunk_box_gives_up_the_headroom_on_either_side_and_keeps_the_period(case: Case):
    box = case.box.shrunk(case.headroom)
    np.testing.assert_allclose(box.lower - case.box.lower, case.headroom, atol=ROUNDING)
    np.testing.assert_allclose(case.box.upper - box.upper, case.headroom, atol=ROUNDING)
    assert np.array_equal(box.period, case.box.period)
