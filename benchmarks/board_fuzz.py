"""Damaged frames for boards: what is drawn, and how the emulation and the firmware take it.

Every record is what comes over the line between two silences, for a board of two layers with five parameters, three
inputs and four outputs, whose setpoints may be 100 to 60,000. Most records are a good frame that was damaged: bits
flipped, bytes overwritten, lost, inserted or swapped, cut off, two frames run into one, noise in front. A few are good,
to see that they are obeyed, and some are whole frames with nonsense inside.
"""

import random
import struct
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

from drivers.board import requests
from drivers.board.frames import Type, encoded
from drivers.board.messages import BoardLayer, Codes, Hello, Limits, Span
from drivers.emulator.board import EmulatedBoard
from drivers.emulator.faults import FaultPlan
from drivers.emulator.troubles import Troubles
from drivers.emulator.witness import Witness

LOWEST, HIGHEST = 100, 60_000
PARAMETERS, INPUTS, OUTPUTS = 5, 3, 4
GAP_MS = 50


class Kind(Enum):
    """What a record is."""

    DAMAGED = "damaged"
    GOOD = "good"
    NONSENSE = "nonsense"


@dataclass(frozen=True)
class Record:
    """Bytes between two silences, and how many settings they ask for if they are obeyed."""

    kind: Kind
    content: bytes
    settings: int = 0


def records(seed: int, count: int) -> Iterator[Record]:
    """Draw *count* records."""
    dice = random.Random(seed)
    for number in range(count):
        frame, settings = good_frame(dice, 1 + number % 65_534)  # the same number again would be refused
        what = dice.random()
        if what < 0.02:
            yield Record(Kind.GOOD, frame, settings)
        elif what < 0.10:
            payload = dice.randbytes(dice.randrange(1, 60))
            kind = dice.choice([*Type, dice.randrange(256)])
            yield Record(Kind.NONSENSE, encoded(kind, 1 + number % 65_534, payload))
        else:
            damaged = frame
            while damaged.startswith(frame):  # whole after all, whatever stands behind it
                damaged = dice.choice(DAMAGES)(dice, frame)
            yield Record(Kind.DAMAGED, damaged)


def good_frame(dice: random.Random, sequence: int) -> tuple[bytes, int]:
    """Return a frame, and how many settings it writes."""
    layer = dice.randrange(2)

    def codes(n: int) -> Codes:
        return np.array([dice.randrange(LOWEST, HIGHEST + 1) for _ in range(n)], dtype=np.uint16)

    match dice.randrange(8):
        case 0 | 1 | 2:
            return encoded(Type.WRITE, sequence, requests.write(layer, codes(PARAMETERS))), 1
        case 3 | 4:
            # its rows are not staged at first: then it is refused, but for what a STAGE before it has staged
            settings = codes(2 * PARAMETERS).reshape(2, PARAMETERS)
            return encoded(Type.PROBE, sequence, requests.probe(layer, settings, np.zeros(2, dtype=int))), 2
        case 5:
            patterns = codes(2 * INPUTS).reshape(2, INPUTS)
            return encoded(Type.STAGE, sequence, requests.stage(layer, 0, patterns, anew=True)), 0
        case 6:
            return encoded(Type.READ, sequence, requests.read(layer, np.zeros(3, dtype=int))), 0
        case _:
            return encoded(dice.choice([Type.HEARTBEAT, Type.HEALTH, Type.PARK]), sequence), 0


def _flipped(dice: random.Random, frame: bytes) -> bytes:
    damaged = bytearray(frame)
    for _ in range(dice.choice((1, 1, 2, 3, 8, 30))):
        damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
    return bytes(damaged)


def _overwritten(dice: random.Random, frame: bytes) -> bytes:
    begin = dice.randrange(len(frame))
    length = min(len(frame) - begin, dice.randrange(1, 20))
    return frame[:begin] + dice.randbytes(length) + frame[begin + length :]


def _cut(dice: random.Random, frame: bytes) -> bytes:
    return frame[: dice.randrange(1, len(frame))]


def _lost(dice: random.Random, frame: bytes) -> bytes:
    begin = dice.randrange(len(frame) - 1)
    return frame[:begin] + frame[begin + dice.randrange(1, 5) :]


def _inserted(dice: random.Random, frame: bytes) -> bytes:
    place = dice.randrange(len(frame))
    return frame[:place] + dice.randbytes(dice.randrange(1, 5)) + frame[place:]


def _swapped(dice: random.Random, frame: bytes) -> bytes:
    damaged = bytearray(frame)
    one, other = dice.randrange(len(frame)), dice.randrange(len(frame))
    damaged[one], damaged[other] = damaged[other], damaged[one]
    return bytes(damaged)


def _spliced(dice: random.Random, frame: bytes) -> bytes:
    other, _ = good_frame(dice, dice.randrange(1, 65_535))
    spliced = frame[: dice.randrange(1, len(frame))] + other[dice.randrange(1, len(other)) :]
    return frame if spliced == other else spliced  # which would be whole


