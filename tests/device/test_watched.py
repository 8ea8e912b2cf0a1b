"""Health as it was last read, beside its bounds."""

import pytest

from ffzero_lab.device import Interlock, InterlockJudge, WatchedReading
from ffzero_lab.device.watched import watched_readings

OWN = Interlock("t", "°C", None, 80.0, 1, "the device's own bound")
TIGHTER = Interlock("t", "°C", None, 60.0, 1, "[interlocks.t]")


@pytest.mark.parametrize(
    ("value", "lower", "upper", "place"),
    [
        (50.0, 0.0, 100.0, "within"), (90.1, 0.0, 100.0, "near"), (0.0, 0.0, 100.0, "within"),
        (89.9, 0.0, 100.0, "within"),
        (100.0, 0.0, 100.0, "near"), (100.1, 0.0, 100.0, "beyond"), (-0.1, 0.0, 100.0, "beyond"),
        (-0.95, -1.0, 1.0, "near"), (299.5, 290.0, 300.0, "near"), (298.0, 290.0, 300.0, "within"),
        (71.0, None, 80.0, "within"), (72.1, None, 80.0, "near"), (5.6, 5.0, None, "within"), (5.4, 5.0, None, "near"),
        (4.9, 5.0, None, "beyond"), (float("nan"), 0.0, 1.0, "beyond"), (float("inf"), 0.0, None, "beyond"),
    ],
)  # fmt: skip
def test_a_reading_is_near_within_a_tenth(value: float, lower: float | None, upper: float | None, place: str) -> None:
    assert WatchedReading("t", "K", value, lower, upper).place == place


def test_the_judge_tells_what_it_read_last_with_the_tightest_bounds() -> None:
    judge = InterlockJudge((OWN, TIGHTER), "bench")
    assert judge.watched == ()
    assert judge.judge({"t": 55.0}) is None
    assert judge.watched == (WatchedReading("t", "°C", 55.0, None, 60.0),)
    assert judge.judge({"t": 61.0}) is not None
    assert judge.judge({"t": 40.0}) is not None  # tripped for good, and still shows what is read
    assert judge.watched[0].value == 40.0


def test_a_missing_channel_is_beyond() -> None:
    (reading,) = watched_readings((OWN,), {})
    assert reading.place == "beyond"
    assert reading.upper == 80.0
