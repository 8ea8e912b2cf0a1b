"""A serial line: the time that bytes take, messages cut out of them, ports that vanish, restarts."""

import os
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from threading import RLock
from time import monotonic, sleep
from typing import ClassVar

import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st

from drivers.emulator import Fault, FaultPlan
from drivers.emulator.instrument import Instrument
from drivers.emulator.line import SerialLine
from drivers.emulator.station import Station
from drivers.emulator.troubles import Troubles
from drivers.emulator.wire_time import LEAD_S, Way
from drivers.emulator.witness import Witness

BAUD = 19_200
BYTE_S = 10 / BAUD
LATE_S = 0.5
WAIT_S = 60.0
Within = Callable[[float, Callable[[], float]], None]


class Echo(Instrument):
    """Says what it was told, a line or, after a byte 0x80, four bytes; notes when."""

    gap_s: ClassVar[float | None] = 0.02
    longest: ClassVar[int] = 100

    def __init__(self) -> None:
        self.heard: list[tuple[float, bytes]] = []
        self.restarts = 0
        self.words: bytes | None = b"up\n"

    def message_end(self, received: bytes) -> int | None:
        if received[0] == 0x80:
            return 4 if len(received) >= 4 else None
        return super().message_end(received)

    def answer(self, message: bytes) -> bytes:
        self.heard.append((monotonic(), message))
        return b"" if message == b"quiet\n" else message

    def overrun(self) -> bytes:
        return b"too long\n"

    def broken_off(self, received: bytes) -> bytes:
        return b"what of %d bytes?\n" % len(received)

    def undelivered(self) -> None:
        pass

    def power_up(self) -> None:
        self.restarts += 1

    def greeting(self) -> bytes | None:
        return self.words


class Patient(Echo):
    gap_s: ClassVar[float | None] = WAIT_S


class Heart(Echo):
    tick_s: ClassVar[float | None] = 0.005

    def tick(self) -> bytes:
        self.heard.append((monotonic(), b"tick"))
        return b"beat\n" if len(self.heard) == 3 else b""


class Bench:
    def __init__(self, instrument: Echo, path: Path, faults: tuple[Fault, ...], stack: ExitStack, baud: int) -> None:
        self.instrument, self.path, self._stack, self._baud = instrument, path, stack, baud
        station = Station(instrument, Troubles("echo", FaultPlan(faults=faults), Witness(None)), RLock())
        self.line = SerialLine(station, path, baud)
        stack.callback(self.line.close)

    def port(self) -> serial.Serial:
        port = serial.Serial(str(self.path), self._baud, timeout=WAIT_S)
        self._stack.callback(port.close)
        return port


@pytest.fixture
def start(tmp_path: Path) -> Generator[Callable[..., Bench]]:
    with ExitStack() as stack:
        yield lambda *faults, instrument=None, baud=BAUD: Bench(
            instrument or Echo(), tmp_path / "port", faults, stack, baud
        )


def fault(kind: str, exchange: int = 1, **more: float) -> Fault:
    return Fault.model_validate({"instrument": "echo", "kind": kind, "exchange": exchange, **more})


def test_a_message_takes_its_time_on_the_wire_and_so_does_its_reply(start: Callable[..., Bench], within: Within):
    bench = start()
    port = bench.port()
    message = b"x" * 59 + b"\n"

    def late_s() -> float:
        bench.instrument.heard.clear()
        began_s = monotonic()
        port.write(message)
        assert port.readline() == message
        there_and_back_s = monotonic() - began_s - 120 * BYTE_S
        there_s = bench.instrument.heard[0][0] - began_s - 60 * BYTE_S
        assert there_s >= -LEAD_S
        assert there_and_back_s >= 0.0
        return max(there_s, there_and_back_s)

    within(LATE_S, late_s)


def test_times_are_planned_from_the_last_so_that_delays_do_not_add_up(start: Callable[..., Bench], within: Within):
    bench = start()
    port = bench.port()
    heard = bench.instrument.heard

    def added_up_s() -> float:
        heard.clear()
        began_s = monotonic()
        port.write(b"quiet\n" * 60)
        while len(heard) < 60:
            sleep(0.01)
        late_s = [when_s - began_s - 6 * (n + 1) * BYTE_S for n, (when_s, _) in enumerate(heard)]
        assert min(late_s) >= -LEAD_S
        return min(late_s[30:]) - min(late_s[:30])

    within(0.0015, added_up_s)  # were they to add up, 50 µs a message


def test_both_directions_are_used_at_once(start: Callable[..., Bench], within: Within):
    bench = start()
    port = bench.port()
    message = b"x" * 29 + b"\n"

    def taken_s() -> float:
        began_s = monotonic()
        port.write(message * 6)
        assert port.read(180) == message * 6
        taken_s = monotonic() - began_s
        assert taken_s >= 210 * BYTE_S
        return taken_s

    within(280 * BYTE_S, taken_s)  # one after the other it would be 360


