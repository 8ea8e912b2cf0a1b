"""One exchange with a device as bytes: what was asked and answered, exactly, with sums that find an altered reading."""

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Stored = bytes | memoryview

MAGIC = b"FFX1"
_PREFIX = struct.Struct("<4sIQ")
_SUM = struct.Struct("<I")
OPENING_BYTES = _PREFIX.size + _SUM.size
_COUNTS = tuple(np.dtype(name) for name in ("<i1", "<u1", "<i2", "<u2", "<i4", "<u4"))
OUTPUTS = "outputs"
"""Name of the array whose every value is covered by two sums of its own."""


@dataclass(frozen=True)
class Exchange:
    """A call at the device port and what came of it.

    Attributes
    ----------
    number
        Place in the recording, from 1.
    call
        Name of the method, or of an event such as ``opened``.
    layer
        Layer that it was about, or None.
    now_s
        Time of the device's clock when it ended.
    given, answered
        Arrays by name.
    plain
        Everything else that was answered, as JSON holds it.
    error
        (kind, message) of what was raised instead of an answer.
    """

    number: int
    call: str
    layer: int | None
    now_s: float
    given: Mapping[str, Array] = field(default_factory=dict[str, Array])
    answered: Mapping[str, Array] = field(default_factory=dict[str, Array])
    plain: Any = None
    error: tuple[str, str] | None = None

    @property
    def where(self) -> str:
        """How messages call it."""
        return f"exchange {self.number} ({self.call}{'' if self.layer is None else f', layer {self.layer}'})"


def pack(exchange: Exchange, step: float | None = None, unit: str = "") -> list[Stored]:
    """Return the bytes of an exchange, in parts to be written one after the other.

    Answered outputs, in *unit*, that are whole multiples of *step*, a converter's, are kept as counts; integers take as
    few bytes as hold them; floating-point numbers are kept in single precision when that loses nothing.
    """
    arrays: list[dict[str, Any]] = []
    content: list[Stored] = []
    for side, held in (("given", exchange.given), ("answered", exchange.answered)):
        for name, array in held.items():
            stored, counted = _smallest(array, step if (side, name) == ("answered", OUTPUTS) else None)
            entry: dict[str, Any] = {
                "side": side,
                "name": name,
                "shape": array.shape,
                "type": array.dtype.str,
                "as": stored.dtype.str,
            }
            if counted is not None:
                entry["step"] = counted
            arrays.append(entry)
            content.append(stored.data.cast("B") if stored.size else b"")
            if (side, name) == ("answered", OUTPUTS) and stored.size:
                entry["unit"] = unit
                content.extend(sums.data.cast("B") for sums in _cross_sums(stored))
    head = {
        "number": exchange.number,
        "call": exchange.call,
        "layer": exchange.layer,
        "now_s": exchange.now_s,
        "arrays": arrays,
        "plain": exchange.plain,
        "error": exchange.error,
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    opening = _PREFIX.pack(MAGIC, len(text), sum(len(part) for part in content))
    check = zlib.crc32(text, zlib.crc32(opening))
    for part in content:
        check = zlib.crc32(part, check)
    return [opening + _SUM.pack(check) + text, *content]


@dataclass(frozen=True)
class Opening:
    """The first bytes of a packed exchange: how long the rest is, and its sum."""

    head_bytes: int
    content_bytes: int
    check: int
    prefix: bytes

    @classmethod
    def read(cls, opening: bytes) -> "Opening | None":
        """Return what `OPENING_BYTES` bytes say; None when they open no exchange."""
        magic, head_bytes, content_bytes = _PREFIX.unpack_from(opening)
        if magic != MAGIC:
            return None
        (check,) = _SUM.unpack_from(opening, _PREFIX.size)
        return cls(head_bytes, content_bytes, check, opening[: _PREFIX.size])


class Damaged(ValueError):
    """The bytes are not those that were written; the message says where, as far as can be told."""


@dataclass(frozen=True)
class Packed:
    """A packed exchange that was read, before its sums are checked."""

    opening: Opening
    text: bytes
    content: bytes

    @cached_property
    def head(self) -> dict[str, Any]:
        """What it says of itself; raises Damaged when it cannot be read."""
        try:
            head: Any = json.loads(self.text)
            return {**head, "number": int(head["number"]), "call": str(head["call"]), "arrays": list(head["arrays"])}
        except (ValueError, KeyError, TypeError) as error:
            raise Damaged(f"its head cannot be read ({error})") from None

    def unpack(self) -> Exchange:
        """Return the exchange; raises Damaged when any bit of it was altered, and names the reading if it is one."""
        intact = zlib.crc32(self.content, zlib.crc32(self.text, zlib.crc32(self.opening.prefix))) == self.opening.check
        sides: dict[str, dict[str, Array]] = {"given": {}, "answered": {}}
        start = 0
        try:
            for entry in self.head["arrays"]:
                stored = np.frombuffer(self.content, entry["as"], int(np.prod(entry["shape"], dtype=np.int64)), start)
                stored = stored.reshape(entry["shape"])
                start += stored.nbytes
                if (entry["side"], entry["name"]) == ("answered", OUTPUTS) and stored.size:
                    if not intact:
                        _find_altered(self.content, start, stored, entry, sides["given"].get("rows"))
                    start += sum(sums.nbytes for sums in _cross_sums(stored))
                sides[entry["side"]][entry["name"]] = _as_given(stored, np.dtype(entry["type"]), entry.get("step"))
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, Damaged):
                raise
            raise Damaged(f"its arrays cannot be read ({error})") from None
        if not intact:
            raise Damaged("its sum is not that of what was written")
        error = self.head["error"]
        return Exchange(
            number=self.head["number"],
            call=self.head["call"],
            layer=self.head["layer"],
            now_s=self.head["now_s"],
            plain=self.head["plain"],
            error=None if error is None else (str(error[0]), str(error[1])),
            **sides,
        )


