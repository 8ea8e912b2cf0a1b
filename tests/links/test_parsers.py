"""No input makes a parser return a number that was not completely received."""

import math
import re
import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers.links import Block, Numbers, Text, quantity
from drivers.links.parsers import block, block_end, numbers

DECIMAL = re.compile(rb"[ \t\r]*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[ \t\r]*")
FINITE = st.floats(allow_nan=False, allow_infinity=False)
FORMATS = st.sampled_from(["%r", "%+.6f", "%.8E", "%+.17e", " %.3f "])
TYPES = st.sampled_from(["<f4", ">f4", "<f8", ">f8", "<u2", ">i4", "<i1"])
NEAR_NUMBERS = st.text("0123456789+-.eE,#\n\r nainf_x", max_size=60).map(str.encode)


@given(st.lists(FINITE, min_size=1, max_size=80), FORMATS)
def test_complete_numbers_are_read_as_they_are_written(values: list[float], form: str) -> None:
    fields = [form % value for value in values]
    reply = ",".join(fields).encode() + b"\n"
    assert numbers(reply, len(values)).tolist() == [float(field) for field in fields]


@given(st.lists(FINITE, min_size=1, max_size=12), FORMATS, st.data())
def test_no_beginning_of_a_reply_makes_numbers(values: list[float], form: str, draw: st.DataObject) -> None:
    reply = ",".join(form % value for value in values).encode() + b"\n"
    cut = reply[: draw.draw(st.integers(0, len(reply) - 1))]
    assert Numbers(len(values)).end(cut) is None
    with pytest.raises(ValueError, match="terminator"):
        numbers(cut, len(values))


@given(NEAR_NUMBERS | st.binary(max_size=60), st.integers(1, 4))
@example(b"1.11", 1)
@example(b"1_000\n", 1)
@example(b"1,,2\n", 3)
@example(b"1,2\n3,4\n", 2)
@example(b"1e999\n", 1)
@example("\u0661\n".encode(), 1)
def test_whatever_is_accepted_is_a_line_of_exactly_so_many_finite_decimals(reply: bytes, count: int) -> None:
    try:
        values = numbers(reply, count)
    except ValueError:
        return
    assert reply.endswith(b"\n")
    fields = reply[:-1].split(b",")
    assert len(fields) == len(values) == count
    for field, value in zip(fields, values, strict=True):
        assert DECIMAL.fullmatch(field)
        assert math.isfinite(value)
        assert value == float(field)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"1.11", "terminator"),
        (b"1,2,3\n", "3 numbers instead of 2"),
        (b"1\n", "1 numbers instead of 2"),
        (b"1,nan\n", "decimal"),
        (b"1,inf\n", "decimal"),
        (b"1,1e999\n", "inf"),
        (b"1,1_0\n", "decimal"),
        (b"1,\n", "float"),
        (b"1,2 3\n", "float"),
        (b"1,2\n1,2\n", "more than one reply"),
        (b"1,0x1\n", "decimal"),
        (b"1,\xb2\n", "float|decimal"),
    ],
)
def test_anything_else_than_the_expected_numbers_is_refused_with_the_reason(reply: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        numbers(reply, 2)


def test_blanks_may_separate_numbers() -> None:
    assert numbers(b"1 2 3\r\n", 3, b" ").tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="float"):
        numbers(b"1  2\n", 3, b" ")


@given(FINITE, st.sampled_from(["V", "mA"]))
def test_a_quantity_is_read_and_no_beginning_of_it(value: float, unit: str) -> None:
    text = f"{value:+.6f} {unit}"
    assert quantity(text, unit) == float(f"{value:+.6f}")
    for cut in range(len(text)):
        with pytest.raises(ValueError, match=r"unit|float"):
            quantity(text[:cut], unit)


