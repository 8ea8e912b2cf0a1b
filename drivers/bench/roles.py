"""What a bench is composed of: actuators, inputs and detectors, each a small class that speaks to one instrument.

A role driver is one of these classes with a ``Config`` (pydantic; the keys of its table in the bench file that the
bench does not know itself) and a class method ``open(config, wiring, clock)``. Opening energises nothing. Values come
and go in the order and the unit of the wiring; limits, counting, settling and staging after a restart are not its work.
It raises the errors of :mod:`ffzero_lab.device` for what goes wrong on the way to the instrument, `StagingLost` when
the instrument has restarted and forgotten what it was given. Health may be read in a thread of its own at any time, and
instruments are parked in threads of their own.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from ffzero_lab.device import Clock, FloatArray, LinkTally

T = TypeVar("T")


@dataclass(frozen=True)
class LinkTable:
    """One ``[links.NAME]`` of the bench file, which the role driver that uses it understands."""

    name: str
    settings: Mapping[str, Any]
    _made: list[Any] = field(default_factory=list[Any], repr=False)

    def shared(self, make: Callable[[Mapping[str, Any]], T]) -> T:
        """Return what *make* makes of the settings, made once for all instruments on this link."""
        if not self._made:
            self._made.append(make(self.settings))
        return self._made[0]


@dataclass(frozen=True)
class Wiring:
    """What the bench file says of an instrument beyond its driver's own keys.

    Attributes
    ----------
    name
        Its name in the file, for messages.
    channels
        The n mapped channels, in the instrument's own numbers and in the order of all values.
    all_channels
        Every channel that the instrument has, mapped or not.
    unit
        Of all values.
    lower, upper
        Limits of a setpoint, or 0 and full scale of a reading.
    safe
        Setpoint for parking, of channels that are not mapped as well; 0 for detectors.
    memory
        Patterns that may be held in the instrument; 0: none.
    resolution
        Worst-case step between two setpoints; 0: not stated.
    slew_per_s
        Fastest change of a setpoint in one second, or None. The guard keeps it; a driver that brings setpoints back
        after a restart has to.
    park_s
        Longest time that parking it may take.
    link
        The table of its link, or None.
    """

    name: str
    channels: tuple[int, ...]
    all_channels: tuple[int, ...]
    unit: str
    lower: float
    upper: float
    safe: float = 0.0
    memory: int = 0
    resolution: float = 0.0
    slew_per_s: float | None = None
    park_s: float = 1.5
    link: LinkTable | None = None


class Instrument(ABC):
    """What all roles have in common."""

    Config: ClassVar[type[Any]]
    """Pydantic model of the driver's own keys."""
    LinkConfig: ClassVar[type[Any] | None] = None
    """Pydantic model of the keys of its link's table; None: not known before it is opened."""

    @classmethod
    @abstractmethod
    def open(cls, config: Any, wiring: Wiring, clock: Clock) -> Self:
        """Connect to the instrument and recognise it, without energising anything."""

    @abstractmethod
    def identify(self) -> str:
        """Ask the instrument who it is."""

    def confirm(self) -> None:  # noqa: B027 - optional
        """Raise StagingLost unless the instrument still holds what it was given last; default: believe it does.

        Called after every reading: an instrument that restarted meanwhile would have spoilt it.
        """

    def health(self) -> Mapping[str, float]:
        """Return readings of the instrument's own state by name; default none."""
        return {}

    def link_tallies(self) -> Mapping[str, LinkTally]:
        """Return what each link it uses has seen, by the link's name; asks nobody."""
        return {}

    @abstractmethod
    def park(self) -> None:
        """Bring every channel into its safe state, from any state; calling it again changes nothing."""

    @abstractmethod
    def close(self) -> None:
        """Let the instrument go, as it stands; the bench has parked it before. Calling it again does nothing."""


class Actuators(Instrument):
    """Sets parameters: heaters, servos."""

    @abstractmethod
    def write(self, values: FloatArray) -> None:
        """Set all mapped channels to *values* (n,)."""

    def read_back(self) -> FloatArray | None:
        """Return the setpoints (n,) as the instrument reports them; default None, for one that cannot."""
        return None

    def measure(self) -> tuple[FloatArray, FloatArray] | None:
        """Return the volts (n,) and amperes (n,) that the mapped channels measure; default None, for one without."""
        return None


class Inputs(Instrument):
    """Presents patterns: modulators, sources, force coils. Those with a pattern memory also load and recall."""

    @abstractmethod
    def present(self, values: FloatArray) -> None:
        """Present *values* (n,) and leave them on."""

    def load(self, address: int, patterns: FloatArray) -> None:
        """Store *patterns* (S, n) in the memory from *address* on; addresses count from 0."""
        raise NotImplementedError(f"{type(self).__name__} has no pattern memory; take `memory` out of its table")

    def recall(self, address: int) -> None:
        """Present the stored pattern at *address* and leave it on."""
        raise NotImplementedError(f"{type(self).__name__} has no pattern memory; take `memory` out of its table")

    def arm(self, addresses: Sequence[int]) -> bool:
        """Present the stored pattern of the first address, and the next after each reading of the detectors.

        Return False, having done nothing, where the instrument cannot step by itself; default.
        """
        del addresses
        return False

    def finish(self, count: int) -> None:
        """Raise an error unless the last of *count* armed patterns is presented: a lost step shifts all the others."""
        del count


class Detectors(Instrument):
    """Reads outputs: photodiodes, power meters, gauges."""

    @abstractmethod
    def read(self) -> FloatArray:
        """Measure all mapped channels (n,) now; infinite where one is over its range, never a sentinel."""

    def read_steps(self, count: int) -> FloatArray:
        """Measure (count, n) while armed inputs step on after each reading; default reads one by one."""
        return np.stack([self.read() for _ in range(count)])
