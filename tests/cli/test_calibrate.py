"""``ffzero-lab calibrate`` on a four-port chip, with all procedures: plan, record, interruption, check, faults."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from calibration.registry import procedures
from drivers.twin.photonic import PhotonicTwin
from ffzero_lab import __version__
from ffzero_lab.calibrations import load, records_in
from ffzero_lab.cli import app
from ffzero_lab.device.record import CalibrationRecord
from ffzero_lab.signals import Interruption, Signals

Command = Callable[..., Any]
HELD = Path(__file__).parents[2] / "benchmarks" / "held.py"
CHIP = ("--device", "twin:photonic", "--set", "ports=4", "--set", "layers=1", "--set", "drive=volts")
CALIBRATE = ("calibrate", *CHIP, "--no-report")
SERIAL = "TWIN-typical-0"
NAMED = [procedure.name for procedure in procedures()]
EVERY = [name for name in NAMED if name not in ("sensors", "actuators", "relative")]
"""What says something of a photonic chip."""
OPEN = '--set=faults=[{kind="open", parameter="phi[2]"}]'


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the records of the chip, with one whole, undisturbed calibration in it."""
    folder = tmp_path_factory.mktemp("whole")
    result = CliRunner().invoke(app, [*CALIBRATE, "--calibration-dir", str(folder), "--json"])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def record(whole: Path) -> CalibrationRecord:
    return load(path_in(whole))


def path_in(folder: Path) -> Path:
    ((path, _),), damaged = records_in(folder)
    assert not damaged
    return path


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def timeless(record: CalibrationRecord) -> dict[str, Any]:
    """Everything in a record but the time of day at which it was made, and the file that says it."""
    return record.model_dump(exclude={"begun", "ended", "sweeps"})


def test_a_dry_run_shows_every_procedure_with_its_cost_and_touches_nothing(
    cli: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def touched(*_: object) -> None:
        pytest.fail("the device was touched")

    for name in ("load_inputs", "write_parameters", "read_outputs", "read_actuators"):
        monkeypatch.setattr(PhotonicTwin, name, touched)
    ended = cli("calibrate", *CHIP, "--dry-run")
    assert ended.code == 0
    assert all(name in ended.out for name in NAMED)
    planned = cli("calibrate", *CHIP, "--dry-run", "--json").json
    rows = {row["procedure"]: row for row in planned["procedures"]}
    assert list(rows) == NAMED
    assert rows["drift"]["seconds"] > 300.0
    assert planned["total"]["shots"] == sum(row["counts"]["shots"] for row in rows.values()) > 10_000
    assert not list(tmp_path.iterdir())


def test_only_and_skip_choose_procedures_in_their_order(cli: Command) -> None:
    def chosen(*options: str) -> list[str]:
        return [row["procedure"] for row in cli("calibrate", *CHIP, "--dry-run", "--json", *options).json["procedures"]]

    assert chosen("--only", "noise, detectors") == ["detectors", "noise"]
    assert chosen("--skip", "noise,drift") == [name for name in NAMED if name not in ("noise", "drift")]


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--only", "fringe"), 2, "fringes"),
        (("--only", "noise", "--skip", "noise"), 2, "exclude each other"),
        (("--valid-for", "soon"), 2, "--valid-for 'soon'"),
        (("--against", "x.json"), 2, "only with --check"),
        (("--check",), 2, "calibrate"),
        (("--check", "--against", "x.json"), 2, "x.json"),
        (("--set", "colour=red"), 2, "colour"),
    ],
)
def test_bad_input_ends_with_one_message_and_nothing_kept(
    cli: Command, tmp_path: Path, options: tuple[str, ...], code: int, told: str
) -> None:
    ended = cli(*CALIBRATE, *options)
    assert ended.code == code
    assert told in ended.err
    assert "Traceback" not in ended.err
    assert not list(tmp_path.rglob("*.json"))


