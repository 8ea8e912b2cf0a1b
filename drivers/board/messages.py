"""What stands in the payloads of the board protocol, as frozen data: docs/reference/board-protocol.md in Python."""

import struct
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from drivers.board.frames import PROTOCOL_VERSION

Codes = NDArray[np.uint16]
FloatArray = NDArray[np.float64]

LAST_CODE = 65_535
CASCADED, ARMED = 1, 2
_HELLO = struct.Struct("<HHII16sBBBBHHIHHHHI")
_LAYER = struct.Struct("<HHHH6dQII")
_ERROR = struct.Struct("<BBBBHHiii")
_ENTRY = struct.Struct("<IIBBHi")
LIMIT_BYTES = 6
"""Of one parameter in the reply to LIMITS."""


class ErrorCode(IntEnum):
    """Why a request was not carried out."""

    BAD_CHECK = 1
    TOO_LONG = 2
    BAD_LENGTH = 3
    UNKNOWN = 4
    VERSION = 5
    NOT_GREETED = 6
    WATCHDOG = 7
    NO_LAYER = 8
    OUT_OF_LIMITS = 9
    POWER = 10
    NOT_STAGED = 11
    TOO_MANY = 12
    SEQUENCE = 13
    BUSY = 14
    HARDWARE = 15
    ABORTED = 16


class What(IntEnum):
    """What an entry of the log tells of."""

    BOOT = 1
    GREETED = 2
    ARMED = 3
    PARKED = 4
    WATCHDOG_PARKED = 5
    REFUSED = 6
    HARDWARE_FAULT = 7


@dataclass(frozen=True)
class Span:
    """What code 0 and code 65,535 of a converter stand for."""

    lower: float
    upper: float

    @property
    def step(self) -> float:
        """What one code more stands for."""
        return (self.upper - self.lower) / LAST_CODE

    def codes(self, values: NDArray[np.floating]) -> Codes:
        """Return the nearest codes; raises ValueError for values that are not finite or outside: nothing is clipped."""
        rounded = np.rint((np.asarray(values, dtype=np.float64) - self.lower) / self.step)
        if not np.isfinite(rounded).all() or rounded.min() < 0.0 or rounded.max() > LAST_CODE:
            raise ValueError(f"values outside of {self.lower:g} to {self.upper:g}, or no finite numbers")
        return rounded.astype(np.uint16)

    def values(self, codes: Codes) -> FloatArray:
        """Return what *codes* stand for."""
        return self.lower + self.step * codes.astype(np.float64)


@dataclass(frozen=True)
class BoardLayer:
    """One layer as the board tells of it."""

    parameters: int
    inputs: int
    outputs: int
    safe_input: int
    parameter_span: Span
    input_span: Span
    output_span: Span
    power_ceiling: int = 0
    """Largest sum of the squared parameter codes; 0: none."""
    settle_us: int = 0

    def encoded(self) -> bytes:
        """Return the 72 bytes of the layer in the reply to HELLO."""
        spans = (self.parameter_span, self.input_span, self.output_span)
        ends = [end for span in spans for end in (span.lower, span.upper)]
        sizes = (self.parameters, self.inputs, self.outputs, self.safe_input)
        return _LAYER.pack(*sizes, *ends, self.power_ceiling, self.settle_us, 0)

    @classmethod
    def decoded(cls, content: bytes) -> "BoardLayer":
        """Read 72 bytes; raises ValueError for a scale that is none."""
        p, i, o, safe_input, p0, p1, i0, i1, o0, o1, ceiling, settle_us, _ = _LAYER.unpack(content)
        spans = Span(p0, p1), Span(i0, i1), Span(o0, o1)
        if not all(np.isfinite(span.step) and span.step > 0.0 for span in spans) or 0 in (p, i, o):
            raise ValueError(f"a layer of {p} parameters, {i} inputs, {o} outputs, with scales {spans}")
        return cls(p, i, o, safe_input, *spans, ceiling, settle_us)


