"""Counts of measurements, the currency of every comparison, kept apart by what they were spent on."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Self, get_args

from ffzero_lab.device.description import Timing

Purpose = Literal["training", "carry", "evaluation", "calibration", "baseline"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)


@dataclass(frozen=True)
class Counts:
    """What was asked of the device: parameter writes, batches read, patterns presented."""

    writes: int = 0
    readings: int = 0
    """Batches read at one setting of the parameters, the unit of ``--max-readings``."""
    shots: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.writes + other.writes, self.readings + other.readings, self.shots + other.shots)

    def __sub__(self, other: "Counts") -> "Counts":
        return Counts(self.writes - other.writes, self.readings - other.readings, self.shots - other.shots)

    def times(self, factor: int) -> "Counts":
        """Return the counts of so many repetitions."""
        return Counts(self.writes * factor, self.readings * factor, self.shots * factor)

    def seconds(self, timing: Timing) -> float:
        """Return the predicted device time in seconds: writes·τp + shots·τx."""
        return self.writes * timing.write_s + self.shots * timing.shot_s


@dataclass
class Ledger:
    """The running counts of one device, by purpose."""

    by_purpose: dict[Purpose, Counts] = field(default_factory=lambda: {p: Counts() for p in PURPOSES})
    purpose: Purpose = "training"

    def add(self, *, writes: int = 0, readings: int = 0, shots: int = 0) -> None:
        """Book measurements on the current purpose."""
        booked = self.by_purpose[self.purpose]
        self.by_purpose[self.purpose] = Counts(booked.writes + writes, booked.readings + readings, booked.shots + shots)

    @contextmanager
    def spending_on(self, purpose: Purpose) -> Generator[Self]:
        """Book everything inside the block on *purpose*."""
        before, self.purpose = self.purpose, purpose
        try:
            yield self
        finally:
            self.purpose = before

    @property
    def total(self) -> Counts:
        """All purposes together."""
        return sum(self.by_purpose.values(), Counts())

    def as_json(self) -> dict[str, dict[str, int]]:
        """Return the counts as plain dictionaries."""
        return {purpose: dict(vars(counts)) for purpose, counts in self.by_purpose.items()}  # asdict takes ten times it

    def restore(self, saved: Mapping[Purpose, Mapping[str, int]]) -> None:
        """Continue from counts written by :meth:`as_json`."""
        self.by_purpose.update({purpose: Counts(**counts) for purpose, counts in saved.items()})
