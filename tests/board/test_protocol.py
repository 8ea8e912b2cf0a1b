"""The document, request by request, over a pseudo-terminal: the emulation and the firmware answer alike."""

import os
import select
import time
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest

from drivers.board import requests
from drivers.board.frames import REPLY, Frame, Type, decoded, encoded
from drivers.board.messages import ARMED, Entry, ErrorCode, Hello, Limits, LogPart, Refusal, What

WATCHDOG_MS = 300
TRIES = 8
"""A computer that stands still for longer than a watchdog makes it act: what is soon is asked for several times."""
WAIT_S = 30.0
SILENCE_S = 0.06
"""Three gaps of the board."""


class Host:
    """Raw frames over a port."""

    def __init__(self, port: str) -> None:
        self._port = os.open(port, os.O_RDWR | os.O_NOCTTY)
        self._received = b""
        self._sequence = 100
        self.events: list[Entry] = []

    def send(self, content: bytes) -> None:
        os.write(self._port, content)

    def next(self) -> int:
        self._sequence += 1
        return self._sequence

    def frame(self, wait_s: float = WAIT_S) -> Frame | None:
        """The next frame, None when none comes; events are put aside."""
        until_s = time.monotonic() + wait_s
        while True:
            frame = decoded(self._received)
            if frame is not None:
                self._received = self._received[frame.size :]
                if frame.type != Type.EVENT:
                    return frame
                self.events.append(Entry.decoded(frame.payload))
                continue
            ready, _, _ = select.select([self._port], [], [], max(0.0, until_s - time.monotonic()))
            if not ready:
                return None
            self._received += os.read(self._port, 65_536)

    def event(self) -> Entry:
        """The next event, which nobody asked for."""
        while not self.events:
            self.frame(SILENCE_S)
        return self.events.pop(0)

    def heard_again(self) -> None:
        """Return when the board hears again: SILENCE_S after damage, or later where the computer has stood still."""
        while (answer := self.frame(SILENCE_S)) is None or answer.sequence != self._sequence:
            if answer is None:
                self.send(encoded(Type.HEARTBEAT, self.next()))

    def ask(self, kind: int, payload: bytes = b"", sequence: int | None = None) -> bytes | Refusal:
        sequence = self.next() if sequence is None else sequence
        self.send(encoded(kind, sequence, payload))
        frame = self.frame()
        assert frame is not None, "no answer"
        assert frame.sequence == sequence
        if frame.type == Type.ERROR:
            refusal = Refusal.decoded(frame.payload)
            assert refusal.request == kind
            return refusal
        assert frame.type == kind | REPLY
        return frame.payload

    def granted(self, kind: int, payload: bytes = b"", sequence: int | None = None) -> bytes:
        answer = self.ask(kind, payload, sequence)
        assert isinstance(answer, bytes), answer
        return answer

    def refused(self, kind: int, payload: bytes = b"", sequence: int | None = None) -> Refusal:
        answer = self.ask(kind, payload, sequence)
        assert isinstance(answer, Refusal), answer
        return answer

    def readings(self, kind: int, payload: bytes, count: int, sequence: int | None = None) -> np.ndarray:
        sequence = self.next() if sequence is None else sequence
        self.send(encoded(kind, sequence, payload))
        found = np.empty(0, dtype=np.uint16)
        while len(found) < count:
            frame = self.frame()
            assert frame is not None, "readings are missing"
            assert (frame.type, frame.sequence) == (kind | REPLY, sequence)
            assert int.from_bytes(frame.payload[:4], "little") == len(found)
            found = np.append(found, np.frombuffer(frame.payload[4:], dtype="<u2"))
        assert len(found) == count
        return found

    def hello(self, nonce: int = 1) -> Hello:
        return Hello.decoded(self.granted(Type.HELLO, requests.hello(nonce)))

    def setpoints(self, layer: int = 0) -> np.ndarray:
        return np.frombuffer(self.granted(Type.SETPOINTS, requests.setpoints(layer)), dtype="<u2")

    def log(self) -> list[Entry]:
        return list(LogPart.decoded(self.granted(Type.LOG, requests.log(0))).entries)

    def close(self) -> None:
        os.close(self._port)


