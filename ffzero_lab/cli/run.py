"""``ffzero-lab run``: carries a protocol out on a device, says beforehand what it would do, or goes on with one."""

import shlex
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ffzero_lab.applying import Choice, choice_for_replay
from ffzero_lab.bench_file import ChosenDevice, change_since, choose_device
from ffzero_lab.cli.dry_run import exchanged_bytes
from ffzero_lab.cli.layout import say
from ffzero_lab.cli.outcome import print_json
from ffzero_lab.cli.protocol_display import Voice
from ffzero_lab.cli.request import device_options, one_folder
from ffzero_lab.cli.train import new_folder
from ffzero_lab.cli.wording import spell_duration
from ffzero_lab.device import Guarded, InterlockBound, InterlockTripped, interlocks_for, interlocks_on
from ffzero_lab.device.recorder import begin_recording, go_on_recording
from ffzero_lab.errors import InputError
from ffzero_lab.opening import open_chosen, open_configured
from ffzero_lab.runs import RunReader, RunWriter
from ffzero_lab.runs.layout import MANIFEST, SUMMARY
from ffzero_lab.signals import Interruption, Signals
from protocols.beginning import (
    begun_anew_from,
    first_record,
    manifest_of,
    new_book,
    recorded_up_to,
    refuse_to_go_on,
    reopened,
    taken_up,
    versions_of,
)
from protocols.book import Book
from protocols.checked import Protocol
from protocols.planning import Plan, plan
from protocols.reading import find, read
from protocols.runner import Runner
from protocols.shift import Shift

_TWIN = "twin:photonic"


@dataclass(frozen=True)
class Wanted:
    """What was asked for."""

    protocol: str
    device: str | None
    short: bool
    changes: tuple[str, ...]
    run_dir: Path
    name: str | None
    calibration: Choice
    agreed: bool
    record_io: bool


def run(wanted: Wanted, signals: Signals, *, dry_run: bool, as_json: bool) -> None:
    """Carry a protocol out in a new run folder, or only say what it would do."""
    name, source = find(wanted.protocol)
    changes, options = _parted(wanted.changes)
    protocol = read(name, source, short=wanted.short, changes=changes)
    chosen = _device_of(protocol, wanted.device, options)
    run_name = one_folder(wanted.name or f"{name}{'-short' if wanted.short else ''}")
    path, data_dir = new_folder(wanted.run_dir, run_name), Path.cwd()
    with _told_how_to_go_on(path), open_chosen(chosen, run=path, recorded=wanted.record_io) as device:
        record, applied = first_record(protocol, device, choice_for_replay(chosen, wanted.calibration))
        planned = plan(protocol, device, record, data_dir)
        interlocks_for(device.description, protocol.frame.interlocks)
        if dry_run:
            _show_plan(protocol, device, planned, record_io=wanted.record_io, as_json=as_json)
            return
        manifest = manifest_of(
            protocol,
            device,
            name=run_name,
            chosen=chosen,
            plan=planned,
            short=wanted.short,
            changes=changes,
            data_dir=data_dir,
            agreed=wanted.agreed,
            calibration=applied,
            record_io=wanted.record_io,
        )
        signals.finish_exchanges()
        with RunWriter.create(path, manifest, None if applied is None else applied.content) as writer:
            begin_recording(device, path)
            _carry_out(protocol, chosen, device, writer, new_book(protocol, applied), signals, as_json=as_json)


def resume(
    path: Path,
    signals: Signals,
    *,
    from_step: str | None,
    other_versions: bool,
    after_trip: bool,
    as_json: bool,
) -> None:
    """Go on with a protocol at the very part at which it was interrupted, or carry it out again from a step on."""
    reader = RunReader(path)
    manifest = reader.manifest
    refuse_to_go_on(reader, again=from_step is not None, after_trip=after_trip, now_versions=None)
    about, saved, recorded = manifest["protocol"], manifest["device"], manifest.get("record_io", False)
    protocol = read(about["name"], about["source"], short=about["short"], changes=tuple(about["changes"]))
    if from_step is not None:
        protocol.at(from_step)
    with (
        _told_how_to_go_on(path),
        open_configured(saved["name"], saved["options"], run=path, recorded=recorded) as device,
    ):
        was = saved["description"]["serial_number"]
        if device.description.serial_number != was:
            raise InputError(
                f"{path} was begun on {saved['name']} with the serial number {was}, this one has "
                f"{device.description.serial_number}; connect that one"
            )
        if not other_versions:
            now = versions_of(device.description)
            refuse_to_go_on(reader, again=True, after_trip=True, now_versions=now)
        book, length, exchanges = taken_up(reader, protocol, device)
        if recorded:
            exchanges = recorded_up_to(path, protocol, book, exchanges, from_step)
        if from_step is not None:
            begun_anew_from(from_step, protocol, book)
        chosen = ChosenDevice(saved["name"], saved["options"], Path(saved["file"]) if "file" in saved else None)
        signals.finish_exchanges()
        with reopened(path, manifest, length) as writer:
            go_on_recording(device, path, exchanges)
            changed = change_since(saved)
            book.notes += [] if changed is None else [changed]
            _carry_out(protocol, chosen, device, writer, book, signals, committed=exchanges, as_json=as_json)