@pytest.mark.parametrize("baud", [115_200, 2_000_000])
@pytest.mark.parametrize("messages", [[2], [23] * 8, [71, 3, 40], [99]])
def test_no_reply_is_there_before_all_bytes_had_their_time(start: Callable[..., Bench], baud: int, messages: list[int]):
    """The last reply cannot begin before the last message is through, nor before the replies in front of it."""
    port = start(baud=baud).port()
    said = b"".join(b"x" * (length - 1) + b"\n" for length in messages)
    through = free = 0
    for length in messages:
        through += length
        free = max(through, free) + length
    for _ in range(5):
        began_s = monotonic()
        port.write(said)
        assert port.read(len(said)) == said
        assert monotonic() - began_s >= free * 10 / baud


def test_bytes_go_behind_those_that_are_on_their_way():
    way = Way(0.25)
    assert [way.send(1.0, 4), way.send(1.5, 2), way.send(4.0, 1)] == [1.0, 2.0, 4.0]
    assert way.send(4.0, 4, pause_s=0.5) == 4.75
    assert way.send(0.0, 1) == 5.75


@given(st.floats(1e-6, 1e-2), st.lists(st.integers(1, 500), min_size=1, max_size=20), st.floats(0.0, 10.0))
def test_an_instrument_begins_with_no_message_before_its_first_byte_comes_nor_before_the_last_one(byte_s, sizes, now_s):
    way = Way(byte_s)
    begin_s = way.send(now_s, sum(sizes))
    begun_s = before_s = begin_s
    for size in sizes:
        begin_s += size * byte_s
        last_s, begun_s = begun_s, way.begun_s(begin_s, size)
        assert begun_s >= max(before_s, last_s) - 1e-9
        assert begin_s - LEAD_S - 1e-12 <= begun_s < begin_s
        before_s = begin_s


def test_bytes_are_cut_into_messages_wherever_they_were_cut_on_the_way(start: Callable[..., Bench]):
    bench = start(instrument=Patient())
    port = bench.port()
    for piece in (b"he", b"llo\nyo", b"u\n", b"\x80\n\n", b"\n", b"end\n"):
        port.write(piece)
        sleep(0.002)
    assert port.read(18) == b"hello\nyou\n\x80\n\n\nend\n"
    assert [message for _, message in bench.instrument.heard] == [b"hello\n", b"you\n", b"\x80\n\n\n", b"end\n"]


def test_a_message_that_breaks_off_or_is_too_long_is_told_to_the_instrument(start: Callable[..., Bench]):
    bench = start()
    port = bench.port()
    port.write(b"half")
    assert port.readline() == b"what of 4 bytes?\n"
    port.write(b"x" * 200)
    assert port.readline() == b"too long\n"
    port.write(b"whole\n")
    assert port.readline() == b"whole\n"


def test_a_late_reply_comes_late_and_a_half_one_by_half(start: Callable[..., Bench]):
    port = start(fault("delay", delay_s=0.1), fault("half-line", 2)).port()
    began_s = monotonic()
    port.write(b"one\n")
    assert port.readline() == b"one\n"
    assert monotonic() - began_s >= 0.1 + 8 * BYTE_S
    port.write(b"two two\n")
    assert port.read(4) == b"two "
    port.timeout = 0.05
    assert port.read(1) == b""


def test_a_port_that_is_pulled_out_breaks_and_comes_back_at_its_path(
    start: Callable[..., Bench], until: Callable[..., None]
):
    bench = start(fault("close"))
    port = bench.port()
    port.write(b"one\n")
    with pytest.raises(serial.SerialException):
        port.readline()
    until(bench.path.exists)
    port = bench.port()
    port.write(b"two\n")
    assert port.readline() == b"two\n"
    assert bench.instrument.restarts == 0


def test_a_restart_loses_what_is_on_its_way_and_greets(start: Callable[..., Bench]):
    bench = start(fault("reboot", 2))
    port = bench.port()
    port.write(b"one\ntwo\nthree\n")
    assert port.readline().endswith(b"up\n")
    assert bench.instrument.restarts == 1
    port.timeout = 0.05
    assert port.readline() == b""
    port.timeout = WAIT_S
    port.write(b"four\n")
    assert port.readline() == b"four\n"


def test_an_instrument_without_a_greeting_vanishes_when_it_restarts(start: Callable[..., Bench]):
    bench = start(fault("reboot"))
    bench.instrument.words = None
    port = bench.port()
    port.write(b"one\n")
    with pytest.raises(serial.SerialException):
        port.readline()
    assert bench.instrument.restarts == 1


def test_an_instrument_can_act_and_speak_by_itself(start: Callable[..., Bench]):
    bench = start(instrument=Heart())
    assert bench.port().readline() == b"beat\n"
    assert [what for _, what in bench.instrument.heard[:2]] == [b"tick", b"tick"]


def test_a_path_that_is_taken_is_refused_and_one_left_over_is_not(start: Callable[..., Bench], tmp_path: Path):
    (tmp_path / "port").symlink_to(tmp_path / "gone")
    bench = start()
    with pytest.raises(OSError, match="exists already"):
        start()
    bench.line.close()
    assert not os.path.lexists(tmp_path / "port")
    assert not [thread for thread in threading.enumerate() if thread.name == "line port"]
