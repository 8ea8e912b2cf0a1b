"""A rack and a meter on a virtual clock: the emulated instruments without any wire, and racks that follow a script."""

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import pytest

from drivers.bench import BenchConfig
from drivers.bench.roles import LinkTable, Wiring
from drivers.emulator import FaultPlan, PowerMeterSpec, QontrolRackSpec
from drivers.emulator.apparatus import Apparatus
from drivers.emulator.instrument import Instrument
from drivers.emulator.of_bench import emulation_of
from drivers.emulator.power_meter import PowerMeter
from drivers.emulator.qontrol_rack import QontrolRack
from drivers.emulator.troubles import Troubles
from drivers.emulator.witness import Witness
from drivers.twin.photonic import PhotonicTwin
from ffzero_lab.device import VirtualClock

NUMBERS = count()
"""Every instrument has an address of its own."""
PORTS = 4
OPTIONS: dict[str, Any] = {"ports": PORTS, "layers": 1, "preset": "ideal", "drive": "volts", "kernel": "numpy"}


class Wireless:
    """A transport and its stream with an instrument right behind it; *trouble* may answer a message in its place.

    What *trouble* returns comes instead of the reply; None: the instrument obeys and answers.
    """

    def __init__(self, instrument: Instrument, clock: VirtualClock, *, closing_discards: bool = False) -> None:
        self.resource = f"fake::{next(NUMBERS)}"
        self.closing_discards = closing_discards
        self.instrument, self.clock = instrument, clock
        self.trouble: Callable[[bytes], bytes | None] = lambda message: None
        self.sent: list[bytes] = []
        self.opened = 0
        self._coming = b""
        self._buffer = b""

    def texts(self) -> list[str]:
        return [message.decode("latin-1").removesuffix("\n") for message in self.sent]

    def say(self, words: bytes) -> None:
        self._coming += words

    def once(self, begin: str, reply: bytes, times: int = 1) -> None:
        """Answer the next messages that begin so with *reply*."""
        left = [times]

        def trouble(message: bytes) -> bytes | None:
            if left[0] and message.startswith(begin.encode()):
                left[0] -= 1
                return reply
            return None

        self.trouble = trouble

    def restart(self, *, silently: bool = False) -> None:
        self.instrument.power_up()
        greeting = self.instrument.greeting()
        if not silently:
            self.say(greeting or b"")

    def open(self, wait_s: float) -> "Wireless":
        self.opened += 1
        if self.closing_discards:
            self._coming = b""
        return self

    def close(self) -> None:
        pass

    def send(self, message: bytes, wait_s: float) -> int:
        self._buffer += message
        while self._buffer and (end := self.instrument.message_end(self._buffer)) is not None:
            one, self._buffer = self._buffer[:end], self._buffer[end:]
            self.sent.append(one)
            reply = self.trouble(one)
            if reply is None:
                reply = self.instrument.answer(one.removesuffix(b"\n") if self.closing_discards else one)
            self._coming += reply
        return len(message)

    def receive(self, most: int, wait_s: float) -> bytes:
        if not self._coming:
            self.clock.sleep_s(wait_s)
            return b""
        chunk, self._coming = self._coming[:most], self._coming[most:]
        return chunk


class Table:
    """An emulated rack and a meter around an ideal mesh, without wires, on a virtual clock."""

    def __init__(self, content: dict[str, Any], clock: VirtualClock, seen: Witness) -> None:
        self.content, self.clock = content, clock
        spec = emulation_of(BenchConfig.model_validate(content))
        apparatus = Apparatus(PhotonicTwin.open(PhotonicTwin.Config(**OPTIONS)))
        self.ways: dict[str, Wireless] = {}
        for one in spec.instruments:
            troubles = Troubles(one.name, FaultPlan(), seen)
            if isinstance(one, QontrolRackSpec):
                self.rack = QontrolRack(one, apparatus, troubles, seen)
                self.line = self.ways[one.name] = Wireless(self.rack, clock)
                self.rack.power_up()
                self.rack.greeting()
            else:
                assert isinstance(one, PowerMeterSpec)
                meter = PowerMeter(one, apparatus, troubles)
                meter.power_up()
                self.ways[one.name] = Wireless(meter, clock, closing_discards=True)


