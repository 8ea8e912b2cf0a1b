"""``park``: brings the device into its safe state."""

from typing import ClassVar, Literal

from protocols.planning import Look, Planned
from protocols.schema import Results, Step
from protocols.work import Work


class Parked(Results):
    """``park`` finds nothing."""


class Park(Step):
    """Park the device; every protocol ends parked in any case."""

    found: ClassVar[type[Results]] = Parked
    energises: ClassVar[bool] = False

    kind: Literal["park"] = "park"

    def plan(self, look: Look) -> Planned:
        """Return the plan."""
        del look
        return Planned(touches=("switches everything off",))

    def run(self, work: Work) -> Parked:
        """Park; raises LinkTimeout when the device does not get there in time."""
        work.shift.guard.park()
        work.tell("parked")
        return Parked()
