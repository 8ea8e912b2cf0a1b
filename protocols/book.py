"""The book of a protocol: how every step came out, and the parts of the one under way."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ffzero_lab.device import Counts

State = Literal["waiting", "running", "stopped", "done", "failed"]
"""``stopped``: it failed and ended the protocol, which can be resumed at it; ``failed``: the protocol went on."""
Plain = dict[str, Any]


@dataclass
class Entry:
    """One step's outcome so far."""

    name: str
    kind: str
    state: State = "waiting"
    round: int = 1
    """How often it was begun anew, by ``until`` or ``--from``; 1 at first."""
    repetition: int = 1
    """How often ``until`` had it carried out."""
    attempts: int = 0
    failures: list[str] = field(default_factory=list[str])
    results: Plain | None = None
    counts: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    device_seconds: float = 0.0
    recorded_before: int = 0
    """Exchanges in the recording when it was begun."""
    began: str | None = None
    ended: str | None = None

    @property
    def over(self) -> bool:
        """Whether the protocol has gone past it."""
        return self.state in ("done", "failed")

    def spent(self) -> Counts:
        """Return all its counts together."""
        return sum((Counts(**counts) for counts in self.counts.values()), Counts())


@dataclass
class Book:
    """All entries, and what goes on."""

    entries: list[Entry]
    parts: dict[str, Any] = field(default_factory=dict[str, Any])
    """Parts of the step under way that are measured, as plain values."""
    record: str | None = None
    """The calibration record in force, a path within the run folder."""
    sentinel: Plain = field(default_factory=dict[str, Any])
    notes: list[str] = field(default_factory=list[str])
    """What the operator was told beside the plan."""
    step_began_s: float = 0.0
    """Device time at which the step under way began, on the device's clock."""
    step_earlier_s: float = 0.0
    """Device time it took in earlier processes, where the clock does not go on."""

    def folder_of(self, entry: Entry) -> str:
        """Return the name of the folder in which a step keeps files; another one each time it is begun anew."""
        again = "" if entry.round == 1 else f"-{entry.round}"
        return f"{self.entries.index(entry) + 1:02d}-{entry.name}{again}"

    def results(self) -> dict[str, Plain | None]:
        """Return the results by step."""
        return {entry.name: entry.results for entry in self.entries}

    def to_plain(self) -> Plain:
        """Return everything as plain values."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Book":
        """Read back what :meth:`to_plain` gave."""
        fields = dict(plain)
        fields["entries"] = [Entry(**entry) for entry in fields["entries"]]
        return cls(**fields)


def now() -> str:
    """Return the time on the wall, for people."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
