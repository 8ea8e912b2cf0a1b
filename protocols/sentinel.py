"""The drift sentinel: measures a fixed setting again every so often, and acts when it has changed too much."""

from collections.abc import Callable
from math import inf
from typing import Any

from ffzero_lab.device import Counts
from protocols.reference import Looked, Reference
from protocols.schema import SentinelTable
from protocols.shift import Shift

KEPT_LOOKS = 1000
"""Of a longer history the newest looks are kept, and of all of them the number and the largest change."""
Recalibrate = Callable[[int], str]
"""Carries out re-calibration number n from 1; returns the record's path within the run folder."""


class Sentinel:
    """Looks, compares and acts; the device is parked before and after every look.

    All it remembers is a dictionary in the book, replaced as a whole each time: it goes into the checkpoints of the
    protocol and into those of a training run, so that a resumed one looks at the very same moments.

    Parameters
    ----------
    table
        What the protocol says.
    shift
        The protocol under way.
    recalibrate
        Carries out a re-calibration.
    """

    def __init__(self, table: SentinelTable, shift: Shift, recalibrate: Recalibrate) -> None:
        self._table, self._shift, self._recalibrate = table, shift, recalibrate
        self._reference = Reference(shift.guard, table.seed)

    def begin(self) -> None:
        """Watch from now on; the first look takes the reference."""
        if not self._state:
            self._set(watching=True, due_s=self._now_s, looks=0, recalibrations=0, reference=None, seen=[], seconds=0.0)

    def renew(self) -> None:
        """Take the reference anew at the next moment: the device was calibrated."""
        if self._state:
            self._set(due_s=self._now_s, reference=None)

    def resumed(self) -> None:
        """Look at once after an interruption during which nobody looked: on hardware, whose clock went on."""
        if self._state and not self._shift.exact:
            self._set(due_s=self._now_s)

    def due(self) -> bool:
        """Tell whether it is time to look."""
        return self.due_in_s() <= 0.0

    def due_in_s(self) -> float:
        """Return the device time until the next look; infinite before it watches."""
        return self._state["due_s"] - self._now_s if self._state.get("watching") else inf

    def act(self) -> None:
        """Look, compare, and do what the protocol says; raises what the device raises."""
        began_s = self._now_s
        reference: Any = self._state["reference"]
        looked = self._look()
        if reference is None:
            self._take(looked)
        else:
            change = looked.change_since(Looked.from_plain(reference))
            beyond = change > self._table.bound
            self._see(change, self._respond(change) if beyond else "within the bound")
        self._set(due_s=self._now_s + self._table.every, seconds=self._state["seconds"] + self._now_s - began_s)

    def _respond(self, change: float) -> str:
        """Act on a change beyond the bound; returns what was done."""
        table, shift = self._table, self._shift
        told = f"drift: the reference has changed by {change:.2%}, more than {table.bound:.2%}"
        done = self._state["recalibrations"]
        if table.on_drift == "recalibrate" and done < table.most:
            shift.tell(f"{told}; calibrating again ({done + 1} of at most {table.most})")
            with shift.going_aside("calibrating again"), shift.account() as ledger:
                record = self._recalibrate(done + 1)
            self._count(ledger.total)
            shift.book.record = record
            self._set(recalibrations=done + 1)
            self._take(self._look())
            return "recalibrated"
        before = self._state["seen"]
        if before and before[-1]["action"] == "noted":
            shift.tell(told)
        else:
            shift.note(told)
        if table.on_drift == "pause":
            shift.pause(told)
            self._take(self._look())
            return "paused"
        return "noted"

    def _look(self) -> Looked:
        shift = self._shift
        with (
            shift.going_aside("looking for drift"),
            shift.account() as ledger,
            ledger.spending_on("calibration"),
        ):
            shift.guard.park()
            self._reference.hold()
            until_s = self._now_s + self._table.settle
            while (left_s := until_s - self._now_s) > 0.0:
                shift.sleep_slice(left_s)
            looked = self._reference.look()
            shift.guard.park()
        self._count(ledger.total)
        self._set(looks=self._state["looks"] + 1)
        return looked

    def _take(self, looked: Looked) -> None:
        self._set(reference=looked.as_plain())

    def _see(self, change: float, action: str) -> None:
        seen = {"device_s": self._now_s, "change": change, "action": action, "step": self._shift.entry.name}
        largest = max(change, self._state.get("largest_change", 0.0))
        self._set(seen=[*self._state["seen"][1 - KEPT_LOOKS :], seen], largest_change=largest)
        if action == "within the bound":
            self._shift.tell(f"sentinel: the reference has changed by {change:.2%}")

    def _count(self, counts: Counts) -> None:
        before = Counts(*self._state.get("counts", (0, 0, 0)))
        total = before + counts
        self._set(counts=[total.writes, total.readings, total.shots])

    @property
    def _state(self) -> dict[str, Any]:
        return self._shift.book.sentinel

    @property
    def _now_s(self) -> float:
        return self._shift.guard.clock.now_s()

    def _set(self, **changes: Any) -> None:
        self._shift.book.sentinel = {**self._shift.book.sentinel, **changes}