def content(**channels: Any) -> dict[str, Any]:
    """A bench file: 16 heaters from channel 0, 4 inputs from channel 16, both on one rack; a power meter."""
    return {
        "bench": {"name": "four ports", "serial_number": "C4", "kind": "photonic"},
        "links": {
            "rack": {"port": "/dev/ttyUSB0", "deadline_s": 0.1, "pause_s": 0.001},
            "meter": {"resource": "TCPIP::nowhere::3::SOCKET", "identity": "Keysight Technologies,.*"},
        },
        "actuators": {
            "heaters": {
                "driver": "drivers.qontrol:QontrolActuators",
                "link": "rack",
                "channels": "0-15",
                "lower_v": 0.0,
                "upper_v": 2.0,
                "imax_ma": 10.0,
                "resolution_v": 2e-4,
                **channels,
            }
        },
        "inputs": {
            "modulators": {
                "driver": "drivers.qontrol:QontrolInputs",
                "link": "rack",
                "channels": "16-19",
                "lower_amplitude": 0.0,
                "upper_amplitude": 1.0,
                "volts_per_unit": 5.0,
                "imax_ma": 10.0,
            }
        },
        "detectors": {
            "meter": {
                "driver": "drivers.scpi:ScpiDetectors",
                "link": "meter",
                "channels": PORTS,
                "full_scale_w": 10.0,
                "read_list": ":READ:POWer:ALL?",
                "form": "f4",
            }
        },
        "layers": [
            {
                "one_sign": True,
                "inputs": {"instrument": "modulators", "channels": "16-19"},
                "outputs": {"instrument": "meter", "channels": "1-4"},
                "groups": [{"name": "phases", "instrument": "heaters", "channels": "0-15"}],
            }
        ],
        "emulation": {"twin": "twin:photonic", "options": OPTIONS, "instruments": {"meter": {"unit": "W"}}},
    }


@pytest.fixture
def file() -> Callable[..., dict[str, Any]]:
    """The content of the bench file; keywords are more keys of the heaters."""
    return content


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def lay(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Table]:
    """Lay out the instruments of a bench file's content; whoever opens its links reaches them."""

    def laid(given: dict[str, Any]) -> Table:
        table = Table(given, clock, Witness(None))
        monkeypatch.setattr("drivers.qontrol.finding.SerialTransport", lambda port, baud: table.line)
        monkeypatch.setattr("drivers.scpi.connection.VisaTransport", lambda resource, library: table.ways["meter"])
        return table

    return laid


class Scripted:
    """A transport and its stream that expects messages in order, and answers each as its row says."""

    closing_discards = False

    def __init__(self, rows: list[tuple[bytes, bytes]], clock: VirtualClock) -> None:
        self.resource = f"fake::{next(NUMBERS)}"
        self.rows, self.clock = rows, clock
        self._heard = self._coming = b""

    def open(self, wait_s: float) -> "Scripted":
        return self

    def close(self) -> None:
        pass

    def send(self, message: bytes, wait_s: float) -> int:
        self._heard += message
        while self.rows and self._heard.startswith(self.rows[0][0]):
            expected, reply = self.rows.pop(0)
            self._heard = self._heard[len(expected) :]
            self._coming += reply
        expected = self.rows[0][0] if self.rows else b"nothing"
        assert not self._heard or expected.startswith(self._heard), f"{self._heard!r} was sent, not {expected!r}"
        return len(message)

    def receive(self, most: int, wait_s: float) -> bytes:
        if not self._coming:
            self.clock.sleep_s(wait_s)
            return b""
        chunk, self._coming = self._coming[:most], self._coming[most:]
        return chunk


def opened(role: Any, clock: VirtualClock, link: dict[str, Any] | None = None, **more: Any) -> Any:
    """Open *role* on three channels of a rack; keywords are of its table or of its wiring."""
    wires: dict[str, Any] = {
        "name": "heaters",
        "channels": (8, 10),
        "all_channels": (8, 9, 10),
        "unit": "V",
        "lower": 0.0,
        "upper": 6.0,
        "park_s": 1.0,
    }
    keys = {key: value for key, value in more.items() if key in role.Config.model_fields}
    wires |= {key: value for key, value in more.items() if key not in keys}
    table = LinkTable("rack", {"port": "fake", "pause_s": 0.001, "deadline_s": 0.1, **(link or {})})
    config = role.Config.model_validate({"imax_ma": 10.0} | keys)
    return role.open(config, Wiring(**wires, link=table), clock)


@pytest.fixture
def open_role() -> Callable[..., Any]:
    return opened


@pytest.fixture
def script(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scripted]:
    """Expect these exchanges of whoever opens a rack: rows of message and reply."""

    def scripted(*rows: tuple[str | bytes, str | bytes]) -> Scripted:
        coded = [tuple(one.encode("latin-1") if isinstance(one, str) else one for one in row) for row in rows]
        made = Scripted([(message, reply) for message, reply in coded], clock)
        monkeypatch.setattr("drivers.qontrol.finding.SerialTransport", lambda port, baud: made)
        return made

    return scripted


@pytest.fixture
def rack(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> Wireless:
    """An emulated rack of two modules without a wire; its channels lead to heaters of a mesh."""
    spec = QontrolRackSpec(name="rack", modules=2)
    witness = Witness(None)
    apparatus = Apparatus(PhotonicTwin.open(PhotonicTwin.Config(**OPTIONS)))
    emulated = QontrolRack(spec, apparatus, Troubles("rack", FaultPlan(), witness), witness)
    emulated.power_up()
    emulated.greeting()
    made = Wireless(emulated, clock)
    monkeypatch.setattr("drivers.qontrol.finding.SerialTransport", lambda port, baud: made)
    return made


def volts(way: Wireless) -> np.ndarray:
    """What stands at the outputs."""
    assert isinstance(way.instrument, QontrolRack)
    return way.instrument._volts


@pytest.fixture
def outputs(rack: Wireless) -> Callable[[], np.ndarray]:
    """What stands at the outputs of the rack."""
    return lambda: volts(rack).copy()
