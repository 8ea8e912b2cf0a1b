"""An emulated board: the protocol of docs/reference/board-protocol.md in Python, beside the firmware in C++."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from drivers.board.frames import (
    HEADER,
    PROTOCOL_VERSION,
    REPLY,
    Damaged,
    DamagedPayload,
    Type,
    decoded,
    encoded,
    frame_end,
)
from drivers.board.messages import ARMED, Codes, Entry, ErrorCode, Hello, Refusal, What
from drivers.emulator.board_patterns import PatternMemory
from drivers.emulator.board_plant import BoardPlant
from drivers.emulator.board_refusals import Refused, need, words
from drivers.emulator.instrument import Instrument
from drivers.emulator.troubles import Troubles
from ffzero_lab.device import DeviceError

FIRMWARE = 0x0100
LOG_DEPTH = 64
READINGS_PER_FRAME = 256
ACTS_AFTER = 0.875
"""Share of the watchdog's time after which it acts: looking at the clock and parking take time as well."""
BITS_PER_BYTE = 10


@dataclass(frozen=True)
class _Acted:
    """The last request that acted, and its readings."""

    content: bytes
    sequence: int
    readings: Codes | None


class EmulatedBoard(Instrument):
    """One board, answering whole frames; *byte_s* is the time of a byte on its line.

    Everything that it does is done at once and takes no time; its readings leave when all have been measured.
    """

    tick_s: ClassVar[float | None] = 5e-3

    def __init__(
        self, plant: BoardPlant, troubles: Troubles, byte_s: float = 0.0, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._plant = plant
        self._troubles = troubles
        self._byte_s = byte_s
        self._now_s = now_s
        self._hello = plant.hello
        self._gap_s = 1e-3 * plant.hello.gap_ms
        self.gap_s = self._gap_s  # type: ignore[misc] - every board has its own
        self.power_up()

    def power_up(self) -> None:
        """Park, and know nothing any more."""
        self._began_s = self._fed_s = self._now_s()
        self._deaf_until_s = 0.0
        self._told = False
        """Whether the damage that is lying there was counted."""
        self._damaged = 0
        self._patterns = PatternMemory(self._hello)
        self._entries: list[Entry] = []
        self._n_entries = 0
        self._acted: _Acted | None = None
        self._why_not: ErrorCode | None = ErrorCode.NOT_GREETED
        self._first_nonce: int | None = None
        self._watchdog_parks = 0
        self._armed = True
        self._greeting = self._event(self._park(What.BOOT, FIRMWARE))

    def greeting(self) -> bytes | None:
        """Say that it is there."""
        return self._greeting

    def message_end(self, received: bytes) -> int | None:
        """Return where the frame ends; damage is left lying until the line has been silent, with all behind it."""
        if self._now_s() < self._deaf_until_s:
            return None
        self._told = False
        end: int | None = None
        try:
            end = frame_end(received)
            if end is not None and HEADER.unpack_from(received)[3] > self._hello.payload_max:
                end = HEADER.size
                raise DamagedPayload("longer than the memory")
            return None if decoded(received) is None else end
        except DamagedPayload:
            self._turn_deaf(len(received))
            return end
        except Damaged:
            return None

    def answer(self, message: bytes) -> bytes:
        """Obey one frame as `message_end` has cut it; of what is damaged, only the header is there or good."""
        _, kind, sequence, length, _ = HEADER.unpack_from(message)
        wrong = ErrorCode.TOO_LONG if length > self._hello.payload_max else ErrorCode.BAD_CHECK
        try:
            frame = decoded(message)
        except Damaged:
            frame = None
        if frame is None:
            return _error(sequence, Refusal(wrong, kind, given=length, highest=self._hello.payload_max))
        self._fed_s = self._now_s()
        try:
            reply = self._carried_out(frame.type, frame.sequence, frame.payload, message)
        except Refused as refused:
            refusal = replace(refused.refusal, request=frame.type)
            self._note(What.REFUSED, refusal.layer, refusal.place, refusal.code)
            reply = _error(frame.sequence, refusal)
        self._fed_s = self._now_s() + len(reply) * self._byte_s
        return reply

    def broken_off(self, received: bytes) -> bytes:
        """Drop a frame that has stopped, or what lay behind damage."""
        del received
        self._damaged += not self._told
        return b""

    def overrun(self) -> bytes:
        """Drop what is longer than any frame."""
        self._turn_deaf(0)
        return b""

    def undelivered(self) -> None:
        """Nobody reads; nothing depends on it."""

    def tick(self) -> bytes:
        """Park when nobody has spoken for the time of the watchdog."""
        if not self._armed or self._now_s() - self._fed_s < 1e-3 * ACTS_AFTER * self._hello.watchdog_ms:
            return b""
        self._watchdog_parks += 1
        self._why_not = ErrorCode.WATCHDOG
        return self._event(self._park(What.WATCHDOG_PARKED, 0))

    def _turn_deaf(self, n_bytes: int) -> None:
        """Hear nothing until the line has been silent; *n_bytes* are still on it."""
        self._damaged += 1
        self._told = True
        self._deaf_until_s = self._now_s() + n_bytes * self._byte_s + self._gap_s

    def _carried_out(self, kind: int, sequence: int, payload: bytes, message: bytes) -> bytes:
        match kind:
            case Type.HELLO:
                return encoded(kind | REPLY, sequence, self._greeted(payload).encoded())
            case Type.LOG:
                return encoded(kind | REPLY, sequence, self._log_from(payload))
            case Type.PARK:
                need(payload, 0)
                self._park(What.PARKED, 0)
                return encoded(kind | REPLY, sequence)
            case _:
                pass
        if self._why_not is not None:
            raise Refused(self._why_not)
        match kind:
            case Type.HEARTBEAT:
                need(payload, 0)
                return encoded(kind | REPLY, sequence)
            case Type.LIMITS:
                return encoded(kind | REPLY, sequence, self._limits(payload))
            case Type.SETPOINTS:
                need(payload, 2)
                return encoded(kind | REPLY, sequence, self._standing[self._layer(payload)].astype("<u2").tobytes())
            case Type.HEALTH:
                need(payload, 0)
                values = np.array(self._plant.health(), dtype="<i4")
                return encoded(kind | REPLY, sequence, values.tobytes())
            case Type.STAGE | Type.WRITE | Type.READ | Type.PROBE:
                return self._act(kind, sequence, payload, message)
            case _:
                raise Refused(ErrorCode.UNKNOWN, given=kind)

    def _act(self, kind: int, sequence: int, payload: bytes, message: bytes) -> bytes:
        """Act, or answer once more what was done already."""
        if self._acted is not None and self._acted.sequence == sequence:
            if self._acted.content != message:
                raise Refused(ErrorCode.SEQUENCE, given=sequence)
            return self._granted(kind, sequence, self._acted.readings)
        match kind:
            case Type.STAGE:
                need(payload, 4, at_least=True)
                readings = self._patterns.stage(self._layer(payload), payload)
            case Type.WRITE:
                readings = self._write(payload)
            case Type.READ:
                readings = self._read(payload)
            case _:
                readings = self._probe(payload)
        self._acted = _Acted(message, sequence, readings)
        return self._granted(kind, sequence, readings)

    def _granted(self, kind: int, sequence: int, readings: Codes | None) -> bytes:
        if readings is None:
            return encoded(kind | REPLY, sequence)
        for fault in self._troubles.strikes("wrong-count")[:1]:  # two could make up for each other
            readings = readings[:-1] if fault.surplus < 0 else np.append(readings, readings[-1:])
        content = readings.astype("<u2")
        return b"".join(
            encoded(kind | REPLY, sequence, first.to_bytes(4, "little") + content[first : first + step].tobytes())
            for step in (READINGS_PER_FRAME,)
            for first in range(0, len(content), step)
        )

    def _greeted(self, payload: bytes) -> Hello:
        need(payload, 8)
        version, nonce = int.from_bytes(payload[:2], "little"), int.from_bytes(payload[4:], "little")
        if version != PROTOCOL_VERSION:
            raise Refused(ErrorCode.VERSION, given=version, lowest=PROTOCOL_VERSION, highest=PROTOCOL_VERSION)
        self._first_nonce = nonce if self._first_nonce is None else self._first_nonce
        self._why_not = None
        self._note(What.GREETED, value=nonce & 0xFFFF)
        return replace(
            self._hello,
            nonce=nonce,
            first_nonce=self._first_nonce,
            firmware=FIRMWARE,
            flags=self._hello.flags | (ARMED if self._armed else 0),
            watchdog_parks=self._watchdog_parks,
            damaged=self._damaged,
        )

    def _limits(self, payload: bytes) -> bytes:
        need(payload, 6)
        layer = self._layer(payload)
        first, count = (int.from_bytes(payload[at : at + 2], "little") for at in (2, 4))
        most = self._hello.payload_max // 6
        if not 0 < count <= most or first + count > self._hello.layers[layer].parameters:
            raise Refused(ErrorCode.TOO_MANY, layer=layer, place=first, given=count, lowest=1, highest=most)
        return self._plant.limits[layer].encoded(first, count)

    def _write(self, payload: bytes) -> None:
        need(payload, 2, at_least=True)
        layer = self._layer(payload)
        need(payload, 2 + 2 * self._hello.layers[layer].parameters)
        codes = words(payload[2:])
        self._check_setting(layer, 0, codes)
        self._arm(layer)
        self._drive(layer, codes)

    def _read(self, payload: bytes) -> Codes:
        need(payload, 2, at_least=True)
        layer = self._layer(payload)
        if len(payload) % 2:
            raise Refused(ErrorCode.BAD_LENGTH, given=len(payload), lowest=4, highest=4)
        if len(payload) == 2:
            return self._found(lambda: self._plant.read(layer))
        rows = words(payload[2:])
        self._check_count(layer, len(rows) * self._hello.layers[layer].outputs)
        patterns = self._patterns.rows(layer, rows)
        self._arm(layer)
        return self._measured(layer, patterns)

    def _probe(self, payload: bytes) -> Codes:
        need(payload, 2, at_least=True)
        layer = self._layer(payload)
        need(payload, 4, at_least=True)
        own, n_settings = self._hello.layers[layer], int.from_bytes(payload[2:4], "little")
        before = 4 + 2 * own.parameters * n_settings
        if n_settings == 0 or len(payload) < before + 2 or (len(payload) - before) % 2:
            needed = before + 2
            raise Refused(ErrorCode.BAD_LENGTH, given=len(payload), lowest=needed, highest=needed)
        settings = words(payload[4:before]).reshape(n_settings, own.parameters)
        rows = words(payload[before:])
        self._check_count(layer, n_settings * len(rows) * own.outputs)
        for number, codes in enumerate(settings):
            self._check_setting(layer, number, codes)
        patterns = self._patterns.rows(layer, rows)
        self._arm(layer)
        counts: list[Codes] = []
        for codes in settings:
            self._drive(layer, codes)
            counts.append(self._measured(layer, patterns))
        return np.concatenate(counts)

    def _check_setting(self, layer: int, setting: int, codes: Codes) -> None:
        limits, own = self._plant.limits[layer], self._hello.layers[layer]
        wrong = np.flatnonzero((codes < limits.lowest) | (codes > limits.highest))
        where = {"layer": layer, "setting": setting}
        if len(wrong):
            place = int(wrong[0])
            self._plant.refused(layer, place, int(codes[place]))
            lowest, highest = int(limits.lowest[place]), int(limits.highest[place])
            what = {"place": place, "given": int(codes[place]), "lowest": lowest, "highest": highest}
            raise Refused(ErrorCode.OUT_OF_LIMITS, **where, **what)
        squares = int((codes.astype(np.uint64) ** 2).sum())
        if own.power_ceiling and squares > own.power_ceiling:
            given, highest = (min(-(-value // 65_536), 2**31 - 1) for value in (squares, own.power_ceiling))
            raise Refused(ErrorCode.POWER, **where, given=given, highest=highest)

    def _check_count(self, layer: int, count: int) -> None:
        if count > self._hello.readings_max:
            what = {"given": count, "lowest": 1, "highest": self._hello.readings_max}
            raise Refused(ErrorCode.TOO_MANY, layer=layer, **what)

    def _arm(self, layer: int) -> None:
        self._acted = None
        if not self._armed:
            self._note(What.ARMED, layer)
        self._armed = True

    def _drive(self, layer: int, codes: Codes) -> None:
        self._standing[layer] = codes
        self._faultless(lambda: self._plant.write(layer, codes))

    def _measured(self, layer: int, patterns: Codes) -> Codes:
        return self._found(lambda: self._plant.measure(layer, patterns).reshape(-1))

    def _found(self, measure: Callable[[], Codes]) -> Codes:
        found: list[Codes] = []
        self._faultless(lambda: found.append(measure()))
        return found[0]

    def _faultless(self, call: Callable[[], None]) -> None:
        try:
            call()
        except DeviceError as error:
            self._park(What.HARDWARE_FAULT, 0)
            raise Refused(ErrorCode.HARDWARE) from error

    def _park(self, what: What, value: int) -> Entry:
        self._plant.park()
        self._standing = [limits.safe for limits in self._plant.limits]
        self._armed, self._acted = False, None
        now_s = self._now_s()
        silent_ms = round(1e3 * (now_s - self._fed_s))
        self._fed_s = now_s
        return self._note(what, value=silent_ms if what is What.WATCHDOG_PARKED else value)

    def _log_from(self, payload: bytes) -> bytes:
        need(payload, 4)
        first = int.from_bytes(payload, "little")
        most = (self._hello.payload_max - 4) // 16
        entries = [entry for entry in self._entries if entry.number >= first][:most]
        return self._n_entries.to_bytes(4, "little") + b"".join(entry.encoded() for entry in entries)

    def _note(self, what: What, layer: int = 0, place: int = 0, value: int = 0) -> Entry:
        entry = Entry(self._n_entries, round(1e3 * (self._now_s() - self._began_s)), what, layer, place, value)
        self._n_entries += 1
        self._entries = [*self._entries[1 - LOG_DEPTH :], entry]
        return entry

    def _event(self, entry: Entry) -> bytes:
        return encoded(Type.EVENT, 0, entry.encoded())

    def _layer(self, payload: bytes) -> int:
        if payload[0] >= len(self._hello.layers):
            raise Refused(ErrorCode.NO_LAYER, layer=payload[0])
        return payload[0]


def _error(sequence: int, refusal: Refusal) -> bytes:
    return encoded(Type.ERROR, sequence, refusal.encoded())
