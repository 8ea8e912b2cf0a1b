"""The faults of one instrument while it runs: which of the planned ones strike the present exchange."""

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from numpy.typing import NDArray

from drivers.emulator.faults import Fault, FaultKind, FaultPlan
from drivers.emulator.witness import Witness


class Troubles:
    """Counts the exchanges of one instrument and tells which faults hold.

    A fault is asked for where it would happen, and strikes when asked for: one that cannot happen to an exchange
    (no reply to delay, no list to cut short) waits for one to which it can.
    """

    def __init__(self, instrument: str, plan: FaultPlan, witness: Witness) -> None:
        self._instrument = instrument
        self._seed = plan.seed
        self._witness = witness
        self._exchange = 0
        self._faults = [
            _Planned(fault, np.random.default_rng((plan.seed, 0, index)))
            for index, fault in enumerate(plan.faults)
            if fault.instrument == instrument
        ]
        self._by_kind: dict[FaultKind, list[_Planned]] = {}
        for planned in self._faults:
            self._by_kind.setdefault(planned.fault.kind, []).append(planned)

    def next_exchange(self) -> None:
        """Go on to the next exchange."""
        self._exchange += 1
        for planned in self._faults:
            planned.draw(self._exchange)

    def strikes(self, kind: FaultKind) -> list[Fault]:
        """Return the faults of this kind that strike, or still hold."""
        holding: list[Fault] = []
        for planned in self._by_kind.get(kind, ()):
            fault = planned.fault
            if planned.strikes(self._exchange):
                self._witness.fault(self._instrument, kind, self._exchange, fault.channel)
            if self._exchange <= planned.until:
                holding.append(fault)
        return holding

    def are_planned(self, *kinds: FaultKind) -> bool:
        """Tell whether any fault of these kinds strikes ever."""
        return not self._by_kind.keys().isdisjoint(kinds)

    def channels(self, kind: FaultKind, n_channels: int) -> NDArray[np.bool_]:
        """Return which channels (n_channels,) a fault of this kind holds for."""
        struck = np.zeros(n_channels, dtype=np.bool_)
        for fault in self.strikes(kind):
            struck[slice(None) if fault.channel is None else fault.channel - 1] = True
        return struck

    def dice(self) -> Generator:
        """Return the source of what is drawn for the present exchange."""
        return Generator(Philox(SeedSequence(self._seed, spawn_key=(1, self._exchange))))


class _Planned:
    def __init__(self, fault: Fault, dice: Generator) -> None:
        self.fault = fault
        self.until = 0
        """Last exchange for which it holds."""
        self._dice = dice
        self._due = fault.exchange
        """Exchange from which on it may strike."""

    def draw(self, exchange: int) -> None:
        if self.fault.probability is not None:
            self._due = exchange if self._dice.random() < self.fault.probability else None

    def strikes(self, exchange: int) -> bool:
        if self._due is None or exchange < self._due:
            return False
        self._due = None
        self.until = exchange + self.fault.exchanges - 1
        return True
