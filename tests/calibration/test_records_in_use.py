"""Which record a command uses, what it refuses, and that a run keeps to its own."""

import importlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivers.twin.photonic import PhotonicTwin
from ffzero_lab.calibrations import digest, load, newest_for, records_in, save
from ffzero_lab.device import CalibrationMissing
from ffzero_lab.device.record import CalibrationRecord, Finding
from ffzero_lab.errors import InputError
from ffzero_lab.opening import open_device
from ffzero_lab.runs import RunReader
from ffzero_lab.signals import Interruption, Signals

Ask = Callable[..., tuple[int, str, str]]
CHIP = ("--set", "device.ports=8", "--set", "device.drive=volts")
LOGGED = ("--set", "log_every=1", "--set", "run.checkpoint_every=1e-9")
TRAIN = ("train", "--dataset", "iris", *CHIP, "--steps", 6, *LOGGED)


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> CalibrationRecord:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    make: Any = importlib.import_module("true_record").true_record
    return make(open_device("twin:photonic", ports=8, drive="volts"))


def aged(record: CalibrationRecord, hours: float) -> CalibrationRecord:
    return record.model_copy(update={"ended": datetime.now(UTC) - timedelta(hours=hours)})


def left_behind(run: Path) -> dict[str, Any]:
    """What a complete run left, without wall-clock fields."""
    reader = RunReader(run)
    checkpoint, summary = reader.checkpoint(), reader.summary
    assert summary is not None
    return {
        **{name: values.tobytes() for name, values in checkpoint.arrays.items()},
        "summary": {**summary, "wall_seconds": None},
        "metrics": [{**row, "wall_seconds": None} for row in reader.metrics()],
    }


def test_what_is_saved_is_loaded_and_the_sidecar_lies_beside_it(record: CalibrationRecord, tmp_path: Path) -> None:
    path = save(record, tmp_path, b"sweeps")
    assert path.parent == tmp_path / record.serial_number
    loaded = load(path)
    assert loaded == record.model_copy(update={"sweeps": loaded.sweeps, "sweeps_sha256": loaded.sweeps_sha256})
    assert (path.parent / loaded.sweeps).read_bytes() == b"sweeps"
    second = save(record, tmp_path, None)  # of the same second: nothing is overwritten
    assert second != path
    assert load(second).sweeps == ""
    assert len(digest(path)) == 64
    assert digest(path) != digest(second)


def test_the_newest_record_of_the_device_is_found(record: CalibrationRecord, tmp_path: Path) -> None:
    device = open_device("twin:photonic", ports=8, drive="volts")
    with pytest.raises(CalibrationMissing, match="holds no calibration record of twin:photonic"):
        newest_for(device.description, tmp_path)
    newest = save(aged(record, 1), tmp_path, None)
    older = save(aged(record, 5), tmp_path, None)
    save(record.model_copy(update={"serial_number": "../../OTHER"}), tmp_path, None)
    assert newest_for(device.description, tmp_path) == (newest, [])
    assert [path for path, _ in records_in(tmp_path)[0]][:2] == [older, newest]
    assert all(path.resolve().is_relative_to(tmp_path.resolve()) for path, _ in records_in(tmp_path)[0])


def test_a_damaged_older_record_is_told_and_a_damaged_newest_one_refused(
    record: CalibrationRecord, tmp_path: Path, ask: Ask
) -> None:
    description = open_device("twin:photonic", ports=8, drive="volts").description
    newest = save(aged(record, 1), Path("calibrations"), None)
    newest.with_name("20200101-000000.json").write_text("{")
    path, told = newest_for(description, tmp_path / "calibrations")
    assert path.name == newest.name
    assert "20200101-000000.json" in told[0]
    code, out, err = ask(*TRAIN)
    assert code == 0, err
    assert "20200101-000000.json" in out
    chip = [each.replace("device.", "") for each in CHIP]
    code, out, err = ask("calibrate", "--only", "latency", "--no-report", *chip)
    assert code == 0, err
    assert "passed over" in out
    newest.with_name("20990101-000000.json").write_text("{")
    with pytest.raises(InputError, match=r"20990101-000000.json.*may be the newest record"):
        newest_for(description, tmp_path / "calibrations")


