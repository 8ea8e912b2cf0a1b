"""What a person sees, and answers, while a protocol goes on; nothing beside JSON but questions, on standard error."""

import select
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import typer
from rich.text import Text

from ffzero_lab.cli.display import Stopwatch
from ffzero_lab.cli.following import Follower, counted, device_trouble, is_virtual
from ffzero_lab.cli.progress import Facts, line, panel
from ffzero_lab.cli.remaining import Remaining, Spent, remaining
from ffzero_lab.cli.screen import Screen
from ffzero_lab.cli.wording import describe
from ffzero_lab.device import Counts, Guarded
from ffzero_lab.training import Checked, Event, Session, StepDone
from protocols.book import Entry
from protocols.shift import Shift

STATES: Mapping[str, str] = MappingProxyType(
    {
        "identify": "identifying",
        "check": "checking",
        "confirm": "asking",
        "warm-up": "warming up",
        "calibrate": "calibrating",
        "train": "training",
        "evaluate": "evaluating",
        "drift-check": "looking for drift",
        "sweep": "sweeping",
        "report": "writing the report",
        "park": "parking",
    }
)
"""What is done while a step of a kind is under way."""


class Voice:
    """Shows a protocol under way on standard output, or nothing beside JSON; answers are read from a terminal."""

    def __init__(self, *, as_json: bool) -> None:
        self._silent = as_json
        self._screen = Screen(self._panel, self._line)
        self._watch = Stopwatch()
        self._shift: Shift | None = None
        self._planned: Sequence[Spent] = ()
        self._began = Spent()
        self._followed: Path | None = None
        self._follower: Follower | None = None
        self._left: Remaining | None = None
        self._most = Counts()
        self._most_of = -1

    def __enter__(self) -> Self:
        if not self._silent:
            self._screen.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._silent:
            return
        shift = self._shift
        if kind is not None and shift is not None:
            self._try(lambda: self._screen.show(Text(line(replace(self.facts(shift), state="ended early")))))
        self._screen.close()

    def begin(self, shift: Shift) -> None:
        """Show the progress of *shift* from now on."""
        timing = shift.guard.description.timing
        self._planned = [_predicted(step, timing) for step in shift.run.manifest["plan"]["steps"]]
        self._shift = shift
        self._began = self._spent(shift)

    def line(self, text: str) -> None:
        """Show one line; it returns at once, and no failure to show it ends the run."""
        if not self._silent:
            self._screen.holds = False
            self._screen.show(Text(text))

    def verbatim(self, text: str) -> None:
        """Show text that somebody may copy, such as a path: it is not wrapped at words."""
        if not self._silent:
            self._screen.show(text)

    def question(self, text: str) -> None:
        """Show what waits for an answer; beside JSON on standard error, so that nobody waits for nothing."""
        if self._silent:
            with suppress(OSError):
                typer.echo(text, err=True)
        for each in text.splitlines():
            (self.verbatim if "ffzero-lab " in each else self.line)(each)

    def training(self, session: Session, event: Event) -> None:
        """Take in an event of a training run; what is rare enough gets a line of its own."""
        if self._silent:
            return
        self._try(lambda: self._follow(session, event))
        if not isinstance(event, StepDone | Checked):
            told = describe(event, session.device.ledger.total, session.network.aim.measure)
            self._screen.show(Text(f"     {told}"))

    def answer(self) -> bool | None:
        """Return what was typed, without waiting; None: nothing that means yes or no."""
        self._screen.holds = True
        if self._silent or not sys.stdin.isatty() or not select.select([sys.stdin], [], [], 0.0)[0]:
            return None
        answered = {"y": True, "yes": True, "n": False, "no": False}.get(sys.stdin.readline().strip().lower())
        self._screen.holds = answered is None
        return answered

    def facts(self, shift: Shift) -> Facts:
        """Return what is known now; asks the device nothing."""
        entries, entry, guard = shift.book.entries, shift.entry, shift.guard
        waits = shift.state == "paused"
        if waits and not self._watch.is_stopped and shift.training is not None:
            self.verbatim(f"   paused; to go on: ffzero-lab continue {shift.run.path}")
        (self._watch.stop if waits else self._watch.go_on)()
        training = self._follower if shift.training is not None and shift.training == self._followed else None
        now = self._spent(shift)
        if not shift.aside or self._left is None:  # what is counted aside would make the rest jump
            planned = Spent(sum(one.predicted_s for one in self._planned), 0.0, sum(one.shots for one in self._planned))
            virtual = is_virtual(guard)
            worked = replace(now, device_s=self._watch.worked(now.device_s, virtual=virtual))
            self._left = remaining(planned, self._began, worked, virtual=virtual)
        spent = self._counts(shift)
        return Facts(
            state=_state(shift, training),
            waits=waits,
            heading=_heading(entry, entries.index(entry) + 1, len(entries)),
            writes=spent.writes,
            shots=spent.shots,
            device_s=now.device_s,
            wall_s=now.wall_s,
            device_left_s=self._left.device_s,
            wall_left_s=None if is_virtual(guard) else self._left.wall_s,  # a twin's hours of waiting take no time
            learning=None if training is None else training.learning(),
            health=shift.interlocks.watched,
            trouble=_trouble(entry, guard, training),
        )

    def _follow(self, session: Session, event: Event) -> None:
        training = None if self._shift is None else self._shift.training
        if self._follower is None or training != self._followed:
            self._followed, self._follower = training, Follower(session)
        self._follower.session = session  # another one when the device was calibrated anew within the run
        self._follower.note(event)

    def _spent(self, shift: Shift) -> Spent:
        """Return what has passed; a step under way counts with what was predicted for what it has done."""
        done = [plan for plan, entry in zip(self._planned, shift.book.entries, strict=True) if entry.over]
        taken_s = sum(entry.device_seconds for entry in shift.book.entries if entry.over)
        predicted_s, shots = sum(one.predicted_s for one in done), sum(one.shots for one in done)
        if not shift.entry.over and shift.entry.state != "waiting":
            own = self._planned[shift.book.entries.index(shift.entry)]
            taken_s += shift.step_seconds
            predicted_s += min(own.predicted_s, shift.step_seconds)
            shots += min(own.shots, self._counts(shift).shots - self._counts_over(shift).shots)
        return Spent(predicted_s, taken_s, shots, self._watch.seconds())

    def _counts(self, shift: Shift) -> Counts:
        """Return everything counted for the steps, never less than before: a part has a ledger of its own at first.

        What is done aside, such as a look for drift, counts for no step.
        """
        at = shift.book.entries.index(shift.entry)
        if at != self._most_of:
            self._most, self._most_of = Counts(), at
        own = Counts() if shift.entry.over or shift.aside else shift.guard.ledger.total
        most = self._most
        self._most = Counts(max(most.writes, own.writes), max(most.readings, own.readings), max(most.shots, own.shots))
        return self._counts_over(shift) + self._most

    def _counts_over(self, shift: Shift) -> Counts:
        return sum((entry.spent() for entry in shift.book.entries if entry.over), Counts())

    def _panel(self, width: int, ascii_only: bool) -> list[Text]:
        shift = self._shift
        return [] if shift is None else panel(self.facts(shift), width, ascii_only=ascii_only)

    def _line(self, ascii_only: bool) -> str:
        shift = self._shift
        return "" if shift is None else line(self.facts(shift), ascii_only=ascii_only)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - a failure to display never ends a run
            self._screen.fail(error)