@pytest.fixture
def board(serve: Callable[..., Any]) -> Any:
    return serve()


@pytest.fixture
def host(board: Any) -> Generator[Host]:
    host = Host(board.port)
    yield host
    host.close()


@pytest.fixture
def greeted(host: Host) -> Host:
    host.hello(nonce=77)
    return host


def settings(hello: Hello, count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 20_000, (count, hello.layers[0].parameters), dtype=np.uint16)


def staged(host: Host, count: int = 6) -> np.ndarray:
    patterns = np.random.default_rng(1).integers(0, 65_535, (count, 4), dtype=np.uint16)
    assert host.granted(Type.STAGE, requests.stage(0, 0, patterns, anew=True)) == b""
    return patterns


def test_before_hello_everything_but_parking_and_the_log_is_refused(host: Host) -> None:
    for kind in (Type.HEARTBEAT, Type.WRITE, Type.READ, Type.PROBE, Type.STAGE, Type.SETPOINTS, Type.HEALTH):
        assert (
            host.refused(kind, b"" if kind in (Type.HEARTBEAT, Type.HEALTH) else b"\0\0").code == ErrorCode.NOT_GREETED
        )
    assert host.granted(Type.PARK) == b""
    assert host.log()[0].what == What.BOOT
    hello = host.hello(nonce=5)
    assert (hello.nonce, hello.first_nonce, hello.serial_number) == (5, 5, "BRD-1")
    assert host.hello(nonce=6).first_nonce == 5
    assert host.granted(Type.HEARTBEAT) == b""


def test_another_version_is_told_which_one_is_spoken(host: Host) -> None:
    refusal = host.refused(Type.HELLO, requests.hello(1, version=9))
    assert (refusal.code, refusal.given, refusal.lowest, refusal.highest) == (ErrorCode.VERSION, 9, 1, 1)
    assert host.refused(Type.HEARTBEAT).code == ErrorCode.NOT_GREETED


def test_setpoints_are_those_written_and_safe_at_first_and_after_parking(greeted: Host) -> None:
    limits = Limits.decoded(greeted.granted(Type.LIMITS, requests.limits(0, 0, 16)))
    assert (greeted.setpoints() == limits.safe).all()
    (codes,) = settings(greeted.hello(), 1)
    assert greeted.granted(Type.WRITE, requests.write(0, codes)) == b""
    assert (greeted.setpoints() == codes).all()
    assert (greeted.setpoints(1) == limits.safe).all()
    assert greeted.hello().flags & ARMED
    assert greeted.granted(Type.PARK) == b""
    assert (greeted.setpoints() == limits.safe).all()
    assert not greeted.hello().flags & ARMED


def test_a_probe_gives_what_writing_and_reading_gives_and_stays_at_the_last(greeted: Host) -> None:
    staged(greeted)
    codes, rows = settings(greeted.hello(), 3), np.array([4, 0, 0, 5])
    probed = greeted.readings(Type.PROBE, requests.probe(0, codes, rows), 3 * 4 * 4)
    assert (greeted.setpoints() == codes[-1]).all()
    looped = []
    for setting in codes:
        greeted.granted(Type.WRITE, requests.write(0, setting))
        looped.append(greeted.readings(Type.READ, requests.read(0, rows), 4 * 4))
    assert (probed == np.concatenate(looped)).all()
    assert len(np.unique(probed)) > 8


def test_readings_of_many_frames_come_without_a_gap(greeted: Host) -> None:
    staged(greeted)
    codes, rows = settings(greeted.hello(), 5), np.arange(300) % 6
    probed = greeted.readings(Type.PROBE, requests.probe(0, codes, rows), 5 * 300 * 4).reshape(5, 300, 4)
    assert (probed[:, :6] == probed[:, 294:]).all()


def test_a_reading_without_rows_is_of_everything_as_it_stands(greeted: Host) -> None:
    nothing = requests.read(0, np.array([], dtype=int))
    dark = greeted.readings(Type.READ, nothing, 4)
    assert not greeted.hello().flags & ARMED
    staged(greeted)
    (codes,) = settings(greeted.hello(), 1)
    probed = greeted.readings(Type.PROBE, requests.probe(0, codes[np.newaxis], np.array([3, 1])), 8)
    assert (greeted.readings(Type.READ, nothing, 4) == probed[4:]).all()
    greeted.granted(Type.PARK)
    assert (greeted.readings(Type.READ, nothing, 4) == dark).all()
    assert (probed[4:] != dark).any()