@dataclass(frozen=True)
class Hello:
    """What a board says of itself."""

    serial_number: str
    layers: tuple[BoardLayer, ...]
    rows: int
    payload_max: int
    readings_max: int
    gap_ms: int
    watchdog_ms: int
    nonce: int = 0
    first_nonce: int = 0
    firmware: int = 0
    flags: int = 0
    health_channels: int = 0
    watchdog_parks: int = 0
    damaged: int = 0

    @property
    def firmware_version(self) -> str:
        """Major and minor version."""
        return f"{self.firmware >> 8}.{self.firmware & 0xFF}"

    def encoded(self) -> bytes:
        """Return the payload of the reply to HELLO."""
        head = _HELLO.pack(
            PROTOCOL_VERSION,
            self.firmware,
            self.nonce,
            self.first_nonce,
            self.serial_number.encode("ascii"),
            len(self.layers),
            self.flags,
            self.health_channels,
            0,
            self.rows,
            self.payload_max,
            self.readings_max,
            self.gap_ms,
            self.watchdog_ms,
            self.watchdog_parks,
            0,
            self.damaged,
        )
        return head + b"".join(layer.encoded() for layer in self.layers)

    @classmethod
    def decoded(cls, payload: bytes) -> "Hello":
        """Read the payload of the reply to HELLO; raises ValueError for anything else."""
        if len(payload) < _HELLO.size:
            raise ValueError(f"{len(payload)} bytes are no answer to HELLO")
        version, firmware, nonce, first, serial, n_layers, flags, health, _, *rest = _HELLO.unpack_from(payload)
        rows, payload_max, readings_max, gap_ms, watchdog_ms, parks, _, damaged = rest
        if version != PROTOCOL_VERSION:
            raise ValueError(f"protocol version {version} answers, {PROTOCOL_VERSION} is spoken here")
        if len(payload) != _HELLO.size + n_layers * _LAYER.size:
            raise ValueError(f"{len(payload)} bytes are no answer to HELLO with {n_layers} layers")
        places = range(_HELLO.size, len(payload), _LAYER.size)
        return cls(
            serial_number=serial.rstrip(b"\0").decode("ascii"),
            layers=tuple(BoardLayer.decoded(payload[i : i + _LAYER.size]) for i in places),
            rows=rows,
            payload_max=payload_max,
            readings_max=readings_max,
            gap_ms=gap_ms,
            watchdog_ms=watchdog_ms,
            nonce=nonce,
            first_nonce=first,
            firmware=firmware,
            flags=flags,
            health_channels=health,
            watchdog_parks=parks,
            damaged=damaged,
        )


@dataclass(frozen=True)
class Limits:
    """Lowest, highest and safe code (P,) of each parameter of a layer."""

    lowest: Codes
    highest: Codes
    safe: Codes

    def encoded(self, first: int = 0, count: int | None = None) -> bytes:
        """Return the payload of the reply to LIMITS."""
        stop = len(self.safe) if count is None else first + count
        columns = [values[first:stop] for values in (self.lowest, self.highest, self.safe)]
        return np.stack(columns, axis=1).astype("<u2").tobytes()

    @classmethod
    def decoded(cls, payload: bytes) -> "Limits":
        """Read the payload of the reply to LIMITS."""
        table = np.frombuffer(payload, dtype="<u2").astype(np.uint16).reshape(-1, 3)
        return cls(table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy())


@dataclass(frozen=True)
class Refusal:
    """The payload of an error; what does not apply is 0."""

    code: int
    request: int = 0
    layer: int = 0
    setting: int = 0
    place: int = 0
    given: int = 0
    lowest: int = 0
    highest: int = 0

    @property
    def name(self) -> str:
        """Return the code as the protocol's document calls it."""
        return ErrorCode(self.code).name if self.code in list(ErrorCode) else f"error {self.code}"

    def encoded(self) -> bytes:
        """Return its 20 bytes."""
        places = (self.code, self.request, self.layer, 0, self.setting, self.place)
        return _ERROR.pack(*places, self.given, self.lowest, self.highest)

    @classmethod
    def decoded(cls, payload: bytes) -> "Refusal":
        """Read 20 bytes; raises ValueError for any other number of them."""
        if len(payload) != _ERROR.size:
            raise ValueError(f"an error of {len(payload)} bytes, not {_ERROR.size}")
        code, request, layer, _, setting, place, given, lowest, highest = _ERROR.unpack(payload)
        return cls(code, request, layer, setting, place, given, lowest, highest)

    def __str__(self) -> str:
        where = f"layer {self.layer}, setting {self.setting}, place {self.place}"
        return f"{self.name} ({where}: {self.given}, allowed {self.lowest} to {self.highest})"


@dataclass(frozen=True)
class Entry:
    """One entry of the board's log."""

    number: int
    time_ms: int
    what: int
    layer: int = 0
    place: int = 0
    value: int = 0

    def encoded(self) -> bytes:
        """Return its 16 bytes."""
        return _ENTRY.pack(self.number, self.time_ms, self.what, self.layer, self.place, self.value)

    @classmethod
    def decoded(cls, payload: bytes) -> "Entry":
        """Read 16 bytes; raises ValueError for any other number of them."""
        if len(payload) != _ENTRY.size:
            raise ValueError(f"an entry of {len(payload)} bytes, not {_ENTRY.size}")
        return cls(*_ENTRY.unpack(payload))


@dataclass(frozen=True)
class LogPart:
    """The reply to LOG: entries, and the number of the next one to come."""

    next: int
    entries: tuple[Entry, ...] = field(default=())

    @classmethod
    def decoded(cls, payload: bytes) -> "LogPart":
        """Read the payload of the reply to LOG."""
        if len(payload) % _ENTRY.size != 4:
            raise ValueError(f"a log of {len(payload)} bytes")
        places = range(4, len(payload), _ENTRY.size)
        entries = tuple(Entry.decoded(payload[place : place + _ENTRY.size]) for place in places)
        return cls(int.from_bytes(payload[:4], "little"), entries)