def test_a_record_from_the_future_is_refused_unless_told(record: CalibrationRecord, ask: Ask) -> None:
    path = save(aged(record, -2), Path("calibrations"), None)
    code, _, err = ask(*TRAIN)
    assert code == 2
    assert "not yet past" in err
    code, out, err = ask("calibrations", "list", "--json")
    assert [row["valid"] for row in json.loads(out)["records"]] == ["not yet"]
    code, out, err = ask(*TRAIN, "--calibration", path, "--expired-calibration")
    assert code == 0, err
    assert "problem: the calibration record ended at" in out


def test_faults_and_warnings_of_a_record_are_told_where_it_is_used(record: CalibrationRecord, ask: Ask) -> None:
    kinds: tuple[Any, ...] = ("fault", "warning", "warning", "note")
    findings = tuple(Finding(severity=kind, where="layer 0", what="seen") for kind in kinds)
    path = save(record.model_copy(update={"findings": findings}), Path("calibrations"), None)
    code, out, err = ask(*TRAIN)
    assert code == 0, err
    assert f"the calibration found 1 fault and 2 warnings: `ffzero-lab calibrations show {path}`" in out


def test_another_firmware_behind_the_same_serial_number_is_told(record: CalibrationRecord, ask: Ask) -> None:
    save(record.model_copy(update={"implementation": "firmware 1.2"}), Path("calibrations"), None)
    code, out, err = ask(*TRAIN)
    assert code == 0, err
    assert "problem: when the calibration record was made, firmware 1.2 answered" in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b"[]", "no calibration record of version 1"),
        (b'{"schema_version": 2}', "its schema_version is 2"),
        (b'{"schema_version": 1, "device": 3}', "is damaged at device"),
    ],
)
def test_a_record_that_cannot_be_used_is_refused_with_one_line(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as refused:
        load(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_key_and_a_number_that_is_none_are_refused(record: CalibrationRecord, tmp_path: Path) -> None:
    path = save(record, tmp_path, None)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "colour": "blue"}))
    with pytest.raises(InputError, match="damaged at colour"):
        load(path)
    content["layers"][0]["transfer"]["offset"][0] = float("nan")
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="is damaged"):
        load(path)


def test_a_device_in_raw_units_needs_a_record_and_takes_the_newest(record: CalibrationRecord, ask: Ask) -> None:
    code, _, err = ask(*TRAIN, "--dry-run")
    assert code == 2
    for word in ("driven in raw units (V)", "ffzero-lab calibrate", "--uncalibrated"):
        assert word in err
    path = save(record, Path("calibrations"), None)
    code, out, err = ask(*TRAIN, "--json")
    assert code == 0, err
    run = Path(json.loads(out)["run"])
    kept = RunReader(run).manifest["calibration"]
    assert kept == {"file": "calibration.json", "sha256": digest(path), "source": str(path.resolve())}
    assert (run / "calibration.json").read_bytes() == path.read_bytes()
    groups = RunReader(run).manifest["device"]["description"]["layers"][0]["groups"]
    assert {group["unit"] for group in groups} == {"rad"}


def test_a_foreign_an_expired_and_a_contradicted_record_are_refused(record: CalibrationRecord, ask: Ask) -> None:
    foreign = save(record.model_copy(update={"serial_number": "OTHER"}), Path("records"), None)
    expired = save(aged(record, 25), Path("records"), None)
    for path, word in ((foreign, "serial number OTHER"), (expired, "is 25 h old and valid for 24 h")):
        code, _, err = ask(*TRAIN, "--calibration", path)
        assert code == 2
        assert word in err
    code, _, err = ask(*TRAIN, "--calibration", expired, "--uncalibrated")
    assert code == 2
    assert "exclude each other" in err
    code, out, err = ask(*TRAIN, "--calibration", "newest", "--calibration-dir", "records", "--expired-calibration")
    assert code == 0, err
    assert "has expired" in out


