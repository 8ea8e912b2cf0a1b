"""Three dialects on one link: SCPI, the lines of a serial rack, and frames with a checksum; each a few lines."""

import struct
import zlib
from dataclasses import dataclass

import pytest

from drivers.links import Block, Lines, Numbers, Text, quantity
from ffzero_lab.device import BadReply, DeviceError


def test_scpi_sets_and_reads_in_one_message(over_tcp, link_to):
    link = link_to(over_tcp)
    power_w = [1e-6, 2e-6, 9.9e37]
    block = struct.pack("<3f", *power_w)
    over_tcp.answer = lambda message: [(0.0, b"#212" + block[:5]), (0.01, block[5:] + b"\n")]
    read = link.exchange(b"SOUR:VOLT:LIST 1.0,2.0;:READ:POW:ALL?\n", Block(3))
    assert read.tolist() == list(struct.unpack("<3f", block)), "what a sentinel means is the driver's business"
    over_tcp.answer = lambda message: [(0.0, b'0,"No error"\n')]
    assert link.query(b"SYST:ERR?\n", Text()) == '0,"No error"'
    over_tcp.answer = lambda message: [(0.0, b"+1.0E-006, -2.5E+000\r\n")]
    assert link.query(b"READ?\n", Numbers(2)).tolist() == [1e-6, -2.5]


OK = Lines(lambda line: line == "OK" or line.startswith("E"))


class ErrorLines(Text):
    def read(self, reply):
        line = super().read(reply)
        if line.startswith("E90"):
            raise DeviceError(f"the rack was powered up ({line}): its outputs are not what was written")


def test_a_serial_rack_answers_in_several_lines_and_reports_errors_unasked(over_serial, link_to):
    link = link_to(over_serial, unasked=ErrorLines())
    over_serial.answer = lambda message: [(0.0, b"+1.000000 V\n+2.0"), (0.01, b"00000 V\nOK\n")]
    lines = link.query(b"vall?\n", OK)
    assert [quantity(line, "V") for line in lines[:-1]] == [1.0, 2.0]
    over_serial.answer = lambda message: [(0.0, b"E1:03\n")]
    assert link.exchange(b"v3=99\n", OK) == ["E1:03"]
    over_serial.come((0.0, b"E90:00\n"))
    with pytest.raises(DeviceError, match="powered up"):
        link.exchange(b"v3=1\n", OK)
    assert b"v3=1\n" not in over_serial.sent


@dataclass(frozen=True)
class Frame:
    """0xA5, kind, payload length (16 bit), payload, CRC-32 of all before."""

    kind: int
    limit_bytes: int = 4096

    def end(self, received):
        if received[:1] not in (b"", b"\xa5"):
            raise ValueError("no frame begins here")
        if len(received) < 4:
            return None
        end = 4 + int.from_bytes(received[2:4], "big") + 4
        return end if len(received) >= end else None

    def read(self, reply):
        if zlib.crc32(reply[:-4]) != int.from_bytes(reply[-4:], "big"):
            raise ValueError("wrong checksum")
        if reply[1] != self.kind:
            raise ValueError(f"a frame of kind {reply[1]} instead of {self.kind}")
        return reply[4:-4]


def framed(kind, payload):
    head = struct.pack(">BBH", 0xA5, kind, len(payload)) + payload
    return head + zlib.crc32(head).to_bytes(4, "big")


def test_a_board_answers_in_frames_with_a_checksum(over_serial, link_to):
    link = link_to(over_serial)
    reply = framed(2, b"\n\x00\xa5 outputs")
    over_serial.answer = lambda message: [(0.001 * at, reply[at : at + 3]) for at in range(0, len(reply), 3)]
    assert link.query(framed(1, b"read"), Frame(2)) == b"\n\x00\xa5 outputs"
    broken = bytearray(reply)
    broken[6] ^= 1
    over_serial.answer = lambda message: [(0.0, bytes(broken))]
    with pytest.raises(BadReply, match="wrong checksum"):
        link.exchange(framed(1, b"read"), Frame(2))
    over_serial.answer = lambda message: [(0.0, b"\n" + reply)]
    with pytest.raises(BadReply, match="no frame begins here"):
        link.exchange(framed(1, b"read"), Frame(2))
