"""The frames of the board protocol: bytes out of a message, and messages out of bytes."""

import binascii
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

PROTOCOL_VERSION = 1
START = 0xA5
HEADER = struct.Struct("<BBHHH")
CHECK_BYTES = 4
REPLY = 0x80
"""Bit of the type that makes a request its reply."""
LAST_SEQUENCE = 0xFFFF


class Type(IntEnum):
    """What a frame is."""

    HELLO = 0x01
    LIMITS = 0x02
    STAGE = 0x03
    WRITE = 0x04
    READ = 0x05
    PROBE = 0x06
    SETPOINTS = 0x07
    HEALTH = 0x08
    HEARTBEAT = 0x09
    PARK = 0x0A
    LOG = 0x0B
    EVENT = 0xFE
    ERROR = 0xFF


class Damaged(ValueError):
    """Bytes that are no frame, or no longer one."""


class DamagedPayload(Damaged):
    """A frame with a good header, and something else behind it."""


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes
    ----------
    type
        A :class:`Type`, with :data:`REPLY` added in replies that are no error.
    sequence
        Number of the request, 0 for an event.
    payload
        What it says.
    size
        Bytes on the line.
    """

    type: int
    sequence: int
    payload: bytes

    @property
    def size(self) -> int:
        """Bytes on the line."""
        return size_of(len(self.payload))


def size_of(payload_bytes: int) -> int:
    """Return how many bytes a frame with such a payload is."""
    return HEADER.size + payload_bytes + (CHECK_BYTES if payload_bytes else 0)


def crc16(content: bytes) -> int:
    """Return the CRC-16/CCITT-FALSE of *content*."""
    return binascii.crc_hqx(content, 0xFFFF)


def encoded(kind: int, sequence: int, payload: bytes = b"") -> bytes:
    """Return the bytes of a frame; raises struct.error for what does not fit into one."""
    head = struct.pack("<BBHH", START, kind, sequence, len(payload))
    content = head + struct.pack("<H", crc16(head)) + payload
    return content + struct.pack("<I", zlib.crc32(content)) if payload else content


def frame_end(received: bytes, begin: int = 0) -> int | None:
    """Return where the frame ends that begins at *begin*, None while its header is not there.

    Raises Damaged when no frame begins there.
    """
    if len(received) > begin and received[begin] != START:
        raise Damaged(f"0x{received[begin]:02x} where a frame should begin")
    if len(received) < begin + HEADER.size:
        return None
    _, _, _, length, check = HEADER.unpack_from(received, begin)
    if crc16(received[begin : begin + HEADER.size - 2]) != check:
        raise Damaged("the header of a frame is damaged")
    return begin + size_of(length)


def decoded(received: bytes, begin: int = 0) -> Frame | None:
    """Return the frame that begins at *begin*, None while it is not complete.

    Raises Damaged when none begins there, DamagedPayload when its payload is not what was sent.
    """
    end = frame_end(received, begin)
    if end is None or len(received) < end:
        return None
    _, kind, sequence, length, _ = HEADER.unpack_from(received, begin)
    payload = received[begin + HEADER.size : begin + HEADER.size + length]
    if payload:
        covered = begin + HEADER.size + length
        if zlib.crc32(received[begin:covered]) != int.from_bytes(received[covered:end], "little"):
            raise DamagedPayload(f"the payload of a frame of {length} bytes is damaged")
    return Frame(kind, sequence, payload)