def _predicted(step: Mapping[str, Any], timing: Any) -> Spent:
    counts = Counts(step["writes"], step["readings"], step["shots"])
    return Spent(counts.seconds(timing) + step["waits_s"], 0.0, counts.shots)


def _heading(entry: Entry, number: int, steps: int) -> tuple[str, ...]:
    name = entry.name if entry.name == entry.kind else f"{entry.name} ({entry.kind})"
    again = (f"{entry.repetition}. time",) if entry.repetition > 1 else ()
    attempt = (f"attempt {entry.attempts + 1}",) if entry.attempts else ()
    return (f"step {number} of {steps}", name, *again, *attempt)


def _state(shift: Shift, training: Follower | None) -> str:
    """Return what the protocol is at, in words."""
    if shift.state == "paused":
        return "waiting for an answer" if shift.asks else "paused"
    if shift.guard.is_parking:
        return "parking"
    if shift.aside:
        return shift.aside
    if training is not None:
        return training.state()
    part = " ".join(shift.part.split())
    return STATES[shift.entry.kind] + (f": {part}" if part else "")


def _trouble(entry: Entry, guard: Guarded, training: Follower | None) -> tuple[str, ...]:
    told = device_trouble(guard) if training is None else training.trouble()
    return (*told, *([counted(len(entry.failures), "failure")] if entry.failures else []))
