"""Conducts one run: drives the session, keeps what it tells, heeds what is asked, and parks whatever happens."""

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ffzero_lab.device import InterlockTripped, Protected
from ffzero_lab.device.recorder import Recorder, recorder_of
from ffzero_lab.device.recording import FOLDER
from ffzero_lab.device.replay import check_replayed
from ffzero_lab.kept import evaluation_of
from ffzero_lab.runs import ControlFolder, ControlRequest, RunWriter
from ffzero_lab.runs.liveness import writer
from ffzero_lab.signals import Interruption, Signals
from ffzero_lab.summary import summarise
from ffzero_lab.training import Event, LayerDone, Network, Session, StepDone, as_row
from ffzero_lab.training.progress import Arrays, Plain, named_under

State = Literal["running", "paused", "stopped", "tripped", "failed", "complete"]
PAUSE_POLL_S = 0.05
STATUS_EVERY_S = 1.0
MARK_EVERY_S = 0.05
"""Keeping a moment in memory takes some percent of a fast step; an error costs at most so many seconds of steps."""
STOPPED_BY_REQUEST = 143


@dataclass(frozen=True)
class Boundary:
    """A moment at which the session's state was complete, how long the metrics were then, and the recording."""

    network: Network
    arrays: Arrays
    plain: Plain
    metrics_bytes: int
    exchanges: int
    interlude: Plain | None = None


class Interlude(Protocol):
    """What uses the device between two moments of training, such as a look for drift.

    Its state goes into every checkpoint, so that a resumed run acts at the very same moments.
    """

    def due(self, session: Session) -> bool:
        """Tell whether something is to be done now."""
        ...

    def act(self, session: Session) -> Session:
        """Use the device; returns the session that goes on, another one when the device is seen differently now."""
        ...

    def state(self) -> Plain:
        """Return what decides when and how it acts next, as plain values."""
        ...


