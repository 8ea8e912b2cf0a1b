"""The conformance suite on a bench whose heaters and inputs are on a Qontrol rack; instruments without wires."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from drivers.bench import Bench
from ffzero_lab.conformance import DeviceConformance
from ffzero_lab.device import VirtualClock


class OnARack(DeviceConformance):
    """The suite on a rack told in *form*, its heaters with more *keys*."""

    form: ClassVar[str]
    keys: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    def _table(self, lay: Callable[..., Any], file: Callable[..., Any], clock: VirtualClock) -> None:
        content = file(**self.keys)
        content["links"]["rack"]["form"] = self.form
        self.table, self.clock = lay(content), clock

    def open_driver(self) -> Bench:
        return Bench.open(Bench.Config.model_validate(self.table.content), self.clock)


class TestRackToldInText(OnARack):
    form = "ascii"


class TestRackToldInFramesAndMeasuredAfterReadings(OnARack):
    form = "binary"
    keys: ClassVar = {"read_back": "reading"}
