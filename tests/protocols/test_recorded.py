"""``run --record-io`` and ``--device replay:RUN``: the same protocol without the device, and the first difference."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibration.journal import Journal
from drivers.twin.photonic.device import PhotonicTwin
from ffzero_lab.device import LinkLost
from ffzero_lab.device.exchanges import Exchange, pack
from ffzero_lab.device.recording import RecordingReader, RecordingWriter, files_of
from ffzero_lab.runs import RunReader
from ffzero_lab.signals import Interruption
from tests.protocols.conftest import HEAD, TRAIN, Carried, Carry, timeless

VOLTS = HEAD + 'drive = "volts"\n'
WHO = '[[step]]\nname = "who"\nkind = "identify"\n'
MEASURE = """
[[step]]
name = "measure"
kind = "calibrate"
only = ["electrical", "fringes", "offsets"]
faults_allowed = 9
"""
AFTER = """
[[step]]
name = "test"
kind = "evaluate"
run_of = "${train.run}"
[[step]]
name = "hold"
kind = "drift-check"
duration = 0.1
every = 0.05
run_of = "${train.run}"
[[step]]
name = "off"
kind = "park"
"""
IN_PHASES = HEAD + WHO + TRAIN + AFTER
SHORT = VOLTS + WHO + MEASURE + TRAIN + AFTER
DRIFTING = "drift = { phase_rad = 0.03, time_s = 1.0 }\n"
NOTING = HEAD + DRIFTING + "[sentinel]\nevery = 0.02\nbound = 0.001\n" + WHO + TRAIN + AFTER
CALIBRATING = (
    VOLTS
    + DRIFTING
    + '[sentinel]\nevery = 0.02\nbound = 0.001\non_drift = "recalibrate"\ncalibrate = "measure"\nmost = 1\n'
    + MEASURE
    + TRAIN
    + AFTER
)
OF_THE_RECORDING = {"recording", "exchanges", "record_io", "recorded_before", "device", "predicted_seconds", "failures"}


def stop() -> None:
    raise Interruption("stopped by the test", 130)


@pytest.fixture
def replay(carry: Carry) -> Callable[..., Carried]:
    def again(text: str, run: Path, *arguments: object) -> Carried:
        return carry(text, "--device", f"replay:{run}", "--run-dir", "replays", *arguments)

    return again


def learned(run: Path) -> dict[str, Any]:
    """Outcomes, parameters, rows and records, without the exact state of a twin, which a replay has not."""
    left: dict[str, Any] = {}
    for folder in [run, *sorted(path.parent for path in run.glob("[0-9]*/manifest.json"))]:
        reader, name = RunReader(folder), folder.relative_to(run).as_posix()
        arrays = reader.checkpoint().arrays
        left |= {f"{name}: {key}": each.tobytes() for key, each in arrays.items() if "device" not in key.split(".")}
        left[f"{name}: summary"] = without(timeless(reader.summary))
        left[f"{name}: rows"] = [without(timeless(row)) for row in reader.metrics() if row.get("event") != "failure"]
    for parts in sorted(run.glob("[0-9r]*/**/parts")):
        sweeps = Journal(parts).sweeps()
        left |= {f"{parts.relative_to(run)}: {key}": positive(values).tobytes() for key, values in sweeps.items()}
    return left


def positive(values: Any) -> Any:
    """Take the sign off zeros: a recording keeps readings as counts, which have none."""
    return values + 0.0 if values.dtype.kind == "f" else values


def without(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: without(each) for key, each in content.items() if key not in OF_THE_RECORDING}
    return [without(each) for each in content] if isinstance(content, list) else content


def exchanges_of(run: Path) -> list[Exchange]:
    reader, found = RecordingReader(run / "exchanges"), []
    while (exchange := reader.next()) is not None:
        found.append(exchange)
    return found


def written_again(run: Path, exchanges: list[Exchange]) -> None:
    """Write a recording anew, with sums that fit."""
    for path in files_of(run / "exchanges"):
        path.unlink()
    writer = RecordingWriter(run / "exchanges")
    for exchange in exchanges:
        writer.append(pack(exchange))
    writer.close()


def message_of(ended: Carried) -> str:
    return json.loads(ended.out)["error"]["message"]


def test_a_replay_of_a_protocol_comes_to_the_same_results_and_its_size_was_told(
    carry: Carry, replay: Callable[..., Carried]
) -> None:
    told = json.loads(carry(SHORT, "--record-io", "--dry-run").out)["recording_bytes"]
    recorded = carry(SHORT, "--record-io")
    assert recorded.code == 0, recorded.out
    summary = RunReader(recorded.run).summary
    assert summary is not None
    size = sum(path.stat().st_size for path in files_of(recorded.run / "exchanges"))
    closing = exchanges_of(recorded.run)[summary["recording"]["exchanges"] :]
    assert {each.call for each in closing} <= {"park", "close"}
    assert 0.99 * size <= summary["recording"]["bytes"] < size
    assert 0.5 * size <= told <= 2.0 * size
    trained = RunReader(recorded.run / recorded.results("train")["run"]).summary
    assert trained is not None
    assert "recording" not in trained  # it is that of the whole protocol
    again = replay(SHORT, recorded.run)
    assert again.code == 0, again.out
    assert learned(again.run) == learned(recorded.run)
    assert again.results("measure")["procedures"] == recorded.results("measure")["procedures"] != []
    assert json.loads(carry(SHORT, "--dry-run").out)["recording_bytes"] == 0


def test_a_replay_that_leaves_out_the_last_steps_is_told_where_the_recorded_run_went_on(
    carry: Carry, replay: Callable[..., Carried]
) -> None:
    recorded = carry(IN_PHASES, "--record-io")
    shorter = replay(HEAD + WHO + TRAIN, recorded.run)
    assert shorter.code == 3, shorter.out
    told = re.search(r"exchange (\d+) \((\w+), layer 0\): the recorded run went on", message_of(shorter))
    assert told is not None
    number = int(told[1])
    assert number > next(step["recorded_before"] for step in recorded.steps.values() if step["name"] == "test")
    assert exchanges_of(recorded.run)[number - 1].call == told[2]


def test_the_recording_does_not_change_what_is_recorded(carry: Carry) -> None:
    """The clock is held between two exchanges: on a twin that shows in nothing."""
    assert learned(carry(IN_PHASES, "--record-io", "--name", "kept").run) == learned(
        carry(IN_PHASES, "--name", "not").run
    )


def test_one_altered_bit_of_a_reading_is_reported_at_its_position(carry: Carry, replay: Callable[..., Carried]) -> None:
    recorded = carry(IN_PHASES, "--record-io")
    (file,) = files_of(recorded.run / "exchanges")
    readings = [each for each in exchanges_of(recorded.run) if each.call == "probe"]
    altered, content = readings[-3], bytearray(file.read_bytes())
    head = content.index(b'{"number":%d,' % altered.number)
    after = content.index(b'{"number":%d,' % (altered.number + 1))
    sums = (altered.answered["outputs"].size // 4 + 4) * 2
    content[after - 20 - sums - 2] ^= 1
    assert head < after
    file.write_bytes(content)
    ended = replay(IN_PHASES, recorded.run)
    assert ended.code == 3
    assert f"exchange {altered.number} (probe, layer 0) was altered" in message_of(ended)
    assert "what was written there was" in message_of(ended)


def test_a_reading_altered_with_its_sums_is_told_by_the_first_setpoint_that_differs_whatever_on_failure_says(
    carry: Carry, replay: Callable[..., Carried]
) -> None:
    text = IN_PHASES.replace('kind = "train"', 'kind = "train"\non_failure = "continue"')
    recorded = carry(text, "--record-io")
    exchanges = exchanges_of(recorded.run)
    probes = [each for each in exchanges if each.call == "probe" and len(each.given["settings"]) == 2]
    probes[4].answered["outputs"][1, 0, 0] *= 1.5  # type: ignore[index]
    written_again(recorded.run, exchanges)
    ended = replay(text, recorded.run)
    assert ended.code == 3
    assert f"exchange {probes[5].number} (probe, layer 0): settings, setting 0, theta[" in message_of(ended)
    assert "the device is parked" in json.loads(ended.out)["error"]["notes"]


def stopped_and_resumed(
    carry: Carry, resume: Carry, before_exchange: Any, text: str, number: int, *arguments: object
) -> Path:
    folder = f"at{number}"
    with before_exchange(number, stop):
        stopped = carry(text, "--run-dir", folder, *arguments)
    assert stopped.code == 130, stopped.out
    (run,) = Path(folder).iterdir()
    resumed = resume(run)
    assert resumed.code == 0, resumed.out
    return run


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param(VOLTS + MEASURE.replace(', "fringes", "offsets"', ""), 2, id="calibrating"),
        pytest.param(NOTING, 2, id="the sentinel noting"),
        pytest.param(CALIBRATING, 2, id="re-calibrating", marks=pytest.mark.slow),
    ],
)
def test_stopped_anywhere_and_resumed_the_recording_is_that_of_one_run(
    carry: Carry, resume: Carry, replay: Callable[..., Carried], before_exchange: Any, text: str, parts: int
) -> None:
    """Also within a re-calibration, whose parts are measured again: the training run goes on before it."""
    with before_exchange(0, stop) as counted:
        undisturbed = carry(text, "--record-io")
    assert undisturbed.code == 0, undisturbed.out
    reference = learned(undisturbed.run)
    superseded = set_aside = 0
    for part in range(parts):
        number = int((part + 0.6) * counted.seen / parts)
        run = stopped_and_resumed(carry, resume, before_exchange, text, number, "--record-io")
        assert learned(run) == reference, f"stopped before exchange {number} of {counted.seen}"
        superseded += len(list((run / "exchanges" / "superseded").glob("*")))
        set_aside += len(list(run.glob("superseded-*")))
        again = replay(text, run, "--name", f"after{number}")
        assert again.code == 0, f"stopped before exchange {number} of {counted.seen}: {again.out}"
        assert learned(again.run) == reference
    assert superseded > 0
    assert (set_aside > 0) == (text == CALIBRATING) == bool(list(undisturbed.run.glob("recalibration-*")))


KILLED = """
import os, signal, sys
from drivers.twin.photonic.device import PhotonicTwin
from ffzero_lab.cli import app