def test_the_same_request_is_answered_again_without_acting_twice(greeted: Host) -> None:
    staged(greeted)
    one, other = settings(greeted.hello(), 2)
    number = greeted.next()
    first = greeted.readings(Type.PROBE, requests.probe(0, one[np.newaxis], np.arange(6)), 24, number)
    n_entries = len(greeted.log())
    again = greeted.readings(Type.PROBE, requests.probe(0, one[np.newaxis], np.arange(6)), 24, number)
    assert (first == again).all()
    assert len(greeted.log()) == n_entries
    refusal = greeted.refused(Type.WRITE, requests.write(0, other), number)
    assert (refusal.code, refusal.given) == (ErrorCode.SEQUENCE, number)
    assert (greeted.setpoints() == one).all()
    number = greeted.next()
    greeted.granted(Type.WRITE, requests.write(0, other), number)
    greeted.hello()
    greeted.granted(Type.WRITE, requests.write(0, other), number)


@pytest.mark.parametrize("place", [0, 7, 15])
def test_codes_out_of_limits_are_refused_and_nothing_moves(serve: Callable[..., Any], place: int) -> None:
    # driven in phase, 4π of 8π: the converter reaches further than the limits of θ and φ
    host = Host(serve({"drive": "volts", "heaters": {"budget_w": 0.05}}).port)
    try:
        hello = host.hello()
        n_parameters = hello.layers[0].parameters
        before = np.full(n_parameters, 1_000, dtype=np.uint16)
        host.granted(Type.WRITE, requests.write(0, before))
        staged(host)
        hot = before.copy()
        hot[:] = 65_535
        refusal = host.refused(Type.WRITE, requests.write(0, hot))
        assert refusal.code == ErrorCode.POWER
        assert refusal.given > refusal.highest > 0
        both = np.stack([before, hot])
        assert host.refused(Type.PROBE, requests.probe(0, both, np.array([place % 6]))).setting == 1
        assert (host.setpoints() == before).all()
    finally:
        host.close()