def test_a_folder_that_is_no_calibration_is_not_resumed(cli: Command, tmp_path: Path) -> None:
    ended = cli("calibrate", "--resume", tmp_path)
    assert ended.code == 2
    assert "no unfinished calibration" in ended.err


def test_the_record_says_what_was_measured_when_with_what_and_how_surely(
    record: CalibrationRecord, whole: Path
) -> None:
    path = path_in(whole)
    assert record.schema_version == 1
    assert (record.serial_number, record.kind, record.software) == (SERIAL, "photonic", __version__)
    assert record.begun.tzinfo is not None
    assert record.begun < record.ended <= datetime.now(UTC)
    assert list(record.procedures) == EVERY
    assert record.valid_for_s == 86_400.0
    assert record.conditions["laser"] == 1.0
    assert record.spent.seconds == pytest.approx(record.planned.seconds, rel=0.05)
    assert record.device_ended_s == pytest.approx(record.spent.seconds, rel=0.01)
    sidecar = path.with_name(record.sweeps).read_bytes()
    assert hashlib.sha256(sidecar).hexdigest() == record.sweeps_sha256
    with np.load(path.with_name(record.sweeps), allow_pickle=False) as sweeps:
        assert {name.split("/")[1] for name in sweeps.files} >= {name for name in EVERY if name != "epsilon"}
    (layer,) = record.layers
    assert {name.split(".")[0] for name in layer.quantities} == set(EVERY)
    assert not layer.dead
    assert layer.transfer is not None
    assert (len(layer.transfer.offset), layer.transfer.law) == (16, "square")
    units = {"fringes.pi_setting": "V²", "offsets.phase": "rad", "electrical.resistance": "ohm", "latency.shot": "s"}
    for name, quantity in layer.quantities.items():
        assert quantity.unit == units.get(name, quantity.unit)
        assert quantity.unit
        assert quantity.about, name
    for name in (
        "detectors.dark",
        "fringes.pi_setting",
        "electrical.resistance",
        "offsets.phase",
        "offsets.pi_setting",
    ):
        quantity = layer.quantities[name]
        assert np.isfinite(quantity.array).all(), name
        assert (quantity.spread[: 12 if name == "offsets.phase" else None] > 0.0).all(), name


def test_json_is_one_document_that_names_the_record(cli: Command) -> None:
    ended = cli(*CALIBRATE, "--only", "electrical", "--json")
    assert ended.code == 0
    assert load(Path(ended.json["record"])).procedures == ("electrical",)
    assert ended.json["spent"]["writes"] == ended.json["planned"]["writes"] == 5


def test_a_record_is_the_same_again_with_the_same_seed_and_another_with_another(cli: Command) -> None:
    some = ("--only", "detectors,electrical")
    records = [load(Path(cli(*CALIBRATE, *some, "--json", "--calibration-dir", f"c{n}", "--seed", seed).json["record"]))
               for n, seed in enumerate((0, 0, 1))]  # fmt: skip
    assert timeless(records[0]) == timeless(records[1])
    assert records[0].layers != records[2].layers


@pytest.mark.slow
@pytest.mark.parametrize("exchange", [350, 700])
def test_a_calibration_stopped_at_any_exchange_goes_on_to_the_same_bits(
    cli: Command, monkeypatch: pytest.MonkeyPatch, whole: Path, record: CalibrationRecord, exchange: int
) -> None:
    seen = 0

    def heed(_: Signals) -> None:
        nonlocal seen
        seen += 1
        if seen == exchange:
            raise Interruption("stopped by the test", 130)

    with monkeypatch.context() as patch:
        patch.setattr(Signals, "heed", heed)
        ended = cli(*CALIBRATE)
    assert ended.code == 130
    command = ended.err.strip().splitlines()[-1].split()
    assert command[:3] == ["ffzero-lab", "calibrate", "--resume"]
    assert cli(*command[1:]).code == 0
    assert_same_as_undisturbed(Path("calibrations"), whole)