def test_a_record_of_another_software_version_is_only_told(record: CalibrationRecord, ask: Ask) -> None:
    save(record.model_copy(update={"software": "0.0.1"}), Path("calibrations"), None)
    code, out, err = ask(*TRAIN)
    assert code == 0, err
    assert "made by ffzero-lab 0.0.1" in out


def test_a_run_goes_on_bit_by_bit_with_its_own_record(
    record: CalibrationRecord, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(record, Path("calibrations"), None)
    code, out, err = ask(*TRAIN, "--name", "whole", "--json")
    assert code == 0, err
    whole = Path(json.loads(out)["run"])

    seen = 0

    def heed(_: Signals) -> None:
        nonlocal seen
        seen += 1
        if seen == 15:
            raise Interruption("stopped by the test", 130)

    with monkeypatch.context() as patch:
        patch.setattr(Signals, "heed", heed)
        code, _, _ = ask(*TRAIN, "--name", "halves")
    assert code == 130
    (halves,) = Path("runs").glob("*-halves")
    assert RunReader(halves).summary is None
    path.unlink()  # the run has a copy
    other = record.layers[0].transfer
    assert other is not None
    offset = tuple((np.array(other.offset) + 1.0).tolist())
    moved = record.layers[0].model_copy(update={"transfer": other.model_copy(update={"offset": offset})})
    save(record.model_copy(update={"layers": (moved, record.layers[1])}), Path("calibrations"), None)
    code, _, err = ask("train", "--resume", halves)
    assert code == 0, err
    assert left_behind(halves) == left_behind(whole)

    code, out, err = ask("evaluate", halves, "--json")
    assert code == 0, err
    own = json.loads(out)["test_accuracy"]
    code, out, err = ask("evaluate", halves, "--json", "--calibration", "newest")
    assert code == 0, err
    assert json.loads(out)["test_accuracy"] != own

    kept = halves / "calibration.json"
    kept.write_bytes(kept.read_bytes() + b" ")
    code, _, err = ask("evaluate", halves)
    assert code == 2
    assert "its content changed" in err


def test_ideal_physics_does_not_mix_with_a_record(record: CalibrationRecord, ask: Ask) -> None:
    save(record, Path("calibrations"), None)
    code, _, err = ask(*TRAIN, "--rule", "ff-ad")
    assert code == 2
    assert "knows no calibration record" in err


class Unsaved(PhotonicTwin):
    """As hardware, for which time goes on: its state cannot be put back."""

    snapshot = restore = None  # type: ignore[assignment]


def test_a_protocol_tells_of_a_record_that_has_expired_when_it_begins_and_when_it_goes_on(
    record: CalibrationRecord, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = f'[protocol]\ntitle = "t"\n[device]\nname = "{__name__}:Unsaved"\nports = 8\ndrive = "volts"\n'
    Path("p.toml").write_text(
        head + '[[step]]\nname = "who"\nkind = "identify"\n[[step]]\nname = "off"\nkind = "park"\n'
    )
    expired = save(aged(record, 25), Path("records"), None)
    told = "problem: the calibration record has expired"
    with monkeypatch.context() as failing:
        failing.setattr(PhotonicTwin, "park", None)
        code, out, err = ask("run", "p.toml", "--calibration", expired, "--expired-calibration")
        assert code != 0
        assert told in out
    run = next(Path("runs").iterdir())
    code, out, err = ask("run", "--resume", run)
    assert code == 0, out + err
    assert told in out
    summary = RunReader(run).summary
    assert summary is not None
    assert any(note.startswith(told) for note in summary["notes"])
