"""Fault plans: what goes wrong with which instrument and when, as data or drawn from a seed."""

from collections.abc import Iterable
from typing import Annotated, Literal, Protocol, Self

from numpy.random import Generator, Philox, SeedSequence
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

FaultKind = Literal[
    "drop",
    "delay",
    "garbage",
    "half-line",
    "dribble",
    "close",
    "reboot",
    "stuck",
    "over-range",
    "dead-channel",
    "wrong-count",
    "partial-list",
    "serial-error",
    "complaint",
    "module-restart",
]
ON_THE_WIRE: tuple[FaultKind, ...] = ("close", "drop", "delay", "garbage", "half-line", "dribble")
"""What happens to a reply on its way, in the order in which it is looked for; one of them strikes an exchange."""
OF_SOURCES: tuple[FaultKind, ...] = ("reboot", "dead-channel", "wrong-count", "partial-list")
OF_METERS: tuple[FaultKind, ...] = ("reboot", "dead-channel", "wrong-count", "stuck", "over-range")
OF_RACKS: tuple[FaultKind, ...] = (
    "reboot",
    "dead-channel",
    "stuck",
    "wrong-count",
    "partial-list",
    "serial-error",
    "complaint",
    "module-restart",
)
BY_CHANNEL: tuple[FaultKind, ...] = ("stuck", "over-range", "dead-channel", "complaint", "module-restart")
FOR_GOOD = 2**62
"""An exchange that never comes."""


class Fault(BaseModel):
    """One thing that goes wrong.

    A fault with an ``exchange`` strikes once, at the first exchange from that number on to which it can happen: a reply
    can only be late when there is one. A fault with a ``probability`` is drawn for every exchange anew.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    instrument: str
    """Name of the instrument that it happens to."""
    kind: FaultKind
    """What happens."""
    exchange: PositiveInt | None = None
    """Number of the message to the instrument, from 1, over all connections."""
    probability: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Chance of each message; give this or ``exchange``."""
    channel: PositiveInt | None = None
    """Channel that it happens to, from 1 (of a rack as well); None: all of them."""
    lasts: PositiveInt | None = None
    """Exchanges for which it holds; None: one, but a dead channel stays dead."""
    delay_s: Annotated[float, Field(ge=0.0, le=60.0)] = 0.05
    """How late a reply is, and how long a dribbling one takes in all."""
    surplus: Annotated[int, Field(ge=-1, le=1)] = -1
    """Values that a list with a wrong count has too many; -1: its last one is missing."""

    @model_validator(mode="after")
    def _strikes_some_time(self) -> Self:
        if (self.exchange is None) == (self.probability is None):
            raise ValueError(f"fault {self.kind!r}: give either exchange or probability")
        if self.surplus == 0:
            raise ValueError(f"fault {self.kind!r}: surplus must be -1 or 1")
        return self

    @property
    def exchanges(self) -> int:
        """Exchanges for which it holds."""
        if self.lasts is not None:
            return self.lasts
        return FOR_GOOD if self.kind == "dead-channel" else 1


class Breakable(Protocol):
    """What a random plan must know of an instrument; the instruments of an emulation's specification know it."""

    @property
    def name(self) -> str:
        """Name of the instrument."""
        ...

    @property
    def n_channels(self) -> int:
        """Channels, numbered from 1."""
        ...

    @property
    def breaks_by(self) -> tuple[FaultKind, ...]:
        """What can happen to it."""
        ...


class FaultPlan(BaseModel):
    """All that goes wrong in one emulation; the same seed and the same messages have the same faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of what is drawn: the exchanges struck by probability, and garbage."""
    faults: tuple[Fault, ...] = ()
    """The faults, in no particular order."""

    @classmethod
    def random(
        cls,
        seed: int,
        instruments: Iterable[Breakable],
        *,
        exchanges: int,
        n_faults: int = 3,
        kinds: Iterable[FaultKind] | None = None,
        delay_s: float = 0.05,
    ) -> Self:
        """Draw a plan of *n_faults* faults within the first *exchanges* messages to each instrument.

        Raises ValueError when *kinds* has nothing that can happen to any of the instruments.
        """
        rng = Generator(Philox(SeedSequence(seed)))
        wanted = None if kinds is None else set(kinds)
        possible: list[tuple[Breakable, FaultKind]] = [
            (instrument, kind)
            for instrument in instruments
            for kind in instrument.breaks_by
            if wanted is None or kind in wanted
        ]
        if not possible:
            raise ValueError(f"none of {sorted(wanted or ())} can happen to these instruments")
        faults: list[Fault] = []
        for _ in range(n_faults):
            instrument, kind = possible[rng.integers(len(possible))]
            exchange, channel = 1 + int(rng.integers(exchanges)), 1 + int(rng.integers(instrument.n_channels))
            surplus = 1 - 2 * int(rng.integers(2))
            faults.append(
                Fault(
                    instrument=instrument.name,
                    kind=kind,
                    exchange=exchange,
                    channel=channel if kind in BY_CHANNEL else None,
                    delay_s=delay_s,
                    surplus=surplus,
                )
            )
        return cls(seed=seed, faults=tuple(faults))
