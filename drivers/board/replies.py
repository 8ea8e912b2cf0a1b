"""What a board answers, as a link reads it: events are heard in between, late replies and damage are refused."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from drivers.board.frames import REPLY, START, Damaged, Frame, Type, decoded, size_of
from drivers.board.messages import Codes, Entry, ErrorCode, Hello, Refusal, What

_UNASKED_BYTES = 16 * size_of(16)
_BETWEEN_BYTES = 262_144
"""What may stand before the answer to HELLO: the rest of a request that it ended."""

Heard = Callable[[Entry], None]


@dataclass(frozen=True)
class Events:
    """Events between replies."""

    heard: Heard
    limit_bytes: int = _UNASKED_BYTES

    def end(self, received: bytes) -> int | None:
        """Return where the event ends; raises ValueError when it is something else."""
        frame = decoded(received)
        if frame is None:
            return None
        _entry(frame)
        return frame.size

    def read(self, reply: bytes) -> None:
        """Hear the event."""
        frame = decoded(reply)
        if frame is not None:
            self.heard(_entry(frame))


class _Frames:
    """The frames of one reply; each is looked at once."""

    def __init__(self, kind: Type, sequence: int, limit_bytes: int, heard: Heard) -> None:
        self.limit_bytes = limit_bytes + _UNASKED_BYTES
        self._kind = kind
        self._sequence = sequence
        self._heard = heard
        self._at = 0
        self.refusal: Refusal | None = None

    @property
    def n_bytes(self) -> int:
        """Bytes that were taken in so far."""
        return self._at

    def end(self, received: bytes) -> int | None:
        """Return where the reply ends; raises ValueError for damage, late replies, and after a restart."""
        while (frame := decoded(received, self._at)) is not None:
            self._at += frame.size
            if frame.type == Type.EVENT:
                entry = _entry(frame)
                self._heard(entry)
                if entry.what in (What.BOOT, What.WATCHDOG_PARKED):
                    raise ValueError(f"the board tells {What(entry.what).name}")
            elif frame.sequence != self._sequence:
                raise ValueError(f"a reply to request {frame.sequence}, not {self._sequence}: a late one")
            elif frame.type == Type.ERROR:
                self.refusal = Refusal.decoded(frame.payload)
                if self.refusal.code in (ErrorCode.BAD_CHECK, ErrorCode.TOO_LONG):
                    raise ValueError(f"the board got something else than was sent: {self.refusal}")
                return self._at
            elif frame.type != self._kind | REPLY:
                raise ValueError(f"a reply of type 0x{frame.type:02x} to request 0x{self._kind:02x}")
            elif self._takes(frame.payload):
                return self._at
        return None

    def _takes(self, payload: bytes) -> bool:
        """Take one frame of the reply; returns whether it is the last."""
        raise NotImplementedError


class Answer(_Frames):
    """A reply of one frame, with *length* bytes of payload; None: any number of them."""

    def __init__(self, kind: Type, sequence: int, length: int | None, heard: Heard, most: int = 0xFFFF) -> None:
        super().__init__(kind, sequence, size_of(most if length is None else length) + size_of(20), heard)
        self._length = length
        self._payload = b""

    def _takes(self, payload: bytes) -> bool:
        if self._length not in (None, len(payload)):
            raise ValueError(f"an answer of {len(payload)} bytes, not {self._length}")
        self._payload = payload
        return True

    def read(self, reply: bytes) -> bytes | Refusal:
        """Return the payload, or why there is none."""
        del reply
        return self._payload if self.refusal is None else self.refusal


class Readings(_Frames):
    """Readings in one or more frames, *count* of them in all."""

    def __init__(self, kind: Type, sequence: int, count: int, heard: Heard) -> None:
        most_frames = count  # one reading a frame is allowed, if not wise
        super().__init__(kind, sequence, 2 * count + min(most_frames, 4096) * size_of(4) + size_of(20), heard)
        self._codes = np.empty(count, dtype=np.uint16)
        self._taken = 0

    def _takes(self, payload: bytes) -> bool:
        first, n_codes = int.from_bytes(payload[:4], "little"), (len(payload) - 4) // 2
        if len(payload) < 6 or len(payload) % 2 or first != self._taken or first + n_codes > len(self._codes):
            raise ValueError(
                f"{len(payload)} bytes of readings from number {first} on, where {len(self._codes)} are expected "
                f"and {self._taken} have come"
            )
        self._codes[first : first + n_codes] = np.frombuffer(payload, dtype="<u2", offset=4)
        self._taken += n_codes
        return self._taken == len(self._codes)

    def read(self, reply: bytes) -> Codes | Refusal:
        """Return the counts (count,), or why there are none."""
        del reply
        return self._codes if self.refusal is None else self.refusal


@dataclass
class Greeting:
    """The answer to HELLO with *nonce*, after whatever else was still on its way."""

    sequence: int
    nonce: int
    limit_bytes: int = _BETWEEN_BYTES
    _at: int = field(default=0, init=False)

    def end(self, received: bytes) -> int | None:
        """Return where the answer ends."""
        while (begin := received.find(START, self._at)) >= 0:
            self._at = begin
            try:
                frame = decoded(received, begin)
            except Damaged:
                self._at = begin + 1
                continue
            if frame is None:
                return None
            self._at = begin + frame.size
            if self._is_ours(frame):
                self._at = begin
                return begin + frame.size
        self._at = len(received)
        return None

    def read(self, reply: bytes) -> Hello | Refusal:
        """Return what the board says of itself, or why it does not."""
        frame = decoded(reply, self._at)
        if frame is None:
            raise ValueError("the answer to HELLO is cut off")
        return Refusal.decoded(frame.payload) if frame.type == Type.ERROR else Hello.decoded(frame.payload)

    def _is_ours(self, frame: Frame) -> bool:
        if frame.sequence != self.sequence:
            return False
        if frame.type == Type.ERROR:
            return Refusal.decoded(frame.payload).request == Type.HELLO
        return frame.type == Type.HELLO | REPLY and Hello.decoded(frame.payload).nonce == self.nonce


def _entry(frame: Frame) -> Entry:
    if frame.type != Type.EVENT:
        raise ValueError(f"a frame of type 0x{frame.type:02x} for request {frame.sequence} that nobody waits for")
    return Entry.decoded(frame.payload)
