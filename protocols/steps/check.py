"""``check``: looks over the bench from one end to the other, and counts what is not as it should be."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ffzero_lab.device import Counts
from ffzero_lab.errors import RunFailed
from ffzero_lab.inspection import inspect
from protocols.planning import Look, Planned
from protocols.schema import Results, Step
from protocols.work import Work

REPEATS = 3


class Checked(Results):
    """What ``check`` finds."""

    problems: list[str]
    """What is not as it should be, in words."""
    health: dict[str, float]
    """Health readings by channel."""


class Check(Step):
    """Park, read back, read in the dark, time every exchange; with ``energise`` also move every parameter a little."""

    found: ClassVar[type[Results]] = Checked

    kind: Literal["check"] = "check"
    energise: bool = False
    """Also write the safe state, drive inputs fully and move every parameter by a twentieth of its range."""
    problems_allowed: Annotated[int, Field(ge=0)] = 0
    """More of them than this, and the step has failed."""

    def plan(self, look: Look) -> Planned:
        """Return the plan."""
        layers = len(look.device.description.layers)
        if not self.energise:
            return Planned(touches=("parks, reads back and in the dark; switches nothing on",))
        counts = Counts(writes=layers, readings=layers * (REPEATS + 1), shots=layers * (REPEATS + 1))
        moves = ("parks; then writes the safe state, drives all inputs fully, moves every parameter by 5 %",)
        return Planned(counts, touches=moves, asks=("nobody in the beam: sources and inputs are switched on",))

    def run(self, work: Work) -> Checked:
        """Inspect; raises RunFailed for more problems than are allowed."""
        guard = work.shift.guard

        def look() -> dict[str, Any]:
            report = inspect(guard, energise=self.energise, repeats=REPEATS)
            return {"problems": report.problems, "health": {each["channel"]: each["value"] for each in report.health}}

        found = Checked(**work.kept("look", look))
        for problem in found.problems:
            work.tell(f"problem: {problem}")
        if len(found.problems) > self.problems_allowed:
            raise RunFailed(
                f"{len(found.problems)} problems, {self.problems_allowed} are allowed; the first: {found.problems[0]}"
            )
        work.tell(f"{len(found.problems)} problems")
        return found