def assert_same_as_undisturbed(folder: Path, whole: Path) -> None:
    assert timeless(load(path_in(folder))) == timeless(load(path_in(whole)))
    assert not list(folder.rglob("*.unfinished"))
    sidecars = [path_in(each).with_suffix(".npz") for each in (folder, whole)]
    with np.load(sidecars[0]) as mine, np.load(sidecars[1]) as its:
        assert mine.files == its.files
        for name in mine.files:
            np.testing.assert_array_equal(mine[name], its[name])


class Calibrator:
    """A calibration in a process of its own, to be ended from outside: it takes its time from so many probes on."""

    def __init__(self, folder: Path, probes: int, *arguments: object) -> None:
        held = [HELD, "drivers.twin.photonic:PhotonicTwin.probe", probes, 0.3]
        command = [sys.executable, *map(str, [*held, *arguments])]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
        )

    def send(self, number: int, wait_s: float) -> tuple[int, str]:
        """Send a signal *wait_s* after it is held; returns exit code and errors."""
        assert self.process.stderr is not None
        told = ""
        while (line := self.process.stderr.readline()) != "held\n":
            told += line
            assert line, f"it ended before: {told}"
        time.sleep(wait_s)
        self.process.send_signal(number)
        _, told = self.process.communicate(timeout=100.0)
        return self.process.returncode, told


@pytest.mark.slow
def test_a_calibration_killed_again_and_again_at_random_moments_comes_to_the_same_bits(
    cli: Command, tmp_path: Path, whole: Path
) -> None:
    rng = np.random.default_rng(1)
    arguments: tuple[object, ...] = CALIBRATE
    for probes in rng.integers(5, 60, 2).tolist():
        code, _ = Calibrator(tmp_path, probes, *arguments).send(signal.SIGKILL, float(rng.uniform(0.0, 0.3)))
        assert code == -signal.SIGKILL
        (unfinished,) = tmp_path.glob("calibrations/*/*.unfinished")
        arguments = ("calibrate", "--resume", unfinished)
    assert cli(*arguments).code == 0
    assert_same_as_undisturbed(tmp_path / "calibrations", whole)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_from_outside_parks_and_the_last_line_goes_on(
    cli: Command, tmp_path: Path, whole: Path, number: int, code: int
) -> None:
    ended, told = Calibrator(tmp_path, 50, *CALIBRATE).send(number, 0.01)
    assert ended == code, told
    lines = told.strip().splitlines()
    assert "the device is parked" in lines
    command = lines[-1].split()
    assert command[0] == "ffzero-lab"
    assert cli(*command[1:]).code == 0
    assert_same_as_undisturbed(tmp_path / "calibrations", whole)


def test_a_check_of_a_device_that_did_not_change_agrees_and_writes_nothing(cli: Command, whole: Path) -> None:
    before = content_of(whole)
    ended = cli("calibrate", *CHIP, "--check", "--calibration-dir", whole)
    assert ended.code == 0, ended.out + ended.err
    assert content_of(whole) == before


@pytest.mark.parametrize(
    ("change", "only", "told"),
    [
        (OPEN, "electrical", "parameter 8: open, alive before"),
        (OPEN, "detectors,electrical", "parameter 8: open, alive before"),
        ('--set=faults=[{kind="dead-detector", output=1}]', "detectors", "output 1: dead, alive before"),
        ("--set=drift.phase_rad=0.3", "offsets", "offsets.phase"),
        ("--set=heaters.resistance_ohm=640.0", "electrical", "electrical.resistance"),
    ],
)
def test_a_check_of_a_device_that_changed_says_what_and_writes_nothing(
    cli: Command, whole: Path, change: str, only: str, told: str
) -> None:
    before = content_of(whole)
    ended = cli("calibrate", *CHIP, "--check", "--only", only, "--calibration-dir", whole, change)
    assert ended.code == 1, ended.out + ended.err
    assert told in ended.out
    assert "does NOT agree" in ended.out
    assert content_of(whole) == before


