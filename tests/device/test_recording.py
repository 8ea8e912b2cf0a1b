"""What a recording keeps: exact values in few bytes, whatever cuts it off, and alterations found where they are."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ffzero_lab.device.errors import RecordingDamaged
from ffzero_lab.device.exchanges import OPENING_BYTES, Damaged, Exchange, Opening, Packed, pack
from ffzero_lab.device.recording import RecordingReader, RecordingWriter, files_of
from ffzero_lab.errors import InputError

STEP = 12.8 / 2**14


def unpacked(packed: bytes) -> Exchange:
    opening = Opening.read(packed[:OPENING_BYTES])
    assert opening is not None
    middle = OPENING_BYTES + opening.head_bytes
    assert len(packed) == middle + opening.content_bytes
    return Packed(opening, packed[OPENING_BYTES:middle], packed[middle:]).unpack()


def probe(number: int = 1, seed: int = 0, rows: int = 5, outputs: int = 4) -> Exchange:
    rng = np.random.default_rng(seed)
    counts = rng.integers(-20, 16384, (2, rows, outputs))
    given_ = {"settings": rng.standard_normal((2, 6)), "rows": rng.integers(0, 300, rows)}
    return Exchange(number, "probe", 0, 0.1 * number, given_, {"outputs": counts * STEP})


def packed(exchange: Exchange, step: float | None = STEP) -> bytes:
    return b"".join(pack(exchange, step, "intensity"))


def written(folder: Path, count: int, **more: Any) -> RecordingWriter:
    writer = RecordingWriter.create(folder, **more)
    for number in range(1, count + 1):
        writer.append(pack(probe(number, number), STEP))
    return writer


def numbers(folder: Path) -> list[int]:
    reader, found = RecordingReader(folder), []
    while (exchange := reader.next()) is not None:
        found.append(exchange.number)
        assert np.array_equal(exchange.answered["outputs"], probe(0, exchange.number).answered["outputs"])
    reader.close()
    return found


@given(
    arrays(
        st.sampled_from(["<f4", "<f8", "<i8", "<u2"]),
        array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
    ),
    st.sampled_from([None, 0.25, STEP]),
)
def test_any_array_comes_back_to_the_last_bit_and_in_its_type(values: np.ndarray, step: float | None) -> None:
    exchange = Exchange(3, "read_outputs", 1, 2.5, {"rows": values}, {"outputs": values}, {"a": 1}, ("LinkLost", "off"))
    back = unpacked(b"".join(pack(exchange, step)))
    for array in (back.given["rows"], back.answered["outputs"]):
        assert array.dtype == values.dtype
        assert array.shape == values.shape
        assert array.tobytes() == values.tobytes() or np.array_equal(array, values)  # -0.0 may become 0.0
    assert (back.number, back.call, back.layer, back.now_s) == (3, "read_outputs", 1, 2.5)
    assert (back.plain, back.error) == ({"a": 1}, ("LinkLost", "off"))


def test_readings_of_a_converter_are_kept_as_counts_of_two_bytes() -> None:
    exchange = probe(rows=500, outputs=64)
    readings = exchange.answered["outputs"].size
    as_counts, as_floats = len(packed(exchange)), len(packed(exchange, step=None))
    assert as_counts < 2 * readings * 1.06 + 2500
    assert as_floats > 8 * readings
    assert np.array_equal(unpacked(packed(exchange)).answered["outputs"], exchange.answered["outputs"])


def test_readings_that_are_no_multiple_of_the_step_are_kept_as_they_are() -> None:
    values = np.array([[0.1, 0.2 + 1e-17, 1 / 3]])
    back = unpacked(b"".join(pack(Exchange(1, "read_outputs", 0, 0.0, {}, {"outputs": values}), 0.1)))
    assert back.answered["outputs"].tobytes() == values.tobytes()


@given(st.integers(0, 10**6))
def test_an_altered_byte_is_always_noticed(place: int) -> None:
    content = bytearray(packed(probe()))
    content[place % len(content)] ^= 0x10
    with pytest.raises((Damaged, AssertionError)):
        unpacked(bytes(content))


@given(st.integers(0, 1), st.integers(0, 4), st.integers(0, 3), st.integers(1, 65535))
def test_a_single_altered_reading_is_named_with_what_stood_there(s: int, b: int, o: int, change: int) -> None:
    exchange = probe()
    content = bytearray(packed(exchange))
    counts = np.rint(exchange.answered["outputs"] / STEP).astype("<i2")
    at = bytes(content).index(counts.tobytes()) + 2 * int(np.ravel_multi_index((s, b, o), counts.shape))
    altered = int.from_bytes(content[at : at + 2], "little") ^ change
    content[at : at + 2] = altered.to_bytes(2, "little")
    with pytest.raises(Damaged) as damage:
        unpacked(bytes(content))
    told = str(damage.value)
    assert f"setting {s}, pattern {exchange.given['rows'][b]} (place {b}), output {o} is " in told
    assert f"what was written there was {exchange.answered['outputs'][s, b, o]:.9g} intensity" in told


def test_what_is_appended_is_read_in_order_over_several_files(tmp_path: Path) -> None:
    writer = written(tmp_path / "r", 20, file_bytes=1500)
    assert len(files_of(tmp_path / "r")) > 3
    assert max(path.stat().st_size for path in files_of(tmp_path / "r")) < 1500 + 1000
    assert numbers(tmp_path / "r") == list(range(1, 21))
    assert writer.bytes == sum(path.stat().st_size for path in files_of(tmp_path / "r"))
    writer.close()


@pytest.mark.parametrize("cut", [1, 10, 300, 400])
def test_an_exchange_that_was_cut_off_counts_as_none(tmp_path: Path, cut: int) -> None:
    written(tmp_path / "r", 5).close()
    (path,) = files_of(tmp_path / "r")
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    assert numbers(tmp_path / "r") == [1, 2, 3, 4]


@pytest.mark.parametrize("kept", [0, 1, 7, 19, 20])
def test_exchanges_behind_a_checkpoint_move_aside_and_none_is_lost(tmp_path: Path, kept: int) -> None:
    folder = tmp_path / "r"
    written(folder, 20, file_bytes=1500).close()
    everything = b"".join(path.read_bytes() for path in files_of(folder))
    with files_of(folder)[-1].open("ab") as file:
        file.write(b"FFX1 cut off")
    writer = RecordingWriter.reopen(folder, kept, file_bytes=1500)
    remaining = b"".join(path.read_bytes() for path in files_of(folder))
    moved = sorted((folder / "superseded").glob("*.ffx"), key=lambda path: path.stem.split("-")[1])
    assert remaining + b"".join(path.read_bytes() for path in moved) == everything + b"FFX1 cut off"
    for number in range(kept + 1, 26):
        writer.append(pack(probe(number, number), STEP))
    writer.close()
    assert numbers(folder) == list(range(1, 26))


def test_a_recording_that_lacks_what_a_checkpoint_counts_on_is_refused_untouched(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    written(folder, 5).close()
    before = files_of(folder)[0].read_bytes()
    with pytest.raises(InputError, match="5 of 6 exchanges"):
        RecordingWriter.reopen(folder, 6)
    assert files_of(folder)[0].read_bytes() == before


def test_damage_is_told_with_the_exchange_and_a_lost_file_as_missing(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    written(folder, 20, file_bytes=1500).close()
    second = files_of(folder)[1]
    content = second.read_bytes()
    damaged = bytearray(content)
    damaged[700] ^= 1
    second.write_bytes(damaged)
    with pytest.raises(RecordingDamaged, match=r"exchange \d+ \(probe, layer 0\) was altered"):
        numbers(folder)
    second.write_bytes(b"no exchange" * 20)
    with pytest.raises(RecordingDamaged, match="is no exchange"):
        numbers(folder)
    second.unlink()
    with pytest.raises(RecordingDamaged, match="some are missing"):
        numbers(folder)
    with pytest.raises(InputError, match="holds no recording"):
        RecordingReader(tmp_path)


def test_sums_are_those_of_the_bytes_as_written() -> None:
    content = packed(probe())
    opening = Opening.read(content[:OPENING_BYTES])
    assert opening is not None
    assert opening.check == zlib.crc32(content[OPENING_BYTES:], zlib.crc32(content[: OPENING_BYTES - 4]))
