"""Fake instruments on a table, and bench files that name them."""

import importlib
import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from drivers.bench import Bench
from drivers.twin.crossbar import CrossbarTwin
from ffzero_lab.cli import app
from ffzero_lab.device import VirtualClock

CROSSBAR: dict[str, Any] = {
    "bench": {"name": "crossbar lab", "serial_number": "XB-7", "kind": "crossbar"},
    "timing": {"settle_s": 0.01, "shot_settle_s": 0.002, "write_s": 0.01, "shot_s": 0.002, "imitates": "a table"},
    "links": {"usb": {"resource": "nowhere"}},
    "actuators": {
        "cells": {
            "driver": "fake_instruments:FakeActuators",
            "link": "usb",
            "channels": 59,
            "lower_share": -1.5,
            "upper_share": 1.5,
        }
    },
    "inputs": {
        "rows": {
            "driver": "fake_instruments:FakeInputs",
            "channels": "0-10",
            "lower_amplitude": -1.0,
            "upper_amplitude": 1.0,
        }
    },
    "detectors": {"columns": {"driver": "fake_instruments:FakeDetectors", "channels": 9, "full_scale_v": 12.0}},
    "layers": [
        {
            "inputs": {"instrument": "rows", "channels": "0-5"},
            "outputs": {"instrument": "columns", "channels": "1-5"},
            "one_sign": False,
            "reach": "column",
            "groups": [
                {"name": "weights", "instrument": "cells", "channels": "1-30", "start_share": [-0.4, 0.4]},
                {"name": "bias", "instrument": "cells", "channels": "31-35"},
            ],
        },
        {
            "inputs": [{"instrument": "rows", "channels": "6-10"}],
            "outputs": [{"instrument": "columns", "channels": "6-9"}],
            "one_sign": False,
            "groups": [
                {"name": "weights", "instrument": "cells", "channels": ["36-40", "41-55"], "size": 20},
                {"name": "bias", "instrument": "cells", "channels": [56, 57, 58, 59]},
            ],
        },
    ],
    "health": {
        "cells_temperature": {"instrument": "cells", "reading": "temperature", "unit": "degC", "upper": 60.0},
    },
}
"""Two arrays of a crossbar, 6 × 5 and 5 × 4, at one source, one modulator and one converter."""


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of fake instruments, with a crossbar on the table."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    module = importlib.import_module("fake_instruments")
    put(module, CrossbarTwin, preset="ideal", sizes=[6, 5, 4], activation="none")
    return module


def put(module: Any, driver: Any, **options: Any) -> None:
    """Put a twin on the table."""
    module.TABLES["table"] = module.Table(driver.open(driver.Config(**options)))


@pytest.fixture
def content() -> dict[str, Any]:
    """The content of a bench file, to be edited."""
    return deepcopy(CROSSBAR)


@pytest.fixture
def mount(fakes: Any, content: dict[str, Any]) -> Callable[[], Bench]:
    """Open the bench of *content*, as it was edited, on a virtual clock."""
    return lambda: Bench.open(Bench.Config.model_validate(content), VirtualClock())


def as_toml(content: dict[str, Any]) -> str:
    """Return *content* as TOML, tables inline below the first two levels."""
    lines = [f"{key} = {_value(value)}" for key, value in content.items() if not isinstance(value, dict)]
    for name, table in content.items():
        if isinstance(table, dict):
            lines += [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)


@pytest.fixture
def bench_file(tmp_path: Path, content: dict[str, Any]) -> Callable[..., Path]:
    """Write *content*, as it was edited, to a bench file."""

    def write(name: str = "lab.toml") -> Path:
        (tmp_path / name).write_text(as_toml({"driver": "drivers.bench:Bench", **content}))
        return tmp_path / name

    return write


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a command in this process, in a folder of the test's own; returns the result with `json` read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FFZERO_LOCK_DIR", str(tmp_path / "locks"))

    def run(*arguments: object) -> Any:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return SimpleNamespace(
            code=result.exit_code,
            out=result.stdout,
            err=result.stderr,
            json=json.loads(result.stdout) if "--json" in arguments else None,
        )

    return run
