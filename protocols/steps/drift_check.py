"""``drift-check``: measures a fixed setting again and again over a time, and with it, if wanted, a trained network."""

from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from ffzero_lab.device import Counts
from ffzero_lab.errors import RunFailed
from ffzero_lab.training.plan import evaluation
from ffzero_lab.training.settings import Duration
from protocols.measuring import scored, trained_in
from protocols.planning import Look, Planned
from protocols.reference import PATTERNS, Looked, Reference, cost_of
from protocols.schema import Results, Seed, Share, Step
from protocols.steps.train import planned_training
from protocols.work import Work

MOST_LOOKS = 10_000


class Drifted(Results):
    """What ``drift-check`` finds."""

    looks: int
    """How often it looked, the first time included."""
    changes: list[float]
    """RMS change of the outputs since the first look beyond noise, as a share of their RMS; one for each later look."""
    largest_change: float
    """The largest of them."""
    last_change: float
    """The last of them."""
    scores: list[float]
    """Of the trained network at each look; empty where none was named."""
    first_score: float | None
    """At the first look."""
    last_score: float | None
    """At the last look."""
    lowest_score: float | None
    """The lowest of all looks."""


class DriftCheck(Step):
    """Look, wait, look again. The device is parked while it waits if the sentinel looks meanwhile, else it stands."""

    found: ClassVar[type[Results]] = Drifted

    kind: Literal["drift-check"] = "drift-check"
    duration: Duration
    """Device time from the first look to the last."""
    every: Duration
    """Device time between two looks."""
    bound: Share | None = None
    """A larger change than this, at any look, and the step has failed; None: it is only told."""
    run_of: str | None = None
    """A training run that is measured at every look as well: ``${train.run}``, or a run folder."""
    seed: Seed = 0
    """Seed of the fixed setting and its patterns."""

    @model_validator(mode="after")
    def _looks_twice(self) -> Self:
        if not self.every <= self.duration <= MOST_LOOKS * self.every:
            raise ValueError(f"duration must be one to {MOST_LOOKS} times every")
        return self

    @property
    def looks(self) -> int:
        """How often it looks."""
        return 1 + int(self.duration / self.every + 1e-9)

    def plan(self, look: Look) -> Planned:
        """Return the plan; raises InputError for a run that cannot be used."""
        description = look.device.description
        each, measured, staged = cost_of(description), Counts(), PATTERNS
        if self.run_of is not None:
            settings, n_test = planned_training(self.run_of, look, None)
            look.needs_record(uncalibrated=settings.uncalibrated)
            measured = evaluation(settings, description, n_test).times(
                settings.trained_in_turn(len(description.layers))
            )
            staged += n_test
        return Planned(
            counts=(each + measured).times(self.looks),
            waits_s=(self.looks - 1) * self.every,
            touches=(f"{self.looks} looks at a fixed setting of all layers, light in",),
            staged=staged * self.looks,
        )

    def run(self, work: Work) -> Drifted:
        """Look; raises RunFailed for a change beyond the bound."""
        shift = work.shift
        reference = Reference(shift.guard, self.seed)
        trained = None if self.run_of is None else trained_in(work.found(self.run_of), None, shift.data_dir)

        def look() -> dict[str, Any]:
            with shift.guard.ledger.spending_on("calibration"):
                shift.guard.park()
                reference.hold()
                looked = reference.look().as_plain()
            return {"looked": looked, "score": None if trained is None else scored(shift, trained)["score"]}

        first: Looked | None = None
        changes: list[float] = []
        scores: list[float] = []
        for number in range(self.looks):
            if number:
                work.wait(f"wait {number}", self.every)
            part = work.kept(f"look {number}", look)
            looked = Looked.from_plain(part["looked"])
            if part["score"] is not None:
                scores.append(float(part["score"]))
            if first is None:
                first = looked
                continue
            changes.append(looked.change_since(first))
            told = f", score {scores[-1]:.4f}" if scores else ""
            work.tell(f"look {number} of {self.looks - 1}: changed by {changes[-1]:.2%}{told}")
            if self.bound is not None and changes[-1] > self.bound:
                raise RunFailed(f"the outputs have changed by {changes[-1]:.2%}, more than {self.bound:.2%}")
        return Drifted(
            looks=self.looks,
            changes=changes,
            largest_change=max(changes),
            last_change=changes[-1],
            scores=scores,
            first_score=scores[0] if scores else None,
            last_score=scores[-1] if scores else None,
            lowest_score=min(scores) if scores else None,
        )