def test_a_check_refuses_another_device(cli: Command, whole: Path) -> None:
    ended = cli("calibrate", *CHIP, "--check", "--calibration-dir", whole, "--set", "seed=5")
    assert ended.code == 2
    ended = cli("calibrate", *CHIP, "--check", "--against", path_in(whole), "--set", "seed=5")
    assert ended.code == 2
    assert "TWIN-typical-0" in ended.err
    assert "TWIN-typical-5" in ended.err


def test_a_heater_that_was_mended_counts_again_with_single_procedures(cli: Command) -> None:
    broken = cli(*CALIBRATE, OPEN, "--only", "detectors,electrical", "--json")
    assert load(Path(broken.json["record"])).layers[0].dead == {8: "open"}
    mended = cli(*CALIBRATE, "--only", "electrical,fringes", "--json")
    (layer,) = load(Path(mended.json["record"])).layers
    assert not layer.dead
    assert np.isfinite(layer.quantities["fringes.pi_setting"].array).all()


def test_faults_are_found_told_first_and_kept_in_the_record(cli: Command) -> None:
    faults = (
        '--set=faults=[{kind="open", parameter="theta[1]"}, {kind="short", parameter="phi[3]"}, '
        '{kind="stuck", parameter="gamma[0]", volts=1.1}, {kind="dead-detector", output=2}]'
    )
    ended = cli(*CALIBRATE, faults, "--only", "detectors,electrical,fringes", "--json")
    assert ended.code == 0, ended.err
    (layer,) = load(Path(ended.json["record"])).layers
    assert layer.dead == {1: "open", 9: "short", 12: "stuck"}
    assert layer.dead_outputs == {2: "dead"}
    first = [f"{found['where']}: {found['what'].split(':')[0]}" for found in ended.json["findings"][:4]]
    assert first == [
        "layer 0, output 2: sees nothing",
        "layer 0, theta[1]: open",
        "layer 0, phi[3]: shorted",
        "layer 0, gamma[0]: stuck",
    ]


def test_a_reading_that_is_no_number_ends_parked_and_can_be_gone_on_with(
    cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, count, parked = PhotonicTwin.read_outputs, [0], [0]
    park = PhotonicTwin.park

    def sometimes_nothing(self: PhotonicTwin, layer: int, rows: Any) -> Any:
        outputs = read(self, layer, rows)
        count[0] += 1
        if count[0] == 50:
            outputs[0, 3] = np.nan
        return outputs

    def counted(self: PhotonicTwin) -> None:
        parked[0] += 1
        park(self)

    monkeypatch.setattr(PhotonicTwin, "read_outputs", sometimes_nothing)
    monkeypatch.setattr(PhotonicTwin, "park", counted)
    ended = cli(*CALIBRATE, "--only", "detectors", "--json")
    assert ended.code == 3
    error = ended.json["error"]
    assert error["kind"] == "BadReply"
    assert "output 3" in error["message"]
    assert error["notes"][0] == "the device is parked"
    assert parked[0] >= 1
    ended = cli(*error["notes"][-1].splitlines()[-1].split()[1:])
    assert ended.code == 0, ended.err


def test_a_full_disk_ends_parked_and_keeps_what_was_measured(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from calibration import journal

    write, left = journal.write_atomically, [6]

    def filling(path: Path, content: bytes) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device", str(path))
        write(path, content)

    monkeypatch.setattr(journal, "write_atomically", filling)
    ended = cli(*CALIBRATE, "--only", "detectors")
    assert ended.code == 1
    assert "No space left" in ended.err
    assert "the device is parked" in ended.err
    monkeypatch.setattr(journal, "write_atomically", write)
    ended = cli(*ended.err.strip().splitlines()[-1].split()[1:], "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["findings"] == []
