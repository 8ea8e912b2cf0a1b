"""The instrument and the file of the how-to guide make a bench that passes the conformance suite."""

import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from drivers.bench import Bench
from ffzero_lab.conformance import DeviceConformance

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "bench-file.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)


class TestBenchOfTheGuide(DeviceConformance):
    @pytest.fixture(autouse=True)
    def _module(self, monkeypatch: pytest.MonkeyPatch) -> None:
        module = ModuleType("box_drivers")
        exec(compile(blocks("python")[0], str(GUIDE), "exec"), module.__dict__)
        monkeypatch.setitem(sys.modules, "box_drivers", module)

    def open_driver(self) -> Any:
        return Bench.open(Bench.Config.model_validate(tomllib.loads(blocks("toml")[0])))
