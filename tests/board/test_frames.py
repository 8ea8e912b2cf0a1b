"""The codec of frames, against the check values of its document and a second reading of the polynomials."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.board.frames import Damaged, Type, crc16, decoded, encoded, frame_end, size_of
from drivers.board.messages import BoardLayer, Hello, Span


def crc16_by_division(content: bytes) -> int:
    """The remainder of (start ⊕ content)·x¹⁶ divided by x¹⁶ + x¹² + x⁵ + 1, as whole numbers of any length."""
    value = (int.from_bytes(content, "big") << 16) ^ (0xFFFF << (8 * len(content)))
    for bit in range(8 * len(content) + 15, 15, -1):
        if value >> bit & 1:
            value ^= 0x11021 << (bit - 16)
    return value


def test_the_checks_are_those_of_the_document():
    assert crc16(b"123456789") == 0x29B1
    frame = encoded(Type.PARK, 0x1234)
    assert frame[:6] == bytes([0xA5, 0x0A, 0x34, 0x12, 0, 0])
    assert len(frame) == 8
    with_payload = encoded(Type.LOG, 1, b"\1\2\3\4")
    assert len(with_payload) == size_of(4) == 16


@given(st.binary(min_size=2, max_size=40))
def test_crc16_is_the_remainder_of_a_division(content):
    assert crc16(content) == crc16_by_division(content)


@given(st.integers(1, 255), st.integers(0, 65_535), st.binary(max_size=300), st.binary(max_size=20))
def test_a_frame_is_read_back_wherever_it_stands(kind, sequence, payload, before):
    frame = encoded(kind, sequence, payload)
    read = decoded(before + frame, len(before))
    assert read is not None
    assert (read.type, read.sequence, read.payload, read.size) == (kind, sequence, payload, len(frame))


@given(st.binary(min_size=1, max_size=60), st.integers(min_value=0))
def test_no_single_bit_can_flip_unnoticed(payload, which):
    frame = bytearray(encoded(Type.WRITE, 7, payload))
    frame[which // 8 % len(frame)] ^= 1 << which % 8
    with pytest.raises(Damaged):
        assert decoded(bytes(frame)) is None


@given(st.binary(max_size=60), st.integers(min_value=0))
def test_a_frame_that_is_not_complete_is_waited_for(payload, cut):
    frame = encoded(Type.WRITE, 7, payload)
    assert decoded(frame[: cut % len(frame)]) is None


def test_nothing_else_begins_a_frame():
    with pytest.raises(Damaged, match="0x00"):
        frame_end(b"\0")
    assert frame_end(b"") is None
    assert frame_end(b"\xa5") is None


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.lists(st.integers(0, 65_535), min_size=1, max_size=20))
def test_codes_stand_for_values_and_back(lower, width, codes):
    span = Span(lower, lower + width)
    values = span.values(np.array(codes, dtype=np.uint16))
    assert (span.codes(values) == codes).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.1, 10.1, 9.9e37])
def test_values_without_a_code_are_refused_not_clipped(value):
    with pytest.raises(ValueError, match="0 to 10"):
        Span(0.0, 10.0).codes(np.array([1.0, value]))


def test_what_a_board_says_of_itself_is_read_back():
    layer = BoardLayer(5, 3, 4, 9, Span(0.0, 10.0), Span(-1.0, 1.0), Span(-0.1, 8.0), 1 << 40, 250)
    hello = Hello(
        "BRD-1", (layer, layer), 100, 8192, 4096, 50, 1000, nonce=1, first_nonce=2, watchdog_parks=3, damaged=4
    )
    assert Hello.decoded(hello.encoded()) == hello
    with pytest.raises(ValueError, match="2 layers"):
        Hello.decoded(hello.encoded()[:-1])
    other = struct.pack("<H", 2) + hello.encoded()[2:]
    with pytest.raises(ValueError, match="version 2"):
        Hello.decoded(other)
