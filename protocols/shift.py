"""A protocol under way: the one device, the run folder and the book, and whatever a person asks meanwhile."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ffzero_lab.bench_file import ChosenDevice
from ffzero_lab.calibrations import load
from ffzero_lab.device import (
    Calibrated,
    Counts,
    Guarded,
    InterlockBound,
    InterlockGuard,
    Ledger,
    Protected,
    VirtualClock,
)
from ffzero_lab.device.recorder import Recorder, recorder_of
from ffzero_lab.runs import ControlFolder, RunWriter, ask
from ffzero_lab.runs.control import ControlRequest
from ffzero_lab.runs.layout import CONTROL
from ffzero_lab.runs.liveness import writer
from ffzero_lab.signals import Interruption, Signals
from ffzero_lab.training import Event, Session
from ffzero_lab.training.progress import named_under
from ffzero_lab.vitals import vitals_of
from protocols.book import Book, Entry, Plain, now
from protocols.checked import Protocol as Checked
from protocols.recorded import own_point, set_aside_ahead

POLL_S = 0.05
WAIT_SLICE_S = 0.5
"""Longest sleep on a real clock without a look at signals, interlocks and requests."""
STATUS_EVERY_S = 1.0
STOPPED_BY_REQUEST = 143


class Listener(Protocol):
    """What a person sees and says. A failure to show must not raise."""

    def line(self, text: str) -> None:
        """Show one line."""
        ...

    def question(self, text: str) -> None:
        """Show what waits for an answer, whatever else is shown; nothing that was typed before answers it."""
        ...

    def training(self, session: Session, event: Event) -> None:
        """Show an event of a training run."""
        ...

    def answer(self) -> bool | None:
        """Return what was answered at the terminal, without waiting; None: nothing yet, or there is none."""
        ...


@dataclass
class Shift:
    """Everything that the steps of one protocol share.

    Attributes
    ----------
    protocol, chosen, interlocks, signals, run, book, listener
        What is carried out, on what, under which watch, and where it is kept and shown.
    guard
        The device, in raw units, opened once for all steps.
    bounds
        The user's bounds on health channels, for the manifests of training runs.
    data_dir
        Where relative paths of data sets start from.
    agreed
        Whether every question is answered with yes beforehand.
    committed
        How much of the recording, in exchanges, belongs to what was kept last.
    training
        The folder of the training run under way, which hears requests itself.
    aside
        What is done beside the step under way, in words, for whoever shows it; empty: nothing.
    state
        What the status said last.
    asks
        Whether an answer is waited for.
    part
        The part of the step that was measured last, in words; empty: none is told.
    """

    protocol: Checked
    chosen: ChosenDevice
    guard: Guarded
    interlocks: InterlockGuard
    signals: Signals
    run: RunWriter
    book: Book
    listener: Listener
    bounds: Mapping[str, InterlockBound]
    data_dir: Path
    agreed: bool = False
    committed: int = 0
    training: Path | None = None
    aside: str = ""
    state: str = "running"
    asks: bool = False
    part: str = ""
    _control: ControlFolder = field(init=False)
    _paused: ControlRequest | None = field(default=None, init=False)
    _continued: bool = field(default=False, init=False)
    _told_s: float = field(default=float("-inf"), init=False)
    _at: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._control = ControlFolder(self.run.path)

    @property
    def entry(self) -> Entry:
        """The entry of the step under way."""
        return self.book.entries[self._at]

    @property
    def exact(self) -> bool:
        """Whether the device has a state that can be put back (a twin)."""
        return self.guard.snapshot() is not None

    @property
    def step_seconds(self) -> float:
        """Device time that the step under way took so far."""
        return self.book.step_earlier_s + self.guard.clock.now_s() - self.book.step_began_s

    @property
    def folder(self) -> Path:
        """Where the step under way keeps files, within the run folder."""
        return self.run.path / self.book.folder_of(self.entry)

    @property
    def recorded(self) -> int:
        """How many exchanges the recording holds, if there is one."""
        return 0 if self._recorder is None else self._recorder.exchanges

    @property
    def _recorder(self) -> Recorder | None:
        return recorder_of(self.guard)

    def at_step(self, number: int) -> None:
        """Go to the step of that number, from 0."""
        self._at, self.part = number, ""

    def protected(self, *, uncalibrated: bool) -> Protected:
        """Return the device behind the record in force; as it is when there is none, or none is wanted."""
        if self.book.record is None or uncalibrated:
            return self.guard
        return Calibrated(self.guard, load(self.run.path / self.book.record))

    def tell(self, message: str) -> None:
        """Show a line with the step it belongs to."""
        self.listener.line(f"{self._at + 1:2d} {self.entry.name}  {message}")

    def part_kept(self, message: str) -> None:
        """Let the part of the step that was measured last be shown; there are too many for a line each."""
        self.part = message

    def note(self, message: str) -> None:
        """Show a line, and keep it for the summary."""
        self.book.notes.append(f"{self.entry.name}: {message}")
        self.tell(message)

    def row(self, event: str, **more: Any) -> None:
        """Append a row to the metrics; raises OSError."""
        self.run.append({"event": event, "step": self.entry.name, "device_s": self.guard.clock.now_s(), **more})

    def commit(self, recorded: int | None = None) -> None:
        """Keep the book, and of a twin the exact state that goes with it; raises OSError.

        A recording goes on behind so many exchanges, *recorded*; None: behind all.
        """
        self.entry.counts = self.guard.ledger.as_json()
        self.entry.device_seconds = self.step_seconds
        arrays = named_under("device", self.guard.snapshot() or {})
        plain: Plain = {"book": self.book.to_plain()}
        if self._recorder is not None:
            self.committed = self.recorded if recorded is None else recorded
            self._recorder.sync()
            plain["exchanges"] = self.committed
        self.run.checkpoint(arrays, plain, self.run.metrics_bytes)
        if time.perf_counter() - self._told_s >= STATUS_EVERY_S:
            self.status("running")

    def goes_on_behind(self) -> int | None:
        """Return the exchanges behind which the failed step goes on when it is taken up; None: behind all of them.

        A step that is taken up from a state of its own does again what came after. A replay cannot: the failure is in
        the recording, and it would meet it each time.
        """
        own = None if self._recorder is None else own_point(self.folder)
        return None if own is None else max(own, self.committed)

    def go_back(self, exchanges: int) -> None:
        """Let the recording go on where a step takes itself up, behind so many exchanges; raises OSError.

        What came after, such as a look of the sentinel or a failure, is done again from here on.
        """
        if self._recorder is not None:
            behind = max(exchanges, self.committed)
            set_aside_ahead(self.run.path, behind)
            self._recorder.go_back(behind)

    def recording(self) -> Plain:
        """Return what the summary says of the recording, which is then on the disk; nothing when there is none."""
        if self._recorder is None:
            return {}
        self._recorder.sync()
        return {"recording": self._recorder.as_json()}

    def describe(self) -> None:
        """Bring the outcomes in the manifest up to the book; raises OSError."""
        self.run.describe({**self.run.manifest, **outcomes(self.book)})

    @contextmanager
    def account(self) -> Generator[Ledger]:
        """Count what happens inside on a ledger of its own, and put what was counted before back afterwards."""
        guard = self.guard
        before, saturated, where = guard.ledger, guard.saturated, guard.saturated_at
        guard.ledger, guard.saturated, guard.saturated_at = Ledger(), 0, set()
        try:
            yield guard.ledger
        finally:
            guard.ledger, guard.saturated, guard.saturated_at = before, saturated, where

    @contextmanager
    def going_aside(self, what: str) -> Generator[None]:
        """Let *what* be shown as what is done meanwhile."""
        before, self.aside = self.aside, what
        try:
            yield
        finally:
            self.aside = before

    def add(self, ledger: Ledger) -> None:
        """Book what was counted on a ledger of its own on the step under way."""
        own = self.guard.ledger.by_purpose
        for purpose, counts in ledger.by_purpose.items():
            own[purpose] = own.get(purpose, Counts()) + counts

    def between_exchanges(self) -> None:
        """Heed signals, interlocks and requests; raises Interruption or InterlockTripped."""
        self.signals.heed()
        self.heed_watch()

    def heed_watch(self, *, at_once: bool = False) -> None:
        """Heed interlocks and requests to the protocol; those that a training run can answer are handed on to it."""
        self.interlocks.check()
        for request in self._control.heard(at_once=at_once):
            if request.name == "stop":
                raise Interruption("stopped on request", STOPPED_BY_REQUEST)
            handed_on = self.training is not None and (self.training / CONTROL).is_dir()
            if self.training is not None and handed_on:
                ask(self.training, request)
            if request.name == "pause":
                self._paused = None if handed_on else request
            else:
                self._continued, self._paused = True, None

    def moment(self) -> None:
        """Between two parts: pause if somebody asked for it."""
        self.between_exchanges()
        if self._paused is not None:
            request, self._paused = self._paused, None
            self._continued = False
            self._stand_still("on request", park=request.park)

    def pause(self, reason: str) -> None:
        """Park and stand still until ``ffzero-lab continue RUN``; raises Interruption when it is stopped meanwhile."""
        self._forget_answers()
        self._stand_still(reason, park=True)

    def _stand_still(self, reason: str, *, park: bool) -> None:
        if park:
            self.guard.park()
        self._question(f"paused: {reason}; go on with: ffzero-lab continue {self.run.path}")
        self._wait_for_an_answer(terminal=False, reason=reason, parked=park)
        self.status("running")

    def confirmed(self, message: str) -> str:
        """Wait until the operator agrees; returns where. Raises Interruption when they do not."""
        self._forget_answers()
        self.asks = True
        self._question(
            f"{message}\n   to agree: ffzero-lab continue {self.run.path}\n"
            f"   to end here: ffzero-lab stop {self.run.path}\n   at this terminal: y or n"
        )
        where = self._wait_for_an_answer(terminal=True, reason=f"waits for an answer: {message}")
        self.asks = False
        self.status("running")
        return where

    def _question(self, text: str) -> None:
        self.listener.question(f"{self._at + 1:2d} {self.entry.name}  {text}")

    def _forget_answers(self) -> None:
        """Let what was said before a question count for what it answered then, and not for the question."""
        self.signals.heed()
        self.heed_watch(at_once=True)
        self._continued = False

    def _wait_for_an_answer(self, *, terminal: bool, **told: Any) -> str:
        """Wait, and go on telling the status: the interlocks go on looking at the bench meanwhile."""
        self.status("paused", **told)
        while True:
            self.between_exchanges()
            if time.perf_counter() - self._told_s >= STATUS_EVERY_S:
                self.status("paused", **told)
            if self._continued:
                self._paused = None
                return "control"
            answered = self.listener.answer() if terminal else None
            if answered is not None:
                if answered:
                    return "terminal"
                raise Interruption("declined by the operator", STOPPED_BY_REQUEST)
            time.sleep(POLL_S)

    def sleep_slice(self, left_s: float) -> None:
        """Let some device time pass, *left_s* at most: all of it on a virtual clock."""
        self.between_exchanges()
        clock = self.guard.clock
        clock.sleep_s(left_s if isinstance(clock, VirtualClock) else min(left_s, WAIT_SLICE_S))

    def status(self, state: str, **more: Any) -> None:
        """Tell how the protocol stands; raises OSError."""
        self._told_s, self.state = time.perf_counter(), state
        last = {"event": "protocol", "step": self._at + 1, "name": self.entry.name}
        self.run.status(
            {
                "state": state,
                **writer(),
                "updated": now(),
                "steps": len(self.book.entries),
                "last_event": last,
                "device_seconds": self.guard.clock.now_s(),
                **self.vitals(),
                **more,
            }
        )

    def vitals(self) -> dict[str, Any]:
        """Return what is known of the bench beside its outputs; exchanges nothing."""
        return vitals_of(self.guard, self.interlocks)

    def status_of_training(self, status: Mapping[str, Any]) -> None:
        """Tell the status of a training run as that of the protocol, unless the training run is at its end."""
        if status["state"] in ("running", "paused"):
            kept = {key: status[key] for key in ("reason", "parked") if key in status}
            self.status(str(status["state"]), training=status["last_event"], **kept)


def outcomes(book: Book) -> Plain:
    """Return what the manifest says of a book."""
    return {
        "steps": [asdict(entry) for entry in book.entries],
        "calibration_in_force": book.record,
        "sentinel": {key: value for key, value in book.sentinel.items() if key != "reference"},
        "notes": list(book.notes),
    }