def _smallest(array: Array, step: float | None) -> tuple[Array, float | None]:
    """Return *array* in the smallest type that loses nothing, and the step that its counts are of, or None."""
    array = np.ascontiguousarray(array)
    if array.dtype.kind in "iu":
        return _as_counts(array), None
    if array.dtype != np.float64 or not array.size:
        return array, None
    with np.errstate(over="ignore", invalid="ignore"):  # what does not fit is kept as it is
        if step is not None:
            counts = np.rint(array * (1.0 / step))
            if np.array_equal(counts * step, array) and np.abs(counts).max() < 2**31:
                return _as_counts(counts), step
        single = array.astype(np.float32)
    return (single, None) if np.array_equal(single.astype(np.float64), array) else (array, None)


def _as_counts(array: Array) -> Array:
    if not array.size:
        return array.astype(_COUNTS[0])
    low, high = int(array.min()), int(array.max())
    for kind in _COUNTS:
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return array.astype(kind)
    return array


def _as_given(stored: Array, kind: np.dtype[Any], step: float | None) -> Array:
    array = stored.astype(kind)
    return array if step is None else cast("Array", array * step)


def _cross_sums(stored: Array) -> tuple[Array, Array]:
    """Return the exclusive or of each reading over its outputs, and of each output over all readings."""
    words = np.ascontiguousarray(stored).view(f"<u{stored.dtype.itemsize}").reshape(-1, stored.shape[-1])
    return np.bitwise_xor.reduce(words, axis=1), np.bitwise_xor.reduce(words, axis=0)


def _find_altered(content: bytes, start: int, stored: Array, entry: Mapping[str, Any], rows: Array | None) -> None:
    """Raise Damaged that names the one output that was altered, with what stood there; return when it is not one."""
    altered: list[Array] = []
    for sums in _cross_sums(stored):
        kept = np.frombuffer(content, sums.dtype, len(sums), start)
        start += kept.nbytes
        altered.append(sums ^ kept)
    readings, outputs = (np.flatnonzero(difference) for difference in altered)
    if len(readings) != 1 or len(outputs) != 1 or altered[0][readings[0]] != altered[1][outputs[0]]:
        return
    place = tuple(int(index) for index in np.unravel_index(int(readings[0]), stored.shape[:-1]))
    word = np.ascontiguousarray(stored[place][outputs]).view(altered[0].dtype) ^ altered[0][readings]
    factor = float(entry.get("step", 1.0))
    was, now = float(word.view(stored.dtype)[0]) * factor, float(stored[place][outputs[0]]) * factor
    row = place[-1] if rows is None else int(rows[place[-1]])
    at = f"setting {place[0]}, pattern {row}" if len(place) == 2 else f"pattern {row}"
    raise Damaged(
        f"{at} (place {place[-1]}), output {int(outputs[0])} is {now:.9g} {entry['unit']}, what was written there was "
        f"{was:.9g} {entry['unit']}"
    )