def test_what_does_not_fit_is_refused_by_name(greeted: Host) -> None:
    hello = greeted.hello()
    own, (codes,) = hello.layers[0], settings(hello, 1)
    staged(greeted)
    many = np.zeros(hello.readings_max // own.outputs // 4, dtype=int)
    wrong: list[tuple[Type, bytes, ErrorCode]] = [
        (Type.WRITE, requests.write(0, codes[:-1]), ErrorCode.BAD_LENGTH),
        (Type.WRITE, requests.write(0, codes) + b"\0", ErrorCode.BAD_LENGTH),
        (Type.WRITE, requests.write(2, codes), ErrorCode.NO_LAYER),
        (Type.WRITE, b"\0", ErrorCode.BAD_LENGTH),
        (Type.READ, requests.read(0, np.array([6])), ErrorCode.NOT_STAGED),
        (Type.READ, requests.read(1, np.array([0])), ErrorCode.NOT_STAGED),
        (Type.READ, requests.read(0, np.array([0])) + b"\0", ErrorCode.BAD_LENGTH),
        (Type.PROBE, requests.probe(0, settings(hello, 5), many), ErrorCode.TOO_MANY),
        (Type.PROBE, requests.probe(0, codes[np.newaxis][:0], np.array([0])), ErrorCode.BAD_LENGTH),
        (Type.PROBE, requests.probe(0, codes[np.newaxis], np.array([], dtype=int)), ErrorCode.BAD_LENGTH),
        (Type.PROBE, requests.probe(0, codes[np.newaxis], np.array([9])), ErrorCode.NOT_STAGED),
        (Type.STAGE, requests.stage(0, 9, np.zeros((1, 4), dtype=int), anew=False), ErrorCode.NOT_STAGED),
        (Type.STAGE, requests.stage(0, 0, np.zeros((1, 3), dtype=int), anew=False), ErrorCode.BAD_LENGTH),
        (Type.STAGE, requests.stage(9, 0, np.zeros((1, 4), dtype=int), anew=False), ErrorCode.NO_LAYER),
        (Type.LIMITS, requests.limits(0, 10, 10), ErrorCode.TOO_MANY),
        (Type.LIMITS, requests.limits(5, 0, 1), ErrorCode.NO_LAYER),
        (Type.SETPOINTS, requests.setpoints(5), ErrorCode.NO_LAYER),
        (Type.PARK, b"x", ErrorCode.BAD_LENGTH),
        (Type.HEALTH, b"x", ErrorCode.BAD_LENGTH),
        (Type.HELLO, b"x", ErrorCode.BAD_LENGTH),
        (Type.LOG, b"", ErrorCode.BAD_LENGTH),
    ]
    for kind, payload, code in wrong:
        assert greeted.refused(kind, payload).code == code, (kind, payload)
    assert greeted.refused(0x33).code == ErrorCode.UNKNOWN
    assert (greeted.setpoints() == 0).all()
    assert not greeted.hello().flags & ARMED


def test_health_is_in_thousandths(greeted: Host) -> None:
    values = np.frombuffer(greeted.granted(Type.HEALTH), dtype="<i4")
    assert values.tolist() == [0, 0, 1000]  # W of two chips, the laser's relative power


def test_damage_is_never_obeyed_and_heard_again_only_after_silence(greeted: Host) -> None:
    one, other = settings(greeted.hello(), 2)
    greeted.granted(Type.WRITE, requests.write(0, one))
    good = encoded(Type.WRITE, greeted.next(), requests.write(0, other))
    flipped = bytearray(good)
    flipped[20] ^= 4
    greeted.send(bytes(flipped) + good)
    frame = greeted.frame()
    assert frame is not None
    assert Refusal.decoded(frame.payload).code == ErrorCode.BAD_CHECK
    assert greeted.frame(SILENCE_S) is None, "what stood right behind the damage was heard"
    greeted.heard_again()
    for damaged in (b"\0" + good, b"\xa5\xa5" + good, good[:7] + b"\0" + good[8:] + good, good[:-3], b"AT\r\n" + good):
        greeted.send(damaged)
        assert greeted.frame(SILENCE_S) is None
        greeted.heard_again()
        assert (greeted.setpoints() == one).all()
    assert greeted.hello().damaged == 6


def test_a_frame_longer_than_the_memory_is_refused(greeted: Host) -> None:
    hello = greeted.hello()
    greeted.send(encoded(Type.STAGE, 9, bytes(hello.payload_max + 1)))
    frame = greeted.frame()
    assert frame is not None
    refusal = Refusal.decoded(frame.payload)
    assert (refusal.code, refusal.given, refusal.highest) == (
        ErrorCode.TOO_LONG,
        hello.payload_max + 1,
        hello.payload_max,
    )
    assert greeted.frame(3 * SILENCE_S) is None  # the rest of it takes its time on the line
    greeted.heard_again()
    assert greeted.granted(Type.HEARTBEAT) == b""


def test_a_frame_may_come_byte_by_byte(greeted: Host) -> None:
    for _ in range(TRIES):  # a computer that stands still for a gap breaks the frame
        for byte in encoded(Type.HEARTBEAT, 7):
            greeted.send(bytes([byte]))
            time.sleep(0.002)
        answer = greeted.frame(1.0)
        if answer is not None and answer.sequence == 7:
            break
        greeted.heard_again()
    else:
        pytest.fail("it was never heard")


def test_a_frame_may_not_come_with_a_gap(greeted: Host) -> None:
    frame = encoded(Type.HEARTBEAT, 7)
    for _ in range(TRIES):  # a board that stands still meanwhile sees no gap
        greeted.send(frame[:5])
        time.sleep(SILENCE_S)
        greeted.send(frame[5:])
        if greeted.frame(SILENCE_S) is None:
            break
    else:
        pytest.fail("it was heard every time")
    greeted.heard_again()


def test_parking_ends_readings(greeted: Host) -> None:
    staged(greeted)
    codes, rows = settings(greeted.hello(), 8), np.zeros(400, dtype=int)
    greeted.send(encoded(Type.PROBE, 500, requests.probe(0, codes, rows)))
    greeted.send(encoded(Type.PARK, 501))
    while (frame := greeted.frame()) is not None and frame.sequence == 500:
        pass
    assert frame is not None
    assert (frame.type, frame.sequence) == (Type.PARK | REPLY, 501)
    assert greeted.frame(SILENCE_S) is None
    assert (greeted.setpoints() == 0).all()


def watched(host: Host) -> Entry | None:
    """Energise the board, feed its watchdog for a while, then say nothing.

    Returns what it told of parking itself; None when it did so before, because the computer stood still.
    """
    (codes,) = settings(host.hello(), 1)
    host.granted(Type.WRITE, requests.write(0, codes))
    for _ in range(4):
        time.sleep(0.4e-3 * WATCHDOG_MS)
        if isinstance(host.ask(Type.HEARTBEAT), Refusal):
            host.event()
            return None
    stood = host.ask(Type.SETPOINTS, requests.setpoints(0))
    parked = host.event()
    if isinstance(stood, Refusal):
        return None
    assert stood == codes.astype("<u2").tobytes()
    return parked


def test_the_watchdog_parks_an_armed_board_in_time_and_says_so(serve: Callable[..., Any]) -> None:
    host = Host(serve(watchdog_ms=WATCHDOG_MS).port)
    try:
        host.hello()
        staged(host)
        host.granted(Type.PARK)
        time.sleep(1.5e-3 * WATCHDOG_MS)
        assert host.granted(Type.HEARTBEAT) == b"", "it parked though nothing was energised"
        host.events.clear()
        silent_ms: list[int] = []
        parks = 0
        while not silent_ms or silent_ms[-1] > WATCHDOG_MS:
            assert parks < TRIES, f"parked after {silent_ms} ms of silence"
            parked = watched(host)
            parks += 1
            if parked is not None:
                assert parked.what == What.WATCHDOG_PARKED
                assert parked.value > 0.5 * WATCHDOG_MS
                silent_ms.append(parked.value)
        assert host.refused(Type.HEARTBEAT).code == ErrorCode.WATCHDOG
        assert host.hello().watchdog_parks == parks
        assert (host.setpoints() == 0).all()
        kept = [entry.what for entry in host.log()]
        assert kept.count(What.WATCHDOG_PARKED) == parks
        assert len(host.readings(Type.READ, requests.read(0, np.arange(6)), 24)) == 24, "patterns survive"
    finally:
        host.close()


def test_a_board_that_has_parked_itself_refuses_to_be_written_to(serve: Callable[..., Any]) -> None:
    host = Host(serve(watchdog_ms=WATCHDOG_MS).port)
    try:
        (codes,) = settings(host.hello(), 1)
        host.events.clear()
        host.ask(Type.WRITE, requests.write(0, codes))
        assert host.event().what == What.WATCHDOG_PARKED
        assert host.refused(Type.WRITE, requests.write(0, codes)).code == ErrorCode.WATCHDOG
        assert host.refused(Type.HEARTBEAT).code == ErrorCode.WATCHDOG
    finally:
        host.close()


def test_after_a_power_cut_everything_is_lost_and_the_first_nonce_is_another(board: Any, greeted: Host) -> None:
    staged(greeted)
    (codes,) = settings(greeted.hello(), 1)
    greeted.granted(Type.WRITE, requests.write(0, codes))
    greeted.events.clear()
    board.power_cut()
    assert greeted.event().what == What.BOOT
    assert greeted.frame(SILENCE_S) is None
    assert greeted.events == []
    assert greeted.refused(Type.SETPOINTS, requests.setpoints(0)).code == ErrorCode.NOT_GREETED
    assert greeted.hello(nonce=78).first_nonce == 78
    assert (greeted.setpoints() == 0).all()
    assert greeted.refused(Type.READ, requests.read(0, np.arange(2))).code == ErrorCode.NOT_STAGED


def test_the_log_is_read_from_any_entry_on(greeted: Host) -> None:
    for _ in range(70):
        greeted.hello()
    entries = greeted.log()
    assert len(entries) == 64
    part = LogPart.decoded(greeted.granted(Type.LOG, requests.log(entries[-1].number)))
    assert part.entries == (entries[-1],)
    assert part.next == entries[-1].number + 1
    assert [entry.number for entry in entries] == list(range(part.next - 64, part.next))
