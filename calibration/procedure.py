"""What a procedure is: it measures through the device port and says what it found, with uncertainties."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ffzero_lab.device import Counts, Guarded, LayerDescription
from ffzero_lab.device.record import Finding, Quantity, Transfer

Sweep = Mapping[str, NDArray[Any]]
"""Raw arrays of one part of a procedure, by name, as they go to the sidecar file."""


class Bench(Protocol):
    """What a procedure is given: one layer of a device, what is known of it so far, and a memory for raw sweeps."""

    device: Guarded
    layer: int
    known: Mapping[str, Quantity]
    """What procedures before this one found, by ``procedure.name``."""
    dead: Mapping[int, str]
    """Parameters known not to move."""
    dead_outputs: Mapping[int, str]

    @property
    def described(self) -> LayerDescription:
        """The layer's description."""
        ...

    def kept(self, name: str, measure: Callable[[], Sweep]) -> Sweep:
        """Return the raw arrays of the part *name* of this procedure, measuring them if that was not done before.

        An interrupted calibration is resumed here: a part that was measured is read from the sidecar. So a part writes
        its own setpoints and loads its own patterns, and trusts nothing that an earlier part left on the device. It
        begins and ends parked: no actuator is driven while sweeps are evaluated or another layer is measured.
        """
        ...

    def rng(self, purpose: int) -> Generator:
        """Return a generator keyed by the calibration's seed, this procedure, the layer and *purpose*."""
        ...

    def tell(self, message: str) -> None:
        """Show a person what is going on."""
        ...

    def heed(self) -> None:
        """Raise what a signal or an interlock asks for; long evaluations call it between their steps."""
        ...


@dataclass(frozen=True)
class Outcome:
    """What a procedure found."""

    quantities: Mapping[str, Quantity] = field(default_factory=dict[str, Quantity])
    """By name within the procedure: ``pi_power``."""
    findings: tuple[Finding, ...] = ()
    dead: Mapping[int, str] = field(default_factory=dict[int, str])
    dead_outputs: Mapping[int, str] = field(default_factory=dict[int, str])
    transfer: Transfer | None = None


class Procedure(Protocol):
    """One measurement of the bench, alone in its file, with its physics in the docstring."""

    @property
    def name(self) -> str:
        """As in ``--only NAME`` and in the names of its quantities."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Procedures whose quantities it reads, if there are any; else it works with what the description says."""
        ...

    @property
    def finds(self) -> tuple[str, ...]:
        """What it calls what it finds dead: where it is carried out, that is not believed from an earlier record."""
        ...

    @property
    def waits_s(self) -> float:
        """Device time that it waits between readings, seconds beside what its counts take."""
        ...

    def suits(self, bench: Bench) -> str:
        """Return why this procedure says nothing about this layer; empty: it does."""
        ...

    def predicted(self, bench: Bench) -> Counts:
        """Return the writes, readings and shots it will about take."""
        ...

    def run(self, bench: Bench) -> Outcome:
        """Measure and evaluate; raises the errors of the device port, after which the runner parks."""
        ...


def standing_at(described: LayerDescription) -> NDArray[np.float64]:
    """Return the parameters (P,) at which parking leaves a layer: the background of what moves one at a time."""
    return described.per_parameter("parked")
