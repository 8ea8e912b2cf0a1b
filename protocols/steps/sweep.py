"""``sweep``: carries another step out for every value of one of its settings."""

from typing import Any, ClassVar, Literal, Self, cast

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from ffzero_lab.device import Counts
from ffzero_lab.errors import InputError, not_one_of
from ffzero_lab.explain import explain_validation
from protocols.planning import Look, Planned
from protocols.references import Reference, sample, type_of
from protocols.schema import Results, Step
from protocols.steps.drift_check import DriftCheck
from protocols.steps.evaluate import Evaluate
from protocols.steps.train import Train
from protocols.work import Work

KINDS: dict[str, type[Step]] = {"train": Train, "evaluate": Evaluate, "drift-check": DriftCheck}
Value = float | int | str | bool


class Swept(Results):
    """What ``sweep`` finds."""

    values: list[Value]
    """As the step names them."""
    judged: list[float]
    """The result that is judged by, for each value."""
    best: Value
    """The value with the best of them."""
    best_judged: float
    """That result there."""
    points: list[dict[str, Any]]
    """All results, for each value."""


class Sweep(Step):
    """Carry out a step of kind train, evaluate or drift-check for each of some values."""

    found: ClassVar[type[Results]] = Swept

    kind: Literal["sweep"] = "sweep"
    of: dict[str, Any]
    """The step, without a name."""
    setting: str
    """Dotted name of the setting within it, such as ``settings.learning_rate``."""
    values: list[Value] = Field(min_length=1, max_length=1000)
    """What the setting takes, one after the other."""
    judge_by: str = "score"
    """Dotted name of the result that is judged by."""
    best: Literal["highest", "lowest"] = "highest"
    """Which value of it is the best."""
    _points: tuple[Step, ...] = PrivateAttr(())

    @model_validator(mode="after")
    def _every_point_is_a_step(self) -> Self:
        kind = str(self.of.get("kind"))
        if kind not in KINDS:
            raise ValueError(f"of: {not_one_of('kind', kind, KINDS)}")
        points: list[Step] = []
        for value in self.values:
            content = _with(self.of, self.setting.split("."), value)
            try:
                points.append(KINDS[kind].model_validate({"name": self.name, **content}))
            except ValidationError as error:
                raise ValueError(explain_validation(error, KINDS[kind], f"of, with {self.setting} = {value}")) from None
        reference = Reference(kind, tuple(self.judge_by.split(".")))
        try:
            judged = type_of(reference, {kind: KINDS[kind].found}, ())
        except InputError as error:
            raise ValueError(f"judge_by: {error}") from None
        if not isinstance(sample(judged), int | float):
            raise ValueError(f"judge_by is {self.judge_by!r}, which is no number")
        self._points = tuple(points)
        return self

    def plan(self, look: Look) -> Planned:
        """Return the sum of the points' plans; raises InputError that names the value."""
        planned: list[Planned] = []
        for value, point in zip(self.values, self._points, strict=True):
            try:
                planned.append(point.plan(look))
            except InputError as error:
                raise InputError(f"with {self.setting} = {value}: {error}") from error
        return Planned(
            counts=sum((each.counts for each in planned), Counts()),
            waits_s=sum(each.waits_s for each in planned),
            staged=sum(each.staged for each in planned),
            touches=(f"{len(planned)} times, by {self.setting}: {'; '.join(planned[0].touches)}",),
        )

    def run(self, work: Work) -> Swept:
        """Carry out every point; raises what a point raises."""
        points: list[dict[str, Any]] = []
        judged: list[float] = []
        for number, (value, point) in enumerate(zip(self.values, self._points, strict=True)):
            inside = work.inside(f"point-{number + 1}")
            found = point.run(inside).model_dump()
            points.append(found)
            judged.append(_dig(found, self.judge_by))
            work.tell(f"{self.setting} = {value}: {self.judge_by} {judged[-1]:.4g}")
        pick = max if self.best == "highest" else min
        where = judged.index(pick(judged))
        return Swept(
            values=list(self.values), judged=judged, best=self.values[where], best_judged=judged[where], points=points
        )


def _with(table: dict[str, Any], path: list[str], value: Value) -> dict[str, Any]:
    if len(path) == 1:
        return {**table, path[0]: value}
    inner = table.get(path[0], {})
    if not isinstance(inner, dict):
        raise ValueError(f"setting: {path[0]!r} is {inner!r}, no table")
    return {**table, path[0]: _with(cast("dict[str, Any]", inner), path[1:], value)}


def _dig(found: dict[str, Any], name: str) -> float:
    at: Any = found
    for key in name.split("."):
        at = None if at is None else at.get(key)
    if at is None:
        raise InputError(f"judge_by {name!r}: this point did not come to that result")
    return float(at)
