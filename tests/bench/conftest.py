"""Fake instruments on a table, and bench files that name them."""

import importlib
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from drivers.bench import Bench
from drivers.twin.crossbar import CrossbarTwin
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
