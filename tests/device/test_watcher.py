"""Who watches the interlocks: every way in which watching can end without a word must end the run instead."""

import threading
import timeit
from collections.abc import Callable, Iterator
from math import inf, nan
from queue import SimpleQueue
from typing import Any

import pytest

from ffzero_lab.device import (
    HealthChannel,
    InterlockBound,
    InterlockJudge,
    InterlockTripped,
    LinkLost,
    NoInterlocks,
    SynchronousInterlocks,
    VirtualClock,
    WallClock,
    Watcher,
    interlocks_for,
    interlocks_on,
)

HEAT = HealthChannel(name="heat", unit="W", upper=10.0)
PATIENCE_S = 10.0


class Health:
    """A device of which only the health is read: numbers, errors, or whatever a callable does."""

    def __init__(self, description, answer: Any = 1.0, clock: Any = None) -> None:
        self.description = description
        self.clock = clock or VirtualClock()
        self.answer = answer
        self.asked = 0
        self.parked = 0
        self.at_park: BaseException | None = None

    def park(self) -> None:
        self.parked += 1
        if self.at_park is not None:
            raise self.at_park

    def read_health(self):
        self.asked += 1
        answer = self.answer() if callable(self.answer) else self.answer
        if isinstance(answer, BaseException):
            raise answer
        return {"heat": answer} if isinstance(answer, float) else answer


class Rig:
    """A watcher whose time and pauses are the test's: `tick` lets the thread read once more and waits for it."""

    def __init__(self, device: Health, debounce: int = 1) -> None:
        self.device = device
        self.now_s = 100.0
        self._go: SimpleQueue[None] = SimpleQueue()
        self._pausing: SimpleQueue[float] = SimpleQueue()
        self.unheeded: Callable[[float], None] = lambda seconds: None
        interlocks = interlocks_for(device.description, {})
        judge = InterlockJudge(interlocks, device.description.name)
        self.watcher = Watcher(judge, device, 1.0, 5.0, clock=lambda: self.now_s, wait=self._wait)

    def _wait(self, event: threading.Event, seconds: float) -> None:
        if event is self.watcher._heeded:
            self.unheeded(seconds)
            return
        self._pausing.put(seconds)
        self._go.get()

    def start(self) -> "Rig":
        self.watcher.start()
        assert self._pausing.get(timeout=PATIENCE_S) == 1.0
        return self

    def tick(self) -> None:
        """One more good reading."""
        self._go.put(None)
        self._pausing.get(timeout=PATIENCE_S)

    def last_tick(self) -> None:
        """One more reading, which ends the thread."""
        self._go.put(None)
        self.watcher._thread.join(PATIENCE_S)
        assert not self.watcher._thread.is_alive()

    def release(self) -> None:
        self._go.put(None)


@pytest.fixture
def described(describe):
    return describe(name="bench 3", health=(HEAT,))


@pytest.fixture
def rig(described) -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def build(answer: Any = 1.0) -> Rig:
        made.append(Rig(Health(described, answer)))
        return made[-1]

    yield build
    for one in made:
        one.release()
        one.watcher.stop()


@pytest.fixture
def synchronous(described) -> Callable[..., SynchronousInterlocks]:
    def build(answer: Any = 1.0) -> SynchronousInterlocks:
        judge = InterlockJudge(interlocks_for(described, {}), "bench 3")
        return SynchronousInterlocks(judge, Health(described, answer))

    return build


def reason_of(guard) -> str:
    with pytest.raises(InterlockTripped) as tripped:
        guard.check()
    return str(tripped.value)


# Synchronous, on a virtual clock


def test_synchronous_checks_read_each_time_and_trip_for_good(synchronous):
    guard = synchronous()
    with guard:
        guard.check()
        assert guard._device.asked == 2
        guard._device.answer = 12.0
        first = reason_of(guard)
        assert "12.0 W is over the upper bound of 10.0 W" in first
        guard._device.answer = 1.0
        assert reason_of(guard) == first


