"""Bounds on health readings: what may be asked for, when they trip, and what they say."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ffzero_lab.device import HealthChannel, Interlock, InterlockBound, InterlockJudge, interlocks_for
from ffzero_lab.errors import InputError

CHIP = HealthChannel(name="chip_temperature", unit="°C", lower=5.0, upper=80.0)
FLOW = HealthChannel(name="water_flow", unit="l/min", lower=0.5)
HUMIDITY = HealthChannel(name="humidity", unit="%")


def limit(channel: str = "t", lower: float | None = None, upper: float | None = 50.0, debounce: int = 1) -> Interlock:
    return Interlock(channel, "°C", lower, upper, debounce, f"[interlocks.{channel}]")


# What may be asked for


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"debounce": 3},
        {"lower": 1.0, "upper": 1.0},
        {"lower": 2.0, "upper": 1.0},
        {"upper": nan},
        {"upper": inf},
        {"lower": -inf},
        {"upper": True},
        {"upper": "80"},
        {"upper": 1.0, "debounce": 0},
        {"upper": 1.0, "debounce": 1.5},
        {"upper": 1.0, "debounce": True},
        {"upper": 1.0, "debouce": 2},
    ],
)
def test_a_bound_that_would_not_watch_is_refused(table):
    with pytest.raises(ValidationError):
        InterlockBound.model_validate(table)


@pytest.mark.parametrize("table", [{"upper": 80}, {"lower": 0.0}, {"lower": -1.0, "upper": 0.0, "debounce": 5}])
def test_one_sided_and_two_sided_bounds_are_taken(table):
    bound = InterlockBound.model_validate(table)
    assert bound.model_dump(exclude_defaults=True) == table


def test_bounded_channels_of_the_device_are_interlocks_that_trip_at_once(describe):
    found = interlocks_for(describe(health=(CHIP, FLOW, HUMIDITY)), {})
    assert [(lock.channel, lock.unit, lock.lower, lock.upper, lock.debounce) for lock in found] == [
        ("chip_temperature", "°C", 5.0, 80.0, 1),
        ("water_flow", "l/min", 0.5, None, 1),
    ]


def test_a_user_tightens_one_channel_and_completes_others(describe):
    extra = {
        "chip_temperature": InterlockBound(upper=60.0, debounce=3),
        "water_flow": InterlockBound(upper=9.0),
        "humidity": InterlockBound(upper=70.0),
    }
    found = interlocks_for(describe(health=(CHIP, FLOW, HUMIDITY)), extra)
    assert [(lock.channel, lock.lower, lock.upper, lock.debounce) for lock in found[2:]] == [
        ("chip_temperature", None, 60.0, 3),
        ("water_flow", None, 9.0, 1),
        ("humidity", None, 70.0, 1),
    ]


def test_the_devices_own_bound_trips_at_once_however_long_the_users_is_debounced(describe):
    extra = {"chip_temperature": InterlockBound(upper=60.0, debounce=100)}
    judge = InterlockJudge(interlocks_for(describe(health=(CHIP,)), extra), "fake")
    assert judge.judge({"chip_temperature": 79.0}) is None
    assert "over the upper bound of 80.0 °C (the device's own bound" in (judge.judge({"chip_temperature": 81.0}) or "")


@pytest.mark.parametrize(
    ("bound", "side"),
    [
        ({"upper": 80.1}, "upper = 80.1 °C is over the upper bound of 80.0 °C"),
        ({"lower": 4.9}, "lower = 4.9 °C is under the lower bound of 5.0 °C"),
        ({"upper": 4.0}, "upper = 4.0 °C is under the lower bound of 5.0 °C"),
        ({"lower": 90.0}, "lower = 90.0 °C is over the upper bound of 80.0 °C"),
    ],
)
def test_a_bound_outside_of_the_devices_own_is_refused_with_both_values_and_the_unit(describe, bound, side):
    with pytest.raises(InputError) as refused:
        interlocks_for(describe(health=(CHIP,)), {"chip_temperature": InterlockBound(**bound)})
    assert side in str(refused.value)
    assert "[interlocks.chip_temperature]" in str(refused.value)
    assert "never widen" in str(refused.value)


def test_a_bound_equal_to_the_devices_own_is_taken(describe):
    extra = {"chip_temperature": InterlockBound(lower=5.0, upper=80.0)}
    assert len(interlocks_for(describe(health=(CHIP,)), extra)) == 2


def test_an_unknown_channel_is_refused_with_the_nearest_and_all_allowed_ones(describe):
    with pytest.raises(InputError) as refused:
        interlocks_for(describe(health=(FLOW, CHIP)), {"chip_temprature": InterlockBound(upper=1.0)})
    assert "did you mean 'chip_temperature'?" in str(refused.value)
    assert "allowed: chip_temperature, water_flow" in str(refused.value)
    with pytest.raises(InputError, match="the device reports none"):
        interlocks_for(describe(), {"chip_temperature": InterlockBound(upper=1.0)})


@pytest.mark.parametrize("bounds", [{"upper": nan}, {"upper": inf}, {"lower": -inf}, {"lower": 2.0, "upper": 1.0}])
def test_a_description_whose_bounds_would_not_watch_is_refused(describe, bounds):
    with pytest.raises(ValueError, match="health channel t: "):
        interlocks_for(describe(health=(HealthChannel(name="t", unit="°C", **bounds),)), {})


def test_a_description_that_names_a_channel_twice_is_refused(describe):
    with pytest.raises(ValueError, match="names of their own"):
        interlocks_for(describe(health=(FLOW, FLOW)), {})


# When they trip


@pytest.mark.parametrize("value", [10.0, 30.0, 50.0])
def test_a_reading_within_or_on_a_bound_is_allowed(value):
    assert InterlockJudge((limit(lower=10.0),), "fake").judge({"t": value}) is None


def test_the_reason_names_device_channel_value_unit_bound_debounce_and_remedy():
    judge = InterlockJudge((limit(debounce=2),), "bench 3")
    assert judge.judge({"t": 50.5}) is None
    reason = judge.judge({"t": 51.25})
    assert reason == judge.reason
    assert reason == (
        "bench 3, interlock t: 51.25 °C is over the upper bound of 50.0 °C ([interlocks.t], trips after 2 consecutive "
        "readings); find the cause and bring the reading back before going on"
    )


@pytest.mark.parametrize(
    ("readings", "said"),
    [
        ({}, "missing from the health readings (nothing)"),
        ({"u": 1.0, "a": 2.0}, "missing from the health readings (a, u)"),
        ({"t": nan}, "nan °C, not a finite number"),
        ({"t": inf}, "inf °C, not a finite number"),
        ({"t": -inf}, "-inf °C, not a finite number"),
    ],
)
def test_a_sensor_that_is_gone_trips_at_once_in_spite_of_debouncing(readings, said):
    judge = InterlockJudge((limit(debounce=100),), "fake")
    assert said in (judge.judge(readings) or "")


def test_channels_without_an_interlock_may_come_and_go():
    judge = InterlockJudge((limit(),), "fake")
    assert [judge.judge(readings) for readings in ({"t": 1.0, "u": nan}, {"t": 1.0})] == [None, None]


def test_both_sides_count_as_one_run_of_breaches():
    judge = InterlockJudge((limit(lower=0.0, debounce=2),), "fake")
    assert judge.judge({"t": -1.0}) is None
    assert "over the upper bound" in (judge.judge({"t": 51.0}) or "")


def test_a_good_reading_in_between_starts_the_count_anew():
    judge = InterlockJudge((limit(debounce=3),), "fake")
    series = [51.0, 51.0, 50.0, 1.0, 51.0, 51.0, 49.0, 51.0, 51.0, 51.0]
    assert [judge.judge({"t": value}) is not None for value in series] == [False] * 9 + [True]


VALUES = st.sampled_from([*[-1.0, 0.0, 5.0, 7.5, 10.0, 11.0] * 10, nan, None])
BOUNDS = st.tuples(st.sampled_from([None, 0.0]), st.sampled_from([10.0, 7.5]), st.integers(1, 4))


@given(
    bounds=st.lists(BOUNDS, min_size=1, max_size=3),
    series=st.lists(st.lists(VALUES, min_size=3, max_size=3), max_size=25),
)
def test_the_judge_agrees_with_looking_back_over_all_readings(bounds, series):
    judge = InterlockJudge(tuple(limit(f"c{i}", *bound) for i, bound in enumerate(bounds)), "fake")
    first = None
    for upto, values in enumerate(series, start=1):
        reason = judge.judge({f"c{i}": value for i, value in enumerate(values) if value is not None})
        tripped = _ever_tripped(bounds, series[:upto])
        assert (reason is not None) == tripped
        first = first or reason
        assert reason == first == judge.reason


def _ever_tripped(bounds, series) -> bool:
    """Slow and plain: a window of `debounce` bad readings anywhere, or one reading without a finite number."""
    for channel, (lower, upper, debounce) in enumerate(bounds):
        past = [values[channel] for values in series]
        if any(value is None or value != value for value in past):
            return True
        bad = [value > upper or (lower is not None and value < lower) for value in past]
        if any(all(bad[end - debounce : end]) for end in range(debounce, len(bad) + 1)):
            return True
    return False