@dataclass
class Conductor:
    """Runs a session to its end, or to a parked stop that can be resumed.

    Attributes
    ----------
    session, run
        What is conducted, and where it is kept.
    show
        Told every event; must not raise.
    signals
        Heeded between exchanges.
    interlocks
        Called between exchanges; raises InterlockTripped.
    checkpoint_every_s
        Wall seconds between checkpoints; a layer's end makes one in any case.
    earlier_wall_s
        Wall seconds of earlier parts of a resumed run.
    interlude
        Asked between moments whether it wants the device; None: nothing does.
    told
        Given every status that is written, for whoever conducts more than this run.
    vitals
        What is known of the bench beside its outputs; asked for every status.
    """

    session: Session
    run: RunWriter
    show: Callable[[Event], None]
    signals: Signals
    interlocks: Callable[[], None]
    checkpoint_every_s: float = 30.0
    earlier_wall_s: float = 0.0
    interlude: Interlude | None = None
    told: Callable[[Mapping[str, Any]], None] | None = None
    vitals: Callable[[], Mapping[str, Any]] = field(default=dict[str, Any])
    _boundary: Boundary | None = field(default=None, init=False)
    _began_s: float = field(default_factory=time.perf_counter, init=False)
    _saved_s: float = field(default_factory=time.perf_counter, init=False)
    _told_s: float = field(default=float("-inf"), init=False)
    _marked: bool = field(default=True, init=False)
    _marked_s: float = field(default=float("-inf"), init=False)
    _last: Event | None = field(default=None, init=False)
    _heard: list[ControlRequest] = field(default_factory=list[ControlRequest], init=False)

    @property
    def _recorder(self) -> Recorder | None:
        return recorder_of(self.session.device)

    def conduct(self) -> dict[str, Any]:
        """Return the summary of the complete run.

        Whatever ends the run early is raised after the device was parked and, then, the last complete moment saved.
        """
        device = self.session.device
        try:
            try:
                return self._conduct(device)
            finally:
                self.signals.parking()  # within the outer try: a signal that comes just before it still ends parked
        except BaseException as error:
            self._end_parked(device, error)
            raise

    def _conduct(self, device: Protected) -> dict[str, Any]:
        self.signals.finish_exchanges()
        self._control = ControlFolder(self.run.path)
        device.before_exchange = self._heed_between_exchanges
        self._tell("running")
        while self._interrupted_by_interlude():
            pass
        self._heed_between_exchanges()  # the last exchange is judged as well
        if self.interlude is None:  # else it is a part of what was recorded
            check_replayed(device)
        self.signals.parking()
        device.park()
        summary = summarise(self.session, self._wall_s())
        if self._recorder is not None and (self.run.path / FOLDER).is_dir():  # else it is that of more than this run
            self._recorder.sync()
            summary["recording"] = self._recorder.as_json()
        self.run.evaluated(evaluation_of(self.session))
        self.run.complete(summary)
        self._tell("complete")
        return summary

    def _interrupted_by_interlude(self) -> bool:
        """Take the session's moments in turn; returns whether an interlude is due before its end.

        It acts at the beginning, so that a run resumed at the moment before does so as well.
        """
        interlude = self.interlude
        if interlude is not None and interlude.due(self.session):
            self._save_now()
            self.session = interlude.act(self.session)
        for moment in self.session.run():
            self._keep(moment)
            self._heed_requests()
            if interlude is not None and interlude.due(self.session):
                return True
        return False

    def _keep(self, moment: tuple[Event, ...]) -> None:
        """Write down one moment and, when it is time, save it."""
        log_every = self.session.settings.log_every
        layer_done = False
        for event in moment:
            self.show(event)
            self._last = event
            layer_done |= isinstance(event, LayerDone)
            if not isinstance(event, StepDone) or event.step % log_every == 0 or event.step == event.steps:
                self.run.append(self._row(event))
        self._marked = False
        now_s = time.perf_counter()
        if layer_done or now_s - self._saved_s >= self.checkpoint_every_s:
            self._save_now()
        elif now_s - self._marked_s >= MARK_EVERY_S or self.signals.received:
            self._mark()
        if now_s - self._told_s >= STATUS_EVERY_S:
            self._tell("running")

    def _mark(self) -> None:
        """Keep the present moment in memory, to be saved when something ends the run before the next one."""
        if self._marked:
            return
        state = self.session.state()
        if state is not None:
            exchanges = 0 if self._recorder is None else self._recorder.exchanges
            interlude = None if self.interlude is None else self.interlude.state()
            self._boundary = Boundary(self.session.network, *state, self.run.metrics_bytes, exchanges, interlude)
        self._marked, self._marked_s = True, time.perf_counter()

    def _save_now(self) -> None:
        self._mark()
        self._save_last()

    def _row(self, event: Event) -> dict[str, Any]:
        total = self.session.device.ledger.total
        return {
            **as_row(event),
            "writes": total.writes,
            "readings": total.readings,
            "shots": total.shots,
            "device_seconds": self.session.device_seconds,
            "wall_seconds": round(self._wall_s(), 3),
        }

    def _wall_s(self) -> float:
        return self.earlier_wall_s + time.perf_counter() - self._began_s

    def _save_last(self) -> None:
        boundary = self._boundary
        if boundary is None:
            return
        arrays = {**boundary.network.to_arrays(), **named_under("state", boundary.arrays)}
        plain: Plain = {"session": boundary.plain, "wall_seconds": self._wall_s()}
        if boundary.interlude is not None:
            plain["interlude"] = boundary.interlude
        if self._recorder is not None:
            self._recorder.sync()
            plain["exchanges"] = boundary.exchanges
        self.run.checkpoint(arrays, plain, boundary.metrics_bytes)
        self._saved_s = time.perf_counter()

    def _heed_between_exchanges(self) -> None:
        self.signals.heed()
        self.interlocks()
        self._hear()

    def _hear(self) -> None:
        """Take in what was put into the control folder; a request to stop waits for nothing but the exchange."""
        heard = self._control.heard()
        self._heard += heard
        if any(request.name == "stop" for request in heard):
            raise Interruption("stopped on request", STOPPED_BY_REQUEST)

    def _heed_requests(self) -> None:
        """Answer the requests at a moment at which the state is complete; a pause lasts until somebody ends it."""
        try:
            self._hear()
        finally:
            if self._heard:
                self._mark()
        paused: ControlRequest | None = None
        while self._heard or paused:
            for request in self._heard:
                if request.name == "pause" and paused is None:
                    paused = request
                    self._pause(park=request.park)
                elif request.name == "continue" and paused is not None:
                    paused = None
                    self._go_on()
            self._heard.clear()
            if paused is not None:
                self._heed_between_exchanges()
                if time.perf_counter() - self._told_s >= STATUS_EVERY_S:  # the interlocks go on looking at the bench
                    self._tell("paused", parked=paused.park)
                time.sleep(PAUSE_POLL_S)

    def _pause(self, *, park: bool) -> None:
        if park:
            self.session.device.park()
        self._save_now()
        self._tell("paused", parked=park)

    def _go_on(self) -> None:
        self._tell("running")
        self.session.energise_frozen_layers()

    def _end_parked(self, device: Protected, error: BaseException) -> None:
        """Park, then save the last complete moment; neither may hide what ended the run."""
        device.before_exchange = None
        try:
            device.park()
            error.add_note("the device is parked")
        except Exception as second:  # noqa: BLE001 - the first error stays the one that is raised
            with suppress(OSError):  # the terminal may be gone
                print(f"ffzero-lab: {second}", file=sys.stderr)  # noqa: T201 - said before a slow disk delays it
            error.add_note(f"parking failed as well: {second}")
        endings: list[tuple[str, Callable[[], None]]] = [
            ("saving the last complete moment", self._save_last),
            ("telling the status", lambda: self._tell(_state_after(error), reason=str(error))),
        ]
        for what, end in endings:
            try:
                end()
            except Exception as second:  # noqa: BLE001 - reported on the first error, which is raised
                error.add_note(f"{what} failed as well: {second}")

    def _tell(self, state: State, **more: Any) -> None:
        """Write ``status.json``. Its failure is a failure to persist while the run goes on."""
        self._told_s = time.perf_counter()
        content: Mapping[str, Any] = {
            "state": state,
            **writer(),
            "updated": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "steps": self.session.plan.steps,
            "layers": len(self.session.network.layers),
            "last_event": None if self._last is None else as_row(self._last),
            "device_seconds": self.session.device_seconds,
            "predicted_seconds": self.session.plan.seconds,
            **self.vitals(),
            **more,
        }
        self.run.status(content)
        if self.told is not None:
            self.told(content)


def _state_after(error: BaseException) -> State:
    if isinstance(error, InterlockTripped):
        return "tripped"
    return "stopped" if isinstance(error, Interruption) else "failed"