probe, left = PhotonicTwin.probe, int(sys.argv.pop())

def dying(self, layer, settings, rows):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return probe(self, layer, settings, rows)

PhotonicTwin.probe = dying
app()
"""


@pytest.mark.slow
@pytest.mark.parametrize("checkpoint_every", ["1e-3", "30.0"])
def test_killed_and_resumed_while_recording_it_is_replayed(
    carry: Carry, resume: Carry, replay: Callable[..., Carried], checkpoint_every: str
) -> None:
    text = IN_PHASES.replace("1e-3", checkpoint_every)
    Path("protocol.toml").write_text(text)
    arguments = [sys.executable, "-c", KILLED, "run", "protocol.toml", "--record-io", "--name", "killed", "8"]
    assert subprocess.run(arguments, check=False, capture_output=True).returncode == -signal.SIGKILL
    (run,) = Path("runs").glob("*-killed")
    assert len(exchanges_of(run)) > 10
    resumed = resume(run)
    assert resumed.code == 0, resumed.out
    again = replay(text, run)
    assert again.code == 0, again.out
    assert learned(again.run) == learned(run) == learned(carry(text, "--name", "undisturbed").run)


def test_a_replay_that_was_stopped_goes_on(carry: Carry, resume: Carry, before_exchange: Any) -> None:
    with before_exchange(0, stop) as counted:
        recorded = carry(IN_PHASES, "--record-io")
    for number in (counted.seen // 3, counted.seen - 4):
        device = ("--device", f"replay:{recorded.run}")
        run = stopped_and_resumed(carry, resume, before_exchange, IN_PHASES, number, *device)
        assert learned(run) == learned(recorded.run)


def losing_the_link(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the probe of that number, from 1, fail."""
    probe, seen = PhotonicTwin.probe, 0

    def lost(self: PhotonicTwin, layer: int, settings: Any, rows: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == number:
            raise LinkLost("pulled by the test")
        return probe(self, layer, settings, rows)

    monkeypatch.setattr(PhotonicTwin, "probe", lost)


@pytest.mark.parametrize("number", [2, 9])
def test_a_training_step_tried_again_is_recorded_as_if_nothing_had_failed(
    carry: Carry, replay: Callable[..., Carried], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    text = HEAD + TRAIN.replace('kind = "train"', 'kind = "train"\non_failure = "retry"') + AFTER
    with monkeypatch.context() as patch:
        losing_the_link(patch, number)
        recorded = carry(text, "--record-io")
    assert recorded.code == 0, recorded.out
    assert recorded.steps["train"]["failures"] == ["pulled by the test"]
    again = replay(text, recorded.run)
    assert again.code == 0, again.out
    assert again.steps["train"]["failures"] == []
    assert learned(again.run)["01-train: layer0.parameters"] == learned(recorded.run)["01-train: layer0.parameters"]


def test_a_step_that_failed_and_was_passed_over_fails_again_in_the_replay(
    carry: Carry, replay: Callable[..., Carried], monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = AFTER.replace('kind = "drift-check"', 'kind = "drift-check"\non_failure = "continue"')
    read, seen = PhotonicTwin.read_outputs, 0

    def lost(self: PhotonicTwin, layer: int, rows: Any) -> Any:
        nonlocal seen
        seen += len(rows) == 128
        if seen == 2 and len(rows) == 128:
            raise LinkLost("pulled by the test")
        return read(self, layer, rows)

    with monkeypatch.context() as patch:
        patch.setattr(PhotonicTwin, "read_outputs", lost)
        recorded = carry(HEAD + TRAIN + hold, "--record-io")
    assert recorded.code == 0, recorded.out
    assert recorded.steps["hold"]["state"] == "failed"
    again = replay(HEAD + TRAIN + hold, recorded.run)
    assert again.code == 0, again.out
    assert again.steps["hold"]["failures"] == recorded.steps["hold"]["failures"] == ["pulled by the test"]


def test_steps_carried_out_again_take_the_place_of_those_before(
    carry: Carry, resume: Carry, replay: Callable[..., Carried]
) -> None:
    text = HEAD + TRAIN + AFTER
    recorded = carry(text, "--record-io")
    redone = resume(recorded.run, "--from", "test")
    assert redone.code == 0, redone.out
    again = replay(text, recorded.run)
    assert again.code == 0, again.out
    assert again.results("test") == redone.results("test")
    assert again.results("hold")["scores"] == redone.results("hold")["scores"]


def test_a_replay_publishes_no_record(carry: Carry, replay: Callable[..., Carried]) -> None:
    text = VOLTS + MEASURE.replace(', "fringes", "offsets"', "") + "publish = true\n"
    recorded = carry(text, "--record-io")
    assert recorded.code == 0, recorded.out
    published = sorted(Path("calibrations").rglob("*.json"))
    assert published
    assert replay(text, recorded.run).code == 0
    assert sorted(Path("calibrations").rglob("*.json")) == published


def test_a_protocol_cannot_be_replayed_from_what_kept_no_recording(
    carry: Carry, replay: Callable[..., Carried]
) -> None:
    plain = carry(HEAD + WHO)
    ended = replay(HEAD + WHO, plain.run)
    assert ended.code == 2
    assert "holds no recording" in message_of(ended)