def _carry_out(
    protocol: Protocol,
    chosen: ChosenDevice,
    device: Guarded,
    writer: RunWriter,
    book: Book,
    signals: Signals,
    *,
    committed: int = 0,
    as_json: bool,
) -> None:
    manifest = writer.manifest
    bounds = {channel: InterlockBound(**bound) for channel, bound in manifest["interlocks"].items()}
    done = sum(entry.over for entry in book.entries)
    with (
        Voice(as_json=as_json) as voice,
        interlocks_on(device, interlocks_for(device.description, bounds)) as interlocks,
    ):
        voice.line(
            f"{protocol.head.title}: {len(book.entries)} steps on {device.description.name}, {done} done already"
        )
        voice.verbatim(f"run folder: {writer.path}")
        shift = Shift(
            protocol,
            chosen,
            device,
            interlocks,
            signals,
            writer,
            book,
            voice,
            bounds,
            Path(manifest["data_dir"]),
            agreed=manifest["agreed"],
            committed=committed,
        )
        voice.begin(shift)
        summary = Runner(shift, manifest["plan"]["seconds"]).run()
        for note in summary["notes"]:
            voice.line(f"note: {note}")
        voice.line(
            f"done: {summary['writes']:,} writes, {summary['shots']:,} shots, device time "
            f"{spell_duration(summary['device_seconds'])} (predicted {spell_duration(summary['predicted_seconds'])})"
        )
        voice.verbatim(f"run folder: {writer.path}")
    if as_json:
        print_json({"run": str(writer.path), **summary})


def _device_of(protocol: Protocol, device: str | None, options: dict[str, Any]) -> ChosenDevice:
    """Return the device: the protocol's own twin with its options, or another as it is."""
    own = dict(protocol.device)
    named = str(own.pop("name", _TWIN))
    wanted = named if device is None else device
    same = {"twin": _TWIN}.get(wanted, wanted) == {"twin": _TWIN}.get(named, named)
    return choose_device(wanted, {**own, **options} if same else options)


def _parted(changes: Sequence[str]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return changes of the protocol, and those of the device as its options."""
    of_device = [change for change in changes if change.startswith("device.")]
    return tuple(change for change in changes if change not in of_device), device_options(of_device)


@contextmanager
def _told_how_to_go_on(path: Path) -> Generator[None]:
    """When something ends a protocol early, make the command that resumes it the last thing said."""
    try:
        yield
    except (Exception, Interruption) as error:
        if (path / MANIFEST).is_file() and not (path / SUMMARY).is_file():
            tripped = isinstance(error, InterlockTripped)
            when, told = ("when the cause is removed", " --after-trip") if tripped else ("to go on", "")
            error.add_note(f"{when}:\nffzero-lab run --resume {shlex.quote(str(path))}{told}")
        raise


def _show_plan(protocol: Protocol, device: Guarded, planned: Plan, *, record_io: bool, as_json: bool) -> None:
    timing = device.description.timing
    size = exchanged_bytes(device.description, planned.counts, planned.staged) if record_io else 0
    if as_json:
        rows = [
            {
                "name": name,
                "kind": kind,
                **asdict(each.counts),
                "waits_s": each.waits_s,
                "predicted_seconds": each.seconds(timing),
                "repeated_at_most": each.repeated,
                "touches": list(each.touches),
                "asks": list(each.asks),
            }
            for name, kind, each in planned.steps
        ]
        sentinel = planned.sentinel
        watched = None if sentinel is None else {**asdict(sentinel.counts), "touches": list(sentinel.touches)}
        head = {"protocol": protocol.name, "device": device.description.name}
        told = {"predicted_seconds": planned.seconds, "recording_bytes": size}
        print_json({**head, "steps": rows, "sentinel": watched, **told})
        return
    say(f"{protocol.head.title}: {len(planned.steps)} steps on {device.description.name}")
    for number, (name, kind, each) in enumerate(planned.steps, start=1):
        again = f", up to {each.repeated} times" if each.repeated > 1 else ""
        say(
            f"{number:2d} {name} ({kind}{again}): {each.counts.writes:,} writes, {each.counts.shots:,} shots, "
            f"predicted {spell_duration(each.seconds(timing))}"
        )
        for touch in each.touches:
            say(f"     {touch}")
        for ask in each.asks:
            say(f"     needs you: {ask}")
    if planned.sentinel is not None:
        spent = planned.sentinel.counts
        say(f"sentinel: {spent.writes:,} writes, {spent.shots:,} shots; {planned.sentinel.touches[0]}")
    say(f"predicted device time {spell_duration(planned.seconds)}")
    say(f"at {timing.write_s:.3g} s a write and {timing.shot_s:.3g} s a shot ({timing.imitates or 'as described'})")
    if record_io:
        say(f"recording: about {size / 1e6:,.1f} MB")
    say("dry run: nothing was written")
