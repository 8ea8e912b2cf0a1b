"""Time that is only accounted, and counts kept apart by what they were spent on."""

import time
from contextlib import suppress

import pytest

from ffzero_lab.device import PURPOSES, Counts, Ledger, Timing, VirtualClock, WallClock


def test_a_virtual_clock_moves_only_when_somebody_sleeps():
    clock = VirtualClock(start_s=5.0)
    assert clock.now_s() == 5.0
    began_s = time.monotonic()
    clock.sleep_s(3600.0)
    clock.sleep_s(0.0)
    assert clock.now_s() == 3605.0
    assert time.monotonic() - began_s < 600.0


@pytest.mark.parametrize("duration_s", [-1e-9, float("nan"), float("-inf")])
def test_a_virtual_clock_never_steps_back(duration_s):
    clock = VirtualClock()
    with pytest.raises(ValueError, match="never steps back"):
        clock.sleep_s(duration_s)
    assert clock.now_s() == 0.0


def test_a_wall_clock_is_the_monotonic_one_and_really_sleeps():
    clock = WallClock()
    before_s = clock.now_s()
    clock.sleep_s(0.002)
    assert 0.002 <= clock.now_s() - before_s < 60.0


def test_counts_add_subtract_repeat_and_cost_time():
    one = Counts(writes=2, readings=3, shots=10)
    assert one + one == one.times(2) == Counts(4, 6, 20)
    assert one + one - one == one
    assert one.seconds(Timing(write_s=0.5, shot_s=0.01)) == pytest.approx(1.1)


def test_a_ledger_books_on_the_purpose_in_force_also_when_the_block_fails():
    ledger = Ledger()
    ledger.add(writes=1)
    with ledger.spending_on("carry"):
        ledger.add(readings=2)
        with suppress(KeyError), ledger.spending_on("evaluation"):
            ledger.add(shots=7)
            raise KeyError
        ledger.add(readings=1)
    ledger.add(writes=1)
    assert ledger.by_purpose["training"] == Counts(writes=2)
    assert ledger.by_purpose["carry"] == Counts(readings=3)
    assert ledger.by_purpose["evaluation"] == Counts(shots=7)
    assert ledger.total == Counts(2, 3, 7)


def test_a_ledger_goes_through_json_and_continues():
    ledger = Ledger()
    with ledger.spending_on("calibration"):
        ledger.add(writes=1, readings=2, shots=3)
    saved = ledger.as_json()
    assert set(saved) == set(PURPOSES)
    again = Ledger()
    again.restore(saved)
    again.add(writes=1)
    assert again.total == Counts(2, 2, 3)
    assert again.by_purpose["calibration"] == Counts(1, 2, 3)
