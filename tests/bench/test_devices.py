"""Finding out what is there, and looking over a bench without energising it."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivers.bench import Bench
from ffzero_lab import discovery, doctor
from ffzero_lab.cli.devices import identify_command
from ffzero_lab.device import Guarded, LinkLost
from ffzero_lab.inspection import inspect

Cli = Callable[..., Any]


def test_looking_over_a_bench_energises_nothing(fakes: Any, content: Any, bench_file: Any, cli: Cli) -> None:
    content["actuators"]["cells"]["safe_share"] = 0.1
    content["actuators"]["cells"]["lower_share"] = 0.05
    content["layers"][0]["groups"][0].pop("start_share")
    content["detectors"]["columns"]["detection_floor_v"] = 1.0
    report = cli("devices", "check", bench_file(), "--json").json
    table = fakes.TABLES["table"]
    assert report["identities"] == {"rows": "fake rows", "cells": "fake cells", "columns": "fake columns"}
    assert report["health"] == [{"channel": "cells_temperature", "value": 25.0, "unit": "degC"}]
    assert report["problems"] == []
    assert {what for _, what, *_ in table.log} == {"open", "identify", "park", "read_back", "read", "close"}
    exchanges = {(each["layer"], each["exchange"]) for each in report["exchanges"]}
    for layer in (0, 1):
        assert {(layer, "read back"), (layer, "read outputs, parked")} <= exchanges
    assert [name for name, what, *_ in table.log if what == "park"][:3] == ["rows", "cells", "columns"]


def test_energising_is_asked_for(fakes: Any, content: Any, bench_file: Any, cli: Cli) -> None:
    content["timing"] |= {"write_s": 0.5, "shot_s": 0.2}  # stated so long that a busy computer is no problem
    report = cli("devices", "check", bench_file(), "--energise", "--json").json
    written = [more[0] for name, what, *more in fakes.TABLES["table"].log if what == "write"]
    assert np.abs(written).max() == pytest.approx(0.15)
    assert report["problems"] == []
    took = {(each["layer"], each["exchange"]): each["seconds"] for each in report["exchanges"]}
    assert took[0, "write the safe state"] >= 0.01
    assert not fakes.TABLES["table"].parameters.any()


def test_energising_keeps_to_the_slew(fakes: Any, content: Any, bench_file: Any, cli: Cli) -> None:
    content["actuators"]["cells"]["slew_share_per_s"] = 5.0
    assert cli("devices", "check", bench_file(), "--energise", "--json").code == 0
    written = [more[0] for name, what, *more in fakes.TABLES["table"].log if what == "write"]
    assert np.abs(written).max() == pytest.approx(0.9 * 5.0 * 0.01)
    content["timing"] = {}
    del content["actuators"]["cells"]["slew_share_per_s"]
    assert cli("devices", "check", bench_file(), "--energise", "--json").code == 0


def test_what_is_wrong_is_told(fakes: Any, content: Any, bench_file: Any, cli: Cli, monkeypatch: Any) -> None:
    content["detectors"]["columns"]["detection_floor_v"] = 0.5
    monkeypatch.setattr(fakes.FakeActuators, "read_back", lambda self: np.full(59, 0.3))
    monkeypatch.setattr(fakes.FakeDetectors, "read", lambda self: np.where(self.places == 7, 0.7, 0.0))
    problems = cli("devices", "check", bench_file(), "--json").json["problems"]
    assert problems == [
        "layer 0, weights[0] stands at 0.3 share, 0 share is safe (35 such parameters)",
        "layer 1, weights[0] stands at 0.3 share, 0 share is safe (24 such parameters)",
        "layer 1, output 2 (columns channel 8) reads 0.7 V with everything parked, more than the floor of 0.5 V "
        "(1 such outputs)",
    ]
    shown = cli("devices", "check", bench_file()).out
    assert "problem: layer 0, weights[0] stands at 0.3 share" in shown
    assert "fake cells" in shown


def test_when_parking_fails_as_well_the_first_error_is_told_first(fakes: Any, content: Any) -> None:
    table = fakes.TABLES["table"]
    table.failing["columns", "identify"] = LinkLost("columns: another instrument answers")
    table.failing["cells", "park"] = LinkLost("cells are gone")
    device = Guarded(Bench.open(Bench.Config.model_validate(content)))
    with pytest.raises(LinkLost, match="columns: another instrument answers") as caught:
        inspect(device)
    (note,) = caught.value.__notes__
    assert note.startswith("parking failed as well: cells are gone\nthat was parking 'cells'")


def test_a_failure_on_the_way_parks(fakes: Any, bench_file: Any, cli: Cli) -> None:
    table = fakes.TABLES["table"]
    table.failing["columns", "read"] = LinkLost("columns: the cable is out")
    ended = cli("devices", "check", bench_file())
    assert ended.code == 3
    assert "the cable is out" in ended.err
    assert table.log[-1][1] == "close"
    assert ("cells", "park") in [entry[:2] for entry in table.log]


def test_listing_tells_what_is_missing_and_goes_on(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvisa", None)
    monkeypatch.setitem(sys.modules, "serial.tools.list_ports", None)
    found = cli("devices", "list", "--json").json
    assert {"twin", "twin.photonic"} <= {driver["name"] for driver in found["drivers"]["found"]}
    assert "pyvisa and pyvisa-py are needed" in found["visa_resources"]["problems"][0]
    assert "pyserial is needed" in found["serial_ports"]["problems"][0]
    shown = cli("devices", "list")
    assert shown.code == 0
    assert "problem: pyserial is needed" in shown.out


def test_listing_shows_what_the_back_ends_list(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    class Manager:
        def __init__(self, library: str) -> None:
            assert library == "@py"

        def list_resources(self, query: str) -> tuple[str, ...]:
            return ("TCPIP::meter::5025::SOCKET",)

        def close(self) -> None:
            pass

    loaded = importlib.import_module
    pyvisa = type("pyvisa", (), {"ResourceManager": Manager})
    monkeypatch.setattr(discovery.importlib, "import_module", lambda n: pyvisa if n == "pyvisa" else loaded(n))
    assert "TCPIP::meter::5025::SOCKET" in cli("devices", "list").out


def test_identifying_needs_a_package_that_can(cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("ffzero_lab.cli.devices.identifier", lambda: lambda resource, wait_s: f"{resource} {wait_s}")
    identify_command("TCPIP::meter::5025::SOCKET", wait_s=2.0, as_json=False)
    assert "TCPIP::meter::5025::SOCKET: TCPIP::meter::5025::SOCKET 2.0" in capsys.readouterr().out


def test_the_doctor_looks_at_everything_and_finds_no_fault_here(cli: Cli) -> None:
    told = cli("doctor", "--json").json
    subjects = {finding["subject"] for finding in told["findings"]}
    assert {"ffzero-lab", "numpy", "numba", "jax", "packages", "drivers", "disk", "fsync", "locks", "clock"} <= subjects
    assert "problem" in cli("doctor").out


def test_the_doctor_tells_what_is_wrong(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = doctor.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage._replace(free=1_000))
    monkeypatch.setattr(doctor, "_fsync_s", lambda folder: 0.5)
    monkeypatch.setattr(doctor, "serial_ports", lambda: discovery.Found("serial ports", [{"name": "/no/port"}]))
    monkeypatch.setattr(doctor, "installed_drivers", dict)
    ended = cli("doctor", "--json")
    assert ended.code == 1
    says = {finding["subject"]: (finding["state"], finding["says"]) for finding in ended.json["findings"]}
    assert says["disk"][0] == "problem"
    assert says["fsync"] == ("note", "a write reaches the disk in 500.0 ms; checkpoints will be slow there")
    assert "become a member of its group" in says["/no/port"][1]
    assert "none is installed" in says["drivers"][1]
    assert ended.json["problems"] == 3
