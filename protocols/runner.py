"""Carries a protocol out, step by step, parks whatever ends it, and keeps how every step came out."""

import sys
import time
from contextlib import suppress
from typing import Any

from ffzero_lab.device import DeviceError, InterlockTripped, Ledger, LimitViolation
from ffzero_lab.device.errors import RecordingDamaged, ReplayDiffers
from ffzero_lab.device.replay import check_replayed
from ffzero_lab.errors import InputError, RunFailed
from protocols.book import Entry, Plain, now
from protocols.checked import Written
from protocols.recorded import RECALIBRATION, set_aside
from protocols.schema import Step
from protocols.sentinel import Sentinel
from protocols.shift import Shift, outcomes
from protocols.steps.calibrate import Calibrate
from protocols.work import Work

WATCHED_FROM = ("train", "drift-check")
"""Kinds of step from whose first the sentinel watches, when the protocol names none."""


ENDS_IT = (InterlockTripped, LimitViolation, ReplayDiffers, RecordingDamaged)
"""Whatever ``on_failure`` says."""


class Runner:
    """Carries out the protocol of *shift* from where its book is."""

    def __init__(self, shift: Shift, predicted_seconds: float) -> None:
        self._shift, self._predicted_seconds = shift, predicted_seconds
        table = shift.protocol.sentinel
        self._sentinel = None if table is None else Sentinel(table, shift, self._recalibrate)
        self._began_s = time.perf_counter()

    def run(self) -> Plain:
        """Return the summary of the complete protocol.

        Whatever ends it early is raised after the device was parked; everything until the last kept part is on disk.
        """
        shift = self._shift
        try:
            try:
                shift.signals.finish_exchanges()
                shift.guard.before_exchange = shift.between_exchanges
                if self._sentinel is not None:
                    self._sentinel.resumed()
                for number, written in enumerate(shift.protocol.steps):
                    shift.at_step(number)
                    if not shift.entry.over:
                        self._carry_out(written)
                shift.between_exchanges()  # the last exchange is judged as well
                check_replayed(shift.guard)
            finally:
                shift.signals.parking()  # within the outer try: a signal that comes just before it still ends parked
            shift.guard.park()
            summary = self._summary()
            shift.run.complete(summary)
            shift.status("complete")
        except BaseException as error:
            self._end_parked(error)
            raise
        return summary

    def _carry_out(self, written: Written) -> None:
        """Carry one step out, as often as ``until`` and ``on_failure`` ask for."""
        shift, entry = self._shift, self._shift.entry
        self._begin(entry)
        shift.tell(f"{written.kind}" + (f", {entry.repetition}. time" if entry.repetition > 1 else ""))
        while True:
            shift.signals.finish_exchanges()
            shift.guard.before_exchange = shift.between_exchanges
            step: Step = written.sampled
            try:
                step = written.resolved(shift.book.results())
                found = step.run(Work(shift, self._sentinel)).model_dump(mode="json")
                if self._is_enough(step, found):
                    self._end(entry, "done", found)
                    return
            except ENDS_IT as error:
                self._ended_by(error, entry)
                raise
            except (DeviceError, RunFailed, InputError) as error:
                if not self._goes_on(step, entry, error):
                    raise
                if entry.over:
                    return

    def _begin(self, entry: Entry) -> None:
        """Begin a step, or take it up where it was left."""
        shift, book = self._shift, self._shift.book
        recorded = None if entry.state == "waiting" else shift.committed
        clock_s = shift.guard.clock.now_s()
        if entry.state == "waiting":
            shift.guard.ledger = Ledger()
            book.parts, book.step_began_s, book.step_earlier_s = {}, clock_s, 0.0
            entry.began, entry.recorded_before = now(), shift.recorded
            shift.row("begin")
        else:
            shift.guard.ledger = Ledger()
            shift.guard.ledger.restore(entry.counts)  # type: ignore[arg-type]
            if not shift.exact:
                book.step_began_s, book.step_earlier_s = clock_s, entry.device_seconds
        entry.state, entry.attempts = "running", 0
        if self._sentinel is not None and entry.name == self._watched_from():
            self._sentinel.begin()
        shift.commit(recorded)
        shift.describe()
        shift.status("running")

    def _is_enough(self, step: Step, found: Plain) -> bool:
        """Tell whether ``until`` is satisfied; if not, make everything ready for another time, or raise RunFailed."""
        until, entry = step.until, self._shift.entry
        if until is None:
            return True
        value: Any = found
        for key in until.value.split("."):
            value = None if value is None else value.get(key)
        if value is not None and until.holds(float(value)):
            return True
        told = f"{until.value} is {value}, wanted is {until}"
        if entry.repetition >= until.most:
            raise RunFailed(f"{told}, after {until.most} times")
        self._shift.tell(f"{told}; once more ({entry.repetition + 1} of at most {until.most})")
        entry.repetition += 1
        self._anew(entry)
        self._shift.commit()
        return False

    def _ended_by(self, error: Exception, entry: Entry) -> None:
        """Park and write down what ends the protocol: a trip stays one, whatever goes wrong with that."""
        shift = self._shift
        shift.guard.before_exchange = None
        what = "parking"
        try:
            shift.guard.park()
            what = "writing it down"
            entry.failures.append(str(error))
            self._stopped(entry, str(error), judged=False)
        except Exception as second:  # noqa: BLE001 - the first error stays the one that is raised
            error.add_note(f"{what} failed as well: {second}")

    def _goes_on(self, step: Step, entry: Entry, error: Exception) -> bool:
        """Park after a failure, write it down, and tell whether the protocol goes on, with this step or the next."""
        shift = self._shift
        try:
            shift.guard.park()
        except Exception as second:  # noqa: BLE001 - the first error stays the one that is raised
            error.add_note(f"parking failed as well: {second}")
            return False
        entry.failures.append(str(error))
        entry.attempts += 1
        judged = isinstance(error, RunFailed)
        retried = step.on_failure == "retry" and not isinstance(error, InputError) and entry.attempts <= step.retries
        if retried:
            shift.tell(f"failed: {error}; trying again ({entry.attempts} of at most {step.retries})")
            if judged:
                self._anew(entry)
            shift.row("failure", reason=str(error), then="retry")
            shift.commit(None if judged else shift.goes_on_behind())
            return True
        if step.on_failure == "continue":
            shift.note(f"failed: {error}; going on with the next step")
            shift.row("failure", reason=str(error), then="continue")
            self._end(entry, "failed", None)
            return True
        self._stopped(entry, str(error), judged=judged)
        return False

    def _anew(self, entry: Entry) -> None:
        """Let a step begin from nothing: what it has measured is not what was wanted."""
        entry.round += 1
        self._shift.book.parts = {}

    def _stopped(self, entry: Entry, reason: str, *, judged: bool) -> None:
        entry.state = "stopped"
        if judged:
            self._anew(entry)
            entry.repetition = 1
        self._shift.row("failure", reason=reason, then="park")
        self._shift.commit(None if judged else self._shift.goes_on_behind())
        self._shift.describe()

    def _end(self, entry: Entry, state: Any, found: Plain | None) -> None:
        shift = self._shift
        entry.state, entry.results, entry.ended = state, found, now()
        shift.book.parts = {}
        shift.row("end", state=state)
        shift.commit()
        shift.describe()

    def _recalibrate(self, number: int) -> str:
        """Carry the sentinel's calibrate step out again; raises RunFailed when its record cannot be used."""
        shift = self._shift
        table = shift.protocol.sentinel
        name = None if table is None else table.calibrate
        if name is None:
            raise InputError("the sentinel names no calibrate step")
        step = shift.protocol.steps[shift.protocol.at(name)].resolved(shift.book.results())
        if not isinstance(step, Calibrate):
            raise InputError(f"the step {name!r} does not calibrate")
        folder = shift.run.path / f"{RECALIBRATION}-{number}"
        if not shift.exact:  # what was measured before an interruption says nothing of the drift that was seen just now
            set_aside(folder)
        path, record = step.carry_out(shift, folder, number)
        faults = [finding for finding in record.findings if finding.severity == "fault"]
        if len(faults) > step.faults_allowed:
            set_aside(folder)  # tried again, it is measured again
            raise RunFailed(f"re-calibration {number} found {len(faults)} faults; the first: {faults[0].what}")
        if any(layer.transfer is None for layer in record.layers):
            raise RunFailed(f"re-calibration {number} does not say what the actuators do; let {name!r} do so")
        return path.relative_to(shift.run.path).as_posix()

    def _watched_from(self) -> str | None:
        """Return the name of the step from whose beginning the sentinel watches."""
        protocol = self._shift.protocol
        if protocol.sentinel is not None and protocol.sentinel.begin_at is not None:
            return protocol.sentinel.begin_at
        return next((step.name for step in protocol.steps if step.kind in WATCHED_FROM), None)

    def _summary(self) -> Plain:
        shift, book = self._shift, self._shift.book
        spent = [entry.spent() for entry in book.entries]
        return {
            "protocol": shift.protocol.name,
            "device": shift.guard.description.name,
            **outcomes(book),
            "failed_steps": [entry.name for entry in book.entries if entry.state == "failed"],
            "writes": sum(counts.writes for counts in spent),
            "readings": sum(counts.readings for counts in spent),
            "shots": sum(counts.shots for counts in spent),
            "device_seconds": sum(entry.device_seconds for entry in book.entries),
            "predicted_seconds": self._predicted_seconds,
            "wall_seconds": time.perf_counter() - self._began_s,
            **shift.recording(),
            "completed": True,
        }

    def _end_parked(self, error: BaseException) -> None:
        """Park and tell the status; neither may hide what ended the protocol."""
        shift = self._shift
        shift.guard.before_exchange = None
        parked = "the device is parked"
        try:
            shift.guard.park()
            if parked not in getattr(error, "__notes__", []):
                error.add_note(parked)
        except Exception as second:  # noqa: BLE001 - the first error stays the one that is raised
            with suppress(OSError):  # the terminal may be gone
                print(f"ffzero-lab: {second}", file=sys.stderr)  # noqa: T201 - said before a slow disk delays it
            error.add_note(f"parking failed as well: {second}")
        ended = "tripped" if isinstance(error, InterlockTripped) else "failed"
        try:
            shift.status(ended if isinstance(error, Exception) else "stopped", reason=str(error))
        except Exception as second:  # noqa: BLE001 - reported on the first error, which is raised
            error.add_note(f"telling the status failed as well: {second}")