@given(st.text("0123456789+-.eE nainfVmA_", max_size=20))
def test_an_accepted_quantity_is_a_finite_decimal_and_its_unit(text: str) -> None:
    try:
        value = quantity(text, "V")
    except ValueError:
        return
    assert text.endswith("V")
    assert DECIMAL.fullmatch(text[:-1].encode())
    assert value == float(text[:-1])


@st.composite
def blocks(draw: st.DrawFn) -> tuple[bytes, "np.ndarray", str]:
    kind = np.dtype(draw(TYPES))
    raw = draw(st.binary(min_size=kind.itemsize, max_size=20 * kind.itemsize))
    raw = raw[: len(raw) // kind.itemsize * kind.itemsize]
    padding = draw(st.integers(0, 9 - len(str(len(raw)))))
    length = str(len(raw)).zfill(len(str(len(raw))) + padding)
    return f"#{len(length)}{length}".encode() + raw + b"\n", np.frombuffer(raw, kind), kind.str.replace("|", "<")


@given(blocks())
def test_a_block_is_read_in_its_byte_order_and_type(drawn: tuple[bytes, "np.ndarray", str]) -> None:
    reply, values, number = drawn
    form = Block(len(values), number)
    assert form.end(reply) == len(reply)
    if np.isfinite(values).all():
        assert form.read(reply).tolist() == values.tolist()
    else:
        with pytest.raises(ValueError, match="number"):
            form.read(reply)


@given(blocks(), st.data())
def test_no_beginning_of_a_block_makes_numbers(drawn: tuple[bytes, "np.ndarray", str], draw: st.DataObject) -> None:
    reply, values, number = drawn
    cut = reply[: draw.draw(st.integers(0, len(reply) - 1))]
    assert Block(len(values), number).end(cut) is None
    with pytest.raises(ValueError, match="cut off"):
        block(cut, len(values), number)


@given(st.binary(max_size=40) | st.binary(max_size=30).map(lambda tail: b"#18" + tail))
@example(b"#18" + struct.pack("<2f", 1.0, 2.0) + b"\n")
@example(b"#18" + struct.pack("<2f", 1.0, 2.0))
@example(b"#0" + struct.pack("<2f", 1.0, 2.0) + b"\n")
def test_whatever_block_is_accepted_has_exactly_the_bytes_it_announces(reply: bytes) -> None:
    try:
        values = block(reply, 2)
    except ValueError:
        return
    head = 2 + int(reply[1:2])
    assert int(reply[2:head]) == 8 == len(reply) - head - 1
    assert reply.endswith(b"\n")
    assert tuple(values) == struct.unpack("<2f", reply[head:-1])


@pytest.mark.parametrize("received", [b"+1.0\n", b"#0abc\n", b"#x", b"#2a", b"#9123"])
def test_a_block_that_cannot_become_one_is_refused_at_once(received: bytes) -> None:
    if received == b"#9123":
        assert block_end(received) is None
        return
    with pytest.raises(ValueError, match="block"):
        block_end(received)


def test_a_block_that_announces_more_than_the_limit_is_refused_before_it_comes() -> None:
    with pytest.raises(ValueError, match="at most 65536"):
        Block(1).end(b"#9999999999")


def test_text_is_printable_ascii() -> None:
    assert Text().read(b" Acme,M1 \r\n") == "Acme,M1"
    for reply in (b"caf\xe9\n", b"a\x00b\n", b"a", b"a\nb\n"):
        with pytest.raises(ValueError, match=r"ascii|printed|terminator|more"):
            Text().read(reply)


@pytest.mark.parametrize(
    "form",
    [
        lambda: Numbers(0),
        lambda: Numbers(1, separator=b"."),
        lambda: Numbers(1, terminator=b""),
        lambda: Block(0),
        lambda: Block(1, "f4"),
        lambda: Block(1, "<u8"),
    ],
)
def test_forms_that_could_not_tell_a_number_are_refused(form) -> None:
    with pytest.raises(ValueError, match="count"):
        form()
