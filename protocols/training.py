"""A training run within a protocol: in a folder of its own, on the open device, the sentinel between its steps."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ffzero_lab.calibrations import digest
from ffzero_lab.conduct import Conductor
from ffzero_lab.datasets import Dataset
from ffzero_lab.device import Protected
from ffzero_lab.errors import InputError
from ffzero_lab.kept import start_of
from ffzero_lab.manifest import describe_run
from ffzero_lab.runs import Checkpoint, RunReader, RunWriter
from ffzero_lab.runs.layout import CALIBRATION, MANIFEST
from ffzero_lab.training import Network, Session, TrainSettings
from ffzero_lab.training.progress import Plain, under
from protocols.sentinel import Sentinel
from protocols.shift import Shift

CHECKPOINT_EVERY_S = 30.0


@dataclass
class Watch:
    """The sentinel between steps of training; see :class:`ffzero_lab.conduct.Interlude`."""

    shift: Shift
    sentinel: Sentinel | None
    counted: Plain = field(default_factory=dict[str, Any])

    def due(self, session: Session) -> bool:
        """Tell whether it is time to look, once training has begun and until the test part is measured."""
        under_way = session.progress is not None and session.trained is None
        return under_way and self.sentinel is not None and self.sentinel.due()

    def act(self, session: Session) -> Session:
        """Look, and act; the session goes on behind the new record when the device was calibrated."""
        if self.sentinel is None:
            return session
        clock, record = self.shift.guard.clock, self.shift.book.record
        began_s = clock.now_s()
        self.sentinel.act()
        session.taken_back(clock.now_s() - began_s)
        if self.shift.book.record == record:
            return session
        return _behind(self.shift.protected(uncalibrated=session.settings.uncalibrated), session)

    def state(self) -> Plain:
        """Return what decides when it looks next, the record in force, and what was noted."""
        book = self.shift.book
        return {"sentinel": book.sentinel, "record": book.record, "notes": list(book.notes)}


@dataclass(frozen=True)
class Training:
    """One training run of a protocol, in the folder *path*.

    :meth:`carry_out` begins it, or goes on from its newest checkpoint; on a twin to the same bits.
    """

    shift: Shift
    sentinel: Sentinel | None
    path: Path
    settings: TrainSettings
    dataset: Dataset
    start: Network | None = None
    checkpoint_every_s: float = CHECKPOINT_EVERY_S

    def carry_out(self) -> dict[str, Any]:
        """Return the summary of the complete run; raises what ends it, the device is then parked."""
        shift = self.shift
        checkpoint = self._taken_up()
        device = shift.protected(uncalibrated=self.settings.uncalibrated)
        session = Session(device, self.dataset, self.settings, self.start if checkpoint is None else None)
        earlier_s, length = 0.0, 0
        if checkpoint is not None:
            shift.go_back(checkpoint.plain.get("exchanges", 0))
            state = under("state", checkpoint.arrays)
            session.restore(Network.from_arrays(checkpoint.arrays), state, checkpoint.plain["session"])
            earlier_s, length = float(checkpoint.plain["wall_seconds"]), checkpoint.metrics_bytes
            shift.tell(f"going on with the training run {self.path.name}")
        with self._opened(session, length) as run:
            shift.training = self.path
            try:
                summary = self._conduct(session, run, earlier_s)
            finally:
                shift.training = None
        shift.signals.finish_exchanges()
        shift.guard.before_exchange = shift.between_exchanges
        return summary

    def _taken_up(self) -> Checkpoint | None:
        """Return the newest checkpoint, and bring the sentinel and the record in force back to that moment."""
        if not (self.path / MANIFEST).is_file():
            return None
        checkpoint, refused = RunReader(self.path).newest_checkpoint()
        for reason in refused:
            self.shift.note(f"an older checkpoint is used: {reason}")
        if checkpoint is not None and "interlude" in checkpoint.plain:
            was = checkpoint.plain["interlude"]
            book, noted = self.shift.book, was.get("notes", [])
            book.sentinel, book.record = was["sentinel"], was["record"]
            book.notes = [*noted, *(note for note in book.notes if note not in noted)]
            if self.sentinel is not None:
                self.sentinel.resumed()
        return checkpoint

    def _opened(self, session: Session, length: int) -> RunWriter:
        if (self.path / MANIFEST).is_file():
            (self.path / "summary.json").unlink(missing_ok=True)  # killed before the protocol wrote it down
            manifest = RunReader(self.path).manifest
            return RunWriter.reopen(self.path, {**manifest, "versions": self.shift.run.manifest["versions"]}, length)
        if self.path.exists():
            _empty(self.path)
        record = None if self.settings.uncalibrated else self.shift.book.record
        about, content = None, None
        if record is not None:
            source = self.shift.run.path / record
            about = {"file": CALIBRATION, "sha256": digest(source), "source": record}
            content = source.read_bytes()
        manifest = describe_run(
            session,
            name=self.path.name,
            device=self.shift.chosen,
            interlocks=self.shift.bounds,
            checkpoint_every_s=self.checkpoint_every_s,
            calibration=about,
        )
        return RunWriter.create(self.path, manifest, content, start_of(session))

    def _conduct(self, session: Session, run: RunWriter, earlier_s: float) -> dict[str, Any]:
        shift = self.shift
        conductor = Conductor(
            session,
            run,
            lambda event: shift.listener.training(conductor.session, event),
            shift.signals,
            shift.heed_watch,
            self.checkpoint_every_s,
            earlier_s,
            interlude=Watch(shift, self.sentinel),
            told=shift.status_of_training,
            vitals=shift.vitals,
        )
        summary = conductor.conduct()
        kept = run.manifest["calibration"]
        if kept is not None and shift.book.record is not None:
            self._keep_newest_record(run, kept, shift.run.path / shift.book.record)
        return summary

    def _keep_newest_record(self, run: RunWriter, kept: dict[str, Any], source: Path) -> None:
        """Let the run's manifest name the record that its parameters mean something under: that of its end."""
        if digest(source) != kept["sha256"]:
            name = f"{source.parent.name}.json"
            (run.path / name).write_bytes(source.read_bytes())
            about = {"file": name, "sha256": digest(source), "source": self.shift.book.record}
            run.describe({**run.manifest, "calibration": about})


def _behind(device: Protected, session: Session) -> Session:
    """Return a session that goes on from where *session* is, on the same device seen as *device*."""
    state = session.state()
    if state is None:
        raise InputError("a session that has not begun, or is at its end, cannot go on elsewhere")
    arrays, plain = state
    own = {name: values for name, values in arrays.items() if not name.startswith("device.")}
    moved = Session(device, session.dataset, session.settings)
    moved.restore(session.network, own, plain)
    return moved


def _empty(path: Path) -> None:
    """Take away a folder that was made before there was anything in it to keep: it has no manifest."""
    for inner in sorted(path.rglob("*"), reverse=True):
        if inner.is_dir():
            inner.rmdir()
        else:
            inner.unlink()
    path.rmdir()
