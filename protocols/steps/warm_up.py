"""``warm-up``: holds a fixed setting with light in until its outputs stand still."""

from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from ffzero_lab.errors import RunFailed
from ffzero_lab.training.settings import Duration
from protocols.planning import Look, Planned
from protocols.reference import Looked, Reference, cost_of
from protocols.schema import Few, Results, Seed, Share, Step
from protocols.work import Work


class WarmedUp(Results):
    """What ``warm-up`` finds."""

    looks: int
    """How often it looked."""
    seconds: float
    """Device time until the outputs stood still."""
    last_change: float
    """Of the outputs between the last two looks, beyond noise, as a share of their RMS."""


class WarmUp(Step):
    """Read the outputs of a fixed setting every so often, until they change no more than noise explains."""

    found: ClassVar[type[Results]] = WarmedUp

    kind: Literal["warm-up"] = "warm-up"
    every: Duration = 60.0
    """Device time between two looks."""
    stable: Share = 0.005
    """Change between two looks, beyond noise, as a share of the outputs' RMS, under which they stand still."""
    in_a_row: Few = 2
    """How many changes in a row must be that small."""
    longest: Duration = 3600.0
    """Device time after which it has failed."""
    seed: Seed = 0
    """Seed of the fixed setting and its patterns."""

    @model_validator(mode="after")
    def _can_come_to_rest(self) -> Self:
        if self.longest < self.every * self.in_a_row:
            raise ValueError("longest must leave time for in_a_row looks, one in every")
        return self

    @property
    def most(self) -> int:
        """Most looks, the first included."""
        return 1 + int(self.longest / self.every)

    def plan(self, look: Look) -> Planned:
        """Return the plan, for the longest it may take."""
        return Planned(
            counts=cost_of(look.device.description).times(self.most),
            waits_s=(self.most - 1) * self.every,
            touches=(f"holds a fixed setting of all layers, light in; {self.most} looks at most",),
        )

    def run(self, work: Work) -> WarmedUp:
        """Hold and look; raises RunFailed when the outputs do not come to rest."""
        reference = Reference(work.shift.guard, self.seed)

        def look() -> Any:
            with work.shift.guard.ledger.spending_on("calibration"):
                reference.hold()
                return reference.look().as_plain()

        before, still, change = Looked.from_plain(work.kept("look 0", look)), 0, float("inf")
        for number in range(1, self.most):
            work.wait(f"wait {number}", self.every, watched=False)
            now = Looked.from_plain(work.kept(f"look {number}", look))
            change = now.change_since(before)
            before = now
            work.tell(f"look {number}: changed by {change:.2%}")
            still = still + 1 if change <= self.stable else 0
            if still >= self.in_a_row:
                return WarmedUp(looks=number + 1, seconds=number * self.every, last_change=change)
        raise RunFailed(f"not stable within {self.longest:.4g} s: the outputs still change by {change:.2%} a look")
