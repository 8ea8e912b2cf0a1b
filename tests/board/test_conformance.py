"""The conformance suite on boards: the emulation, and the firmware compiled for this computer."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from drivers.board import Board
from drivers.board.replies import Readings
from ffzero_lab.conformance import DeviceConformance, Interruption
from ffzero_lab.device import Device


class OnABoard(DeviceConformance):
    options: ClassVar[dict[str, Any]] = {}
    board: ClassVar[dict[str, Any]] = {}
    tolerance = 2.0 * 16.0 / 65_535
    """Two counts of the ideal twin's range."""

    @pytest.fixture(autouse=True)
    def _served(self, serve: Callable[..., Any]) -> None:
        self.served = serve(self.options, **self.board)

    def open_driver(self) -> Board:
        return self.served.open()

    @contextmanager
    def interrupting(self, driver: Device) -> Generator[None]:
        """A probe is one exchange: it is interrupted when its readings begin to come."""
        with pytest.MonkeyPatch.context() as patch:

            def interrupted(*_: Any) -> None:
                raise Interruption

            patch.setattr(Readings, "end", interrupted)
            yield


class TestEmulatedBoard(OnABoard):
    @pytest.fixture
    def kind(self) -> str:
        return "emulation"


@pytest.mark.slow
class TestFirmware(OnABoard):
    @pytest.fixture
    def kind(self) -> str:
        return "firmware"


@pytest.mark.slow
class TestBoardInACascadeWithLittleMemory(OnABoard):
    options: ClassVar = {"topology": "cascaded", "drive": "phase"}
    board: ClassVar = {"payload_max": 256, "readings_max": 64, "pattern_words": 80}

    @pytest.fixture
    def kind(self) -> str:
        return "emulation"  # the firmware's memory is fixed when it is compiled
