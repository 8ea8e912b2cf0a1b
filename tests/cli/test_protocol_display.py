"""What a person sees of a protocol: which step, which attempt, what is left, and that somebody has to act."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ffzero_lab.cli.progress import Facts
from ffzero_lab.cli.protocol_display import STATES, Voice
from ffzero_lab.device import Ledger, Timing, WallClock
from protocols.book import Book, Entry
from protocols.steps import KINDS

COUNTED = {"training": {"writes": 100, "readings": 100, "shots": 1000}}


def shift(**changes: Any) -> Any:
    """A protocol of three steps in its second; each is predicted to take 10 s."""
    entries = [
        Entry("settle", "warm-up", "done", counts=COUNTED, device_seconds=20.0),
        Entry("train", "train", "running"),
        Entry("hold", "drift-check"),
    ]
    ledger = Ledger()
    ledger.add(writes=50, shots=500)
    guard = SimpleNamespace(
        description=SimpleNamespace(timing=Timing(write_s=0.1, shot_s=0.0)),
        clock=WallClock(),
        ledger=ledger,
        is_parking=False,
        restarts=0,
        saturated=0,
        recoveries=lambda: 0,
    )
    step = {"writes": 100, "readings": 100, "shots": 1000, "waits_s": 0.0}
    made = SimpleNamespace(
        book=Book(entries),
        entry=entries[1],
        guard=guard,
        run=SimpleNamespace(manifest={"plan": {"steps": [step] * 3}}, path=Path("run")),
        interlocks=SimpleNamespace(watched=()),
        step_seconds=10.0,
        training=None,
        state="running",
        asks=False,
        aside="",
        part="",
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def facts(protocol: Any) -> Facts:
    voice = Voice(as_json=False)
    before = shift(step_seconds=0.0)
    before.book.entries[0].device_seconds, before.guard.ledger = 0.0, Ledger()
    voice.begin(before)
    return voice.facts(protocol)


def test_it_tells_the_step_what_was_counted_and_what_is_left() -> None:
    told = facts(shift())
    assert told.heading == ("step 2 of 3", "train")
    assert told.state == "training"
    assert (told.writes, told.shots) == (150, 1500)
    assert told.device_s == pytest.approx(30.0)
    # the third step is left, 10 s by the prediction; in this process 10 predicted seconds took 30
    assert told.device_left_s == pytest.approx(30.0)


def test_attempts_repetitions_and_failures_are_told() -> None:
    protocol = shift()
    protocol.entry.attempts, protocol.entry.repetition, protocol.entry.failures = 1, 3, ["it was dark"]
    told = facts(protocol)
    assert told.heading == ("step 2 of 3", "train", "3. time", "attempt 2")
    assert told.trouble == ("1 failure",)


def test_a_pause_and_a_question_wait_for_somebody() -> None:
    assert (facts(shift(state="paused")).state, facts(shift(state="paused")).waits) == ("paused", True)
    assert facts(shift(state="paused", asks=True)).state == "waiting for an answer"
    assert facts(shift(part="layer 0  fringes  phi[3]")).state == "training: layer 0 fringes phi[3]"
    assert facts(shift(aside="looking for drift")).state == "looking for drift"


def test_every_kind_of_step_has_words() -> None:
    assert set(STATES) == set(KINDS)