def _behind_noise(dice: random.Random, frame: bytes) -> bytes:
    noise = dice.randbytes(dice.randrange(1, 12))
    return frame if noise[0] == frame[0] else noise + frame


DAMAGES = (_flipped, _overwritten, _cut, _lost, _inserted, _swapped, _spliced, _behind_noise)


@dataclass
class Verdict:
    """What a board made of records."""

    records: Counter[str]
    setpoints_from_damage: int = 0
    readings_from_damage: int = 0
    granted_from_damage: int = 0
    """Requests without a payload (to park, to tell) that 16 bits let pass."""
    good_writes_obeyed: int = 0
    good_writes: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing moved that must not, and what is good was obeyed."""
        return not self.setpoints_from_damage and self.good_writes_obeyed == self.good_writes > 0


def judged(given: Sequence[Record], counts: bytes) -> Verdict:
    """Return what *counts* (writes, rows, grants for each record) tell."""
    verdict = Verdict(Counter(record.kind.value for record in given))
    for record, (writes, rows, granted) in zip(given, struct.iter_unpack("BBB", counts), strict=True):
        if record.kind is Kind.DAMAGED:
            verdict.setpoints_from_damage += writes
            verdict.readings_from_damage += rows
            verdict.granted_from_damage += granted
        elif record.kind is Kind.GOOD and record.settings == 1:
            verdict.good_writes += 1
            verdict.good_writes_obeyed += writes == 1
    return verdict


def fed_to_firmware(program: Path, given: Sequence[Record], folder: Path) -> Verdict:
    """Give records to the firmware; raises RuntimeError with what it or a sanitizer says when it does not survive."""
    file = folder / "records.bin"
    with file.open("wb") as out:
        for record in given:
            out.write(struct.pack("<I", len(record.content)) + record.content)
    with file.open("rb") as source:
        ended = subprocess.run([program], stdin=source, capture_output=True, check=False)
    if ended.returncode != 0 or ended.stderr:
        raise RuntimeError(f"the firmware ended with {ended.returncode}: {ended.stderr.decode(errors='replace')}")
    return judged(given, ended.stdout)


def fed_to_emulation(given: Sequence[Record]) -> Verdict:
    """Give records to the emulation in Python."""
    plant, clock = _Plant(), [0.0]
    board = EmulatedBoard(plant, Troubles("board", FaultPlan(), Witness(None)), now_s=lambda: clock[0])  # type: ignore[arg-type]
    hello = encoded(Type.HELLO, 65_535, requests.hello(0))
    counts = bytearray()
    for number, record in enumerate(given):
        clock[0] += 2e-3 * GAP_MS
        board.tick()
        _feed(board, hello, len(hello))
        plant.writes = plant.rows = 0
        granted = _feed(board, record.content, (1, 7, 4096)[number % 3])
        counts += bytes((min(plant.writes, 255), min(plant.rows, 255), min(granted, 255)))
    return judged(given, bytes(counts))


def _feed(board: EmulatedBoard, content: bytes, at_once: int) -> int:
    """Give bytes as a line does; returns how many requests were granted."""
    buffer, granted = b"", 0
    for first in range(0, len(content), at_once):
        buffer += content[first : first + at_once]
        while buffer and (end := board.message_end(buffer)) is not None:
            message, buffer = buffer[:end], buffer[end:]
            reply = board.answer(message)
            granted += bool(reply) and reply[1] < Type.EVENT
    if buffer:
        board.broken_off(buffer)
    return granted


class _Plant:
    """Counts what reaches the converters."""

    def __init__(self) -> None:
        span = Span(0.0, 1.0)
        layer = BoardLayer(PARAMETERS, INPUTS, OUTPUTS, 0, span, span, span)
        self.hello = Hello("FEED", (layer, layer), 682, 512, 1024, GAP_MS, 1000, health_channels=1)
        ends = [np.full(PARAMETERS, end, dtype=np.uint16) for end in (LOWEST, HIGHEST, LOWEST)]
        self.limits = [Limits(*ends)] * 2
        self.writes = self.rows = 0

    def write(self, layer: int, codes: Codes) -> None:
        del layer
        assert LOWEST <= codes.min() <= codes.max() <= HIGHEST, "a setpoint out of limits was written"
        self.writes += 1

    def measure(self, layer: int, patterns: Codes) -> Codes:
        del layer
        self.rows += len(patterns)
        return patterns[:, np.arange(OUTPUTS) % INPUTS]

    def read(self, layer: int) -> Codes:
        del layer
        self.rows += 1
        return np.ones(OUTPUTS, dtype=np.uint16)

    def park(self) -> None:
        pass

    def health(self) -> list[int]:
        return [25_000]

    def refused(self, layer: int, place: int, code: int) -> None:
        pass