@pytest.mark.parametrize("answer", [12.0, nan, {}, LinkLost("unplugged"), None])
def test_starting_tripped_or_blind_is_refused(synchronous, rig, answer):
    with pytest.raises(InterlockTripped):
        synchronous(answer).start()
    one = rig(answer)
    with pytest.raises(InterlockTripped):
        one.watcher.start()
    one.watcher._thread.join(PATIENCE_S)
    assert not one.watcher._thread.is_alive()


def test_a_synchronous_reading_that_fails_trips_for_good_and_names_the_error(synchronous):
    guard = synchronous()
    guard.start()
    guard._device.answer = lost = LinkLost("unplugged")
    with pytest.raises(InterlockTripped, match=r"bench 3, .*could not be read \(LinkLost: unplugged\)") as tripped:
        guard.check()
    assert tripped.value.__cause__ is lost
    guard._device.answer = 1.0
    assert "unplugged" in reason_of(guard)


def test_interrupting_a_synchronous_check_is_not_a_trip(synchronous):
    guard = synchronous(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        guard.check()
    guard._device.answer = 1.0
    guard.check()


# A watcher, on hardware


def test_the_watcher_reads_again_after_each_interval(rig):
    one = rig().start()
    for _ in range(3):
        one.now_s += 1.0
        one.tick()
        one.watcher.check()
    assert one.device.asked == 4


def test_a_breach_between_two_checks_trips_even_when_it_is_over_again(rig):
    one = rig().start()
    one.device.answer = 12.0
    one.last_tick()
    one.device.answer = 1.0
    first = reason_of(one.watcher)
    assert "heat: 12.0 W is over the upper bound of 10.0 W" in first
    assert reason_of(one.watcher) == first


@pytest.mark.parametrize("fault", [LinkLost("unplugged"), ValueError("odd"), SystemExit(3), KeyboardInterrupt()])
def test_whatever_kills_the_thread_trips_with_it_as_the_cause(rig, fault):
    one = rig().start()
    one.device.answer = fault
    one.last_tick()
    for _ in range(2):
        with pytest.raises(InterlockTripped, match=f"could not be read .{type(fault).__name__}: ") as tripped:
            one.watcher.check()
        assert tripped.value.__cause__ is fault


def test_a_fault_in_the_pause_itself_trips(rig, monkeypatch):
    one = rig().start()
    monkeypatch.setattr(one.watcher, "_wait", lambda stopping, seconds: 1 // 0)
    one.last_tick()
    assert "ZeroDivisionError" in reason_of(one.watcher)


def test_a_thread_that_vanished_without_a_word_trips(rig, monkeypatch):
    one = rig().start()
    monkeypatch.setattr(one.watcher._thread, "is_alive", lambda: False)
    assert "thread is gone" in reason_of(one.watcher)
    monkeypatch.undo()
    assert "thread is gone" in reason_of(one.watcher)


def test_a_reading_that_hangs_trips_once_it_is_stale_and_for_good(rig):
    hang, hanging = threading.Event(), threading.Event()

    def hang_once() -> float:
        hanging.set()
        hang.wait(PATIENCE_S)
        return 1.0

    one = rig().start()
    one.device.answer = hang_once
    one.release()
    assert hanging.wait(PATIENCE_S)
    one.now_s += 5.0
    one.watcher.check()
    one.now_s += 0.1
    first = reason_of(one.watcher)
    assert "bench 3, interlocks: the last good reading is 5.1 s old, more than 5.0 s" in first
    hang.set()
    assert reason_of(one.watcher) == first


def test_a_gap_in_the_watch_trips_even_when_nobody_checked_meanwhile(rig):
    one = rig().start()

    def slow() -> float:
        one.now_s += 5.1
        return 1.0

    one.device.answer = slow
    one.last_tick()
    assert "5.1 s old" in reason_of(one.watcher)


def test_a_reading_is_as_old_as_its_question(rig):
    one = rig().start()

    def slow() -> float:
        one.now_s += 4.0
        return 1.0

    one.device.answer = slow
    one.tick()
    one.now_s += 1.1
    assert "5.1 s old" in reason_of(one.watcher)


def test_a_first_reading_that_hangs_refuses_the_start_within_the_deadline(described):
    hang = threading.Event()
    device = Health(described, lambda: 1.0 if hang.wait(PATIENCE_S) else 2.0)
    judge = InterlockJudge(interlocks_for(described, {}), "bench 3")
    watcher = Watcher(judge, device, 0.001, 0.02, clock=lambda: 0.0)
    with pytest.raises(InterlockTripped, match=r"first reading did not arrive within 0\.02 s"):
        watcher.start()
    hang.set()
    watcher._thread.join(PATIENCE_S)
    assert not watcher._thread.is_alive()
    assert device.asked == 1


def test_a_watcher_that_was_never_started_or_was_stopped_raises(rig):
    one = rig()
    assert "never started" in reason_of(one.watcher)
    one.start().watcher.check()
    one.watcher.stop(deadline_s=0.0)
    assert "was stopped and nothing watches" in reason_of(one.watcher)
    with pytest.raises(RuntimeError):
        one.watcher.start()


def test_a_watcher_stopped_before_its_start_does_not_watch(rig):
    one = rig()
    one.watcher.stop()
    with pytest.raises(InterlockTripped, match="was stopped"):
        one.watcher.start()
    assert one.device.asked == 0


def test_stopping_ends_the_thread_twice_over_and_keeps_an_earlier_reason(rig):
    one = rig().start()
    one.device.answer = 12.0
    one.last_tick()
    for _ in range(2):
        one.watcher.stop()
    assert "12.0 W" in reason_of(one.watcher)


def test_stopping_wakes_a_pause_at_once_and_joins(described):
    judge = InterlockJudge(interlocks_for(described, {}), "bench 3")
    with Watcher(judge, Health(described), 3600.0, 7200.0) as watcher:
        watcher.check()
    assert not watcher._thread.is_alive()


def test_stopping_does_not_wait_for_a_reading_that_hangs(rig):
    hang, hanging = threading.Event(), threading.Event()

    def hang_once() -> float:
        hanging.set()
        hang.wait(PATIENCE_S)
        return 1.0

    one = rig().start()
    one.device.answer = hang_once
    one.release()
    assert hanging.wait(PATIENCE_S)
    one.watcher.stop(deadline_s=0.01)
    assert "was stopped" in reason_of(one.watcher)
    hang.set()
    one.release()
    one.watcher._thread.join(PATIENCE_S)
    assert one.device.asked == 2


def test_of_many_threads_that_check_all_see_the_same_first_reason(rig):
    one = rig().start()
    one.now_s += 6.0
    reasons: list[str] = []
    checkers = [threading.Thread(target=lambda: reasons.append(reason_of(one.watcher))) for _ in range(8)]
    for thread in checkers:
        thread.start()
    for thread in checkers:
        thread.join(PATIENCE_S)
    assert len(reasons) == 8
    assert len(set(reasons)) == 1


def test_the_thread_does_not_keep_the_process_alive_and_says_whose_it_is(rig):
    thread = rig().watcher._thread
    assert thread.daemon
    assert thread.name == "interlocks of bench 3"


def test_a_check_costs_less_than_five_microseconds(described):
    judge = InterlockJudge(interlocks_for(described, {}), "bench 3")
    with Watcher(judge, Health(described), 3600.0, 7200.0) as watcher:
        assert min(timeit.repeat(watcher.check, number=1000, repeat=20)) / 1000 < 5e-6


@pytest.mark.parametrize(
    ("interval_s", "stale_s"), [(0.0, 5.0), (-1.0, 5.0), (5.0, 5.0), (1.0, inf), (1.0, nan), (nan, 5.0)]
)
def test_times_under_which_staleness_means_nothing_are_refused(described, interval_s, stale_s):
    with pytest.raises(ValueError, match="interval_s"):
        Watcher(InterlockJudge((), "bench 3"), Health(described), interval_s, stale_s)


# A trip that nobody heeds


def notes_of(guard) -> list[str]:
    with pytest.raises(InterlockTripped) as tripped:
        guard.check()
    return getattr(tripped.value, "__notes__", [])


@pytest.mark.parametrize("answer", [12.0, nan, {}, LinkLost("unplugged")])
def test_a_trip_that_nobody_takes_notice_of_parks_the_device_and_says_so(rig, answer):
    one = rig().start()
    waited_s: list[float] = []
    one.unheeded = waited_s.append
    one.device.answer = answer
    one.last_tick()
    assert waited_s == [5.0]
    assert one.device.parked == 1
    assert notes_of(one.watcher) == [
        "bench 3, interlocks: nobody took notice of the trip for 5.0 s, so that the watcher parked the device"
    ]


def test_a_trip_that_somebody_takes_notice_of_is_left_to_him(rig):
    one = rig().start()
    one.unheeded = lambda seconds: notes_of(one.watcher).clear()
    one.device.answer = 12.0
    one.last_tick()
    assert one.device.parked == 0
    assert notes_of(one.watcher) == []


def test_a_watcher_that_is_stopped_or_refused_its_start_parks_nothing(rig):
    one = rig().start()
    one.watcher.stop(deadline_s=0.0)
    one.release()
    other = rig(12.0)
    other.unheeded = lambda seconds: other.watcher._heeded.wait(PATIENCE_S)
    with pytest.raises(InterlockTripped):
        other.watcher.start()
    for watcher in (one.watcher, other.watcher):
        watcher._thread.join(PATIENCE_S)
        assert not watcher._thread.is_alive()
    assert one.device.parked == other.device.parked == 0


def test_parking_that_fails_there_is_told_by_the_next_check(rig):
    one = rig().start()
    one.device.answer, one.device.at_park = 12.0, LinkLost("unplugged")
    one.last_tick()
    (note,) = notes_of(one.watcher)
    assert note.endswith("parked, which failed (LinkLost: unplugged); outputs may still be on")


def test_a_thread_that_stands_still_has_its_bench_parked(described):
    device = Health(described, clock=WallClock())
    parked = threading.Event()
    device.park = parked.set
    with interlocks_on(device, interlocks_for(described, {}), interval_s=0.001, stale_s=0.05) as guard:
        device.answer = 12.0
        assert parked.wait(PATIENCE_S)  # as long as this thread stands here, nothing else parks
        assert "watcher parked the device" in notes_of(guard)[0]


# Which of them


def test_the_clock_of_the_device_decides(described):
    interlocks = interlocks_for(described, {"heat": InterlockBound(upper=5.0)})
    assert isinstance(interlocks_on(Health(described), interlocks), SynchronousInterlocks)
    assert isinstance(interlocks_on(Health(described, clock=WallClock()), interlocks), Watcher)


def test_a_device_without_interlocks_is_left_in_peace(describe):
    blind = describe(health=(HealthChannel(name="humidity", unit="%"),))
    device = Health(blind, LinkLost("never asked"), clock=WallClock())
    with interlocks_on(device, interlocks_for(blind, {})) as guard:
        guard.check()
    guard.check()
    assert isinstance(guard, NoInterlocks)
    assert device.asked == 0


@pytest.mark.parametrize("clock", [VirtualClock(), WallClock()])
def test_a_trip_in_the_body_is_raised_from_it_under_either_clock(described, clock):
    device = Health(described, clock=clock)
    with interlocks_on(device, interlocks_for(described, {}), interval_s=0.001) as guard:
        device.answer = 12.0
        with pytest.raises(InterlockTripped, match=r"12\.0 W"):
            check_repeatedly(guard)


def check_repeatedly(guard) -> None:
    pause = threading.Event()
    for _ in range(10_000):
        guard.check()
        pause.wait(0.001)
