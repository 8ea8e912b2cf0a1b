"""``confirm``: waits until the operator agrees, at the terminal or from another shell."""

from typing import ClassVar, Literal

from protocols.planning import Look, Planned
from protocols.schema import Results, Step
from protocols.work import Work


class Confirmed(Results):
    """What ``confirm`` finds."""

    answered: str
    """``terminal``, ``control`` (``ffzero-lab continue RUN``) or ``beforehand`` (``--yes``)."""


class Confirm(Step):
    """Ask the operator; saying no ends the protocol, parked, and resuming asks again."""

    found: ClassVar[type[Results]] = Confirmed
    energises: ClassVar[bool] = False

    kind: Literal["confirm"] = "confirm"
    message: str
    """What is asked; may refer to results."""
    park: bool = True
    """Park the device before asking."""

    def plan(self, look: Look) -> Planned:
        """Return the plan."""
        del look
        parks = ("parks",) if self.park else ("leaves everything as it is",)
        return Planned(touches=parks, asks=(self.message,))

    def run(self, work: Work) -> Confirmed:
        """Ask, unless everything was agreed to beforehand; raises Interruption when the operator says no."""
        shift = work.shift
        if self.park:
            shift.guard.park()
        if shift.agreed:
            work.tell(f"{self.message}  agreed to beforehand")
            return Confirmed(answered="beforehand")
        return Confirmed(answered=shift.confirmed(self.message))
