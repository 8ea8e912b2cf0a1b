"""The settings that a sweep tries: a grid, or points drawn at random, each from a seed of its own."""

import math
from collections.abc import Mapping
from itertools import product
from typing import Annotated, Any, Literal, Self, cast

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ffzero_lab.errors import InputError
from ffzero_lab.explain import explain_validation

MOST_POINTS = 100_000
Point = dict[str, Any]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Span(BaseModel):
    """A range of numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    lower: Annotated[Number, Field(alias="from")]
    """Smallest value."""
    upper: Annotated[Number, Field(alias="to")]
    """Largest value."""
    count: Annotated[int, Field(ge=2, le=MOST_POINTS)] | None = None
    """Values of a grid, both ends included; not for random points."""
    scale: Literal["linear", "log"] = "linear"
    """Whether equal steps or equal ratios are equally likely, or apart in a grid."""
    whole: bool = False
    """Round to whole numbers."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not self.lower < self.upper:
            raise ValueError(f"from {self.lower:g} must be below to {self.upper:g}")
        if self.scale == "log" and self.lower <= 0.0:
            raise ValueError(f"from {self.lower:g} does not go with scale 'log'; needed: more than 0")
        if self.whole and not (self.lower.is_integer() and self.upper.is_integer()):
            raise ValueError(f"from {self.lower:g} to {self.upper:g} does not go with whole; needed: whole numbers")
        return self

    def at(self, share: float) -> float | int:
        """Return the value at a *share* of the way from the smallest to the largest one."""
        if self.scale == "log":
            low, high = math.log(self.lower), math.log(self.upper)
            value = min(max(math.exp(low + share * (high - low)), self.lower), self.upper)
        else:
            value = self.lower + share * (self.upper - self.lower)
        return round(value) if self.whole else value


class SweepTable(BaseModel):
    """The table ``[sweep]`` of a sweep's file."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Literal["grid", "random"] = "grid"
    """``grid`` tries every combination, ``random`` draws ``points`` of them."""
    points: Annotated[int, Field(ge=1, le=MOST_POINTS)] | None = None
    """How many points are drawn at random."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of what is drawn; more points of the same seed begin with the same ones."""
    workers: Annotated[int, Field(ge=1, le=1000)] = 2
    """Processes of this computer."""
    settings: Annotated[dict[str, Any], Field(min_length=1)]
    """By the name that ``--set`` takes: a list of values, or a range with ``from`` and ``to``."""

    @model_validator(mode="after")
    def _points_belong_to_random(self) -> Self:
        if (self.kind == "random") != (self.points is not None):
            raise ValueError("points: needed for kind 'random', and only there")
        return self


def points_of(table: SweepTable) -> list[Point]:
    """Return the settings of every point by name; raises InputError that names what cannot be swept."""
    choices = {name: _choice(name, value, table.kind) for name, value in _named(table.settings).items()}
    if table.kind == "random":
        return [_drawn(choices, table.seed, number) for number in range(table.points or 0)]
    values = {name: _values(name, choice) for name, choice in choices.items()}
    count = math.prod(len(each) for each in values.values())
    if count > MOST_POINTS:
        raise InputError(f"the grid has {count:,} points; allowed: up to {MOST_POINTS:,}")
    return [dict(zip(values, combination, strict=True)) for combination in product(*values.values())]


def _named(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return what is swept by dotted names: ``device.ports`` without quotes is a table in TOML."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{above}.{key}" if above else key
        if isinstance(value, Mapping) and not {"from", "to"} & {*cast("Mapping[str, Any]", value)}:
            found |= _named(cast("Mapping[str, Any]", value), name)
        else:
            found[name] = value
    return found


def _choice(name: str, value: Any, kind: str) -> list[Any] | Span:
    if isinstance(value, list) and value:
        return cast("list[Any]", value)
    if not isinstance(value, dict):
        raise InputError(
            f"sweep.settings.{name} is {value!r}; allowed: a list of values, or a range such as {{from = 0.001, "
            "to = 0.1, scale = 'log'}"
        )
    try:
        span = Span.model_validate(value)
    except ValidationError as error:
        raise InputError(explain_validation(error, Span, "sweep", ("sweep", "settings", name))) from None
    if (kind == "grid") != (span.count is not None):
        raise InputError(f"sweep.settings.{name}.count: needed for a range in a grid, and only there")
    return span


def _values(name: str, choice: list[Any] | Span) -> list[Any]:
    if isinstance(choice, list):
        return choice
    values = [choice.at(float(share)) for share in np.linspace(0.0, 1.0, choice.count or 2)]
    different = len(set(values))
    if different < len(values):
        raise InputError(
            f"sweep.settings.{name}: rounded to whole numbers only {different} of {len(values)} values differ; give a "
            "smaller count"
        )
    return values


def _drawn(choices: Mapping[str, list[Any] | Span], seed: int, number: int) -> Point:
    rng = Generator(Philox(SeedSequence(seed, spawn_key=(number,))))
    return {
        name: choice.at(float(rng.random())) if isinstance(choice, Span) else choice[int(rng.integers(len(choice)))]
        for name, choice in choices.items()
    }
