"""``ffzero-lab calibrations list | show | diff | report`` on records that were made by hand."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ffzero_lab.figures
from ffzero_lab.calibrations import save
from ffzero_lab.device.record import CalibrationRecord, Finding, LayerRecord, Quantity, Spent

Command = Callable[..., Any]
FAULT = Finding(severity="fault", where="layer 0, theta[1]", what="open")


def record_with(resistance: float, serial: str = "A7", hours: float = 1.0, **changed: Any) -> CalibrationRecord:
    ended = datetime.now(UTC) - timedelta(hours=hours)
    spent = Spent(writes=12, readings=3, shots=4, seconds=5.0)
    ohm = Quantity.of("ohm", "parameter", [resistance, np.nan], [1.0, np.nan], "slope")
    return CalibrationRecord(
        device="chip",
        serial_number=serial,
        kind="photonic",
        implementation="",
        software="0.1",
        begun=ended - timedelta(minutes=1),
        ended=ended,
        device_ended_s=1.0,
        valid_for_s=7200.0,
        procedures=("electrical",),
        layers=(LayerRecord(groups={"theta": (2,)}, quantities={"electrical.resistance": ohm}, dead={1: "open"}),),
        findings=(FAULT,),
        planned=spent,
        spent=spent,
    ).model_copy(update=changed)


def sidecar() -> bytes:
    file = io.BytesIO()
    np.savez(file, **{"0/electrical/ramp/volts": np.ones(3)})
    return file.getvalue()


def test_list_tells_age_validity_and_faults_and_a_damaged_file(cli: Command, tmp_path: Path) -> None:
    assert "no calibration records in calibrations" in cli("calibrations", "list").out
    save(record_with(600.0, hours=1), Path("calibrations"), None)
    save(record_with(600.0, serial="B2", hours=3), Path("calibrations"), None)
    (tmp_path / "calibrations" / "A7" / "broken.json").write_text("{")
    told = cli("calibrations", "list", "--json").json
    assert [(row["serial_number"], row["valid"], row["faults"]) for row in told["records"]] == [
        ("B2", "expired", 1),
        ("A7", "yes", 1),
    ]
    assert ["broken.json" in damaged for damaged in told["damaged"]] == [True]
    assert "broken.json" in cli("calibrations", "list").out


def test_show_names_what_is_dead_and_every_quantity(cli: Command) -> None:
    path = save(record_with(600.0), Path("calibrations"), None)
    shown = cli("calibrations", "show", path).out
    for text in (
        "chip (A7)",
        "fault: layer 0, theta[1]: open",
        "layer 0: theta[1] open",
        "electrical.resistance",
        "1/2",
        "600",
    ):
        assert text in shown
    assert cli("calibrations", "show", path, "--json").json["serial_number"] == "A7"
    ended = cli("calibrations", "show", "nowhere.json")
    assert ended.code == 2
    assert "there is no calibration record nowhere.json" in ended.err


def test_diff_tells_what_changed_and_refuses_another_device(cli: Command) -> None:
    before, same, later = (save(record_with(ohm), Path("calibrations"), None) for ohm in (600.0, 600.5, 650.0))
    other = save(record_with(600.0, serial="B2"), Path("calibrations"), None)
    assert cli("calibrations", "diff", before, same, "--json").json["agrees"] is True
    told = cli("calibrations", "diff", before, later, "--json").json
    assert told["agrees"] is False
    assert told["quantities"][0]["difference"] == pytest.approx(50.0)
    assert "does NOT agree" in cli("calibrations", "diff", before, later).out
    ended = cli("calibrations", "diff", before, other)
    assert ended.code == 2
    assert "they are not compared" in ended.err


def test_diff_says_the_same_whichever_record_is_named_first(cli: Command) -> None:
    def of(phase: float, hours: float) -> Path:
        known = {
            "offsets.phase": Quantity.of("rad", "parameter", [phase, phase, 0.0, 0.0], [1e-3, 1e-3, 0.0, 0.0]),
            "drift.phase_walk": Quantity.of("rad/√h", "layer", 0.02, 0.001),
        }
        layers = (LayerRecord(groups={"theta": (1,), "phi": (1,), "gamma": (2,)}, quantities=known),)
        return save(record_with(600.0, hours=hours, layers=layers), Path("calibrations"), None)

    before, after = of(0.0, 2.0), of(0.02, 1.0)
    told, turned = (cli("calibrations", "diff", *pair, "--json").json for pair in ((before, after), (after, before)))
    assert told == turned
    assert told["agrees"] is True  # an hour's walk explains it
    dead = save(record_with(600.0, hours=0.5, layers=(LayerRecord(dead={0: "open"}),)), Path("calibrations"), None)
    assert cli("calibrations", "diff", dead, after, "--json").json["changed"] == [
        "layer 0, parameter 0: open, alive before"
    ]


def test_report_writes_the_page_beside_the_record_or_where_told(cli: Command) -> None:
    path = save(record_with(600.0), Path("calibrations"), sidecar())
    told = cli("calibrations", "report", path, "--json").json
    assert Path(told["report"]) == path.with_suffix(".html")
    assert told["problem"] is None
    assert "layer 0, theta[1]" in path.with_suffix(".html").read_text(encoding="utf-8")
    assert "report: elsewhere/page.html" in cli("calibrations", "report", path, "--output", "elsewhere/page.html").out
    assert Path("elsewhere/page-figures/layer0-health.png").exists()


def test_report_never_overwrites_a_record(cli: Command) -> None:
    path = save(record_with(600.0), Path("calibrations"), None)
    content = path.read_bytes()
    ended = cli("calibrations", "report", path, "--output", path)
    assert ended.code == 2
    assert "ends with .html" in ended.err
    assert path.read_bytes() == content


@pytest.mark.parametrize(("harm", "says"), [("gone", "cannot be read"), ("changed", "SHA-256 differs")])
def test_report_without_its_sweeps_says_so_and_draws_the_rest(cli: Command, harm: str, says: str) -> None:
    path = save(record_with(600.0), Path("calibrations"), sidecar())
    beside = path.with_suffix(".npz")
    if harm == "gone":
        beside.unlink()
    else:
        beside.write_bytes(beside.read_bytes() + b"x")
    ended = cli("calibrations", "report", path)
    assert ended.code == 0
    assert says in ended.out
    assert says in path.with_suffix(".html").read_text(encoding="utf-8")


def test_report_without_matplotlib_says_what_to_install(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(record_with(600.0), Path("calibrations"), None)
    monkeypatch.setattr(ffzero_lab.figures, "find_spec", lambda name: None)
    ended = cli("calibrations", "report", path)
    assert ended.code == 2
    assert 'pip install "ffzero-lab[report]"' in ended.err


CHIP = (
    "--device",
    "twin:photonic",
    "--set",
    "ports=3",
    "--set",
    "layers=1",
    "--set",
    "drive=volts",
    "--only",
    "latency",
)


def test_calibrate_writes_the_report_unless_told_not_to(cli: Command) -> None:
    told = cli("calibrate", *CHIP, "--json").json
    assert Path(told["report"]) == Path(told["record"]).with_suffix(".html")
    whole = Path(told["report"]).read_text(encoding="utf-8")
    assert "latency.write" in whole
    assert Path(told["record"]).with_suffix(".npz").name in whole
    without = cli("calibrate", *CHIP, "--no-report", "--json").json
    assert without["report"] is None
    assert not Path(without["record"]).with_suffix(".html").exists()


def test_calibrate_without_matplotlib_keeps_the_record_and_says_how_to_draw_later(
    cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffzero_lab.figures, "find_spec", lambda name: None)
    ended = cli("calibrate", *CHIP)
    assert ended.code == 0
    (record,) = Path("calibrations").glob("*/*.json")
    assert f"ffzero-lab calibrations report {record}" in ended.err
    assert 'pip install "ffzero-lab[report]"' in ended.err
