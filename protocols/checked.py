"""A protocol that was checked as a whole: its steps as written, and with what earlier ones found filled in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ffzero_lab.errors import InputError, not_one_of
from ffzero_lab.explain import explain_validation
from protocols.references import Place, Reference, filled, look_up
from protocols.schema import Frame, Head, SentinelTable, Step


@dataclass(frozen=True)
class Written:
    """A step as it is written, references and all, and as it is with values that could be referred to."""

    raw: dict[str, Any]
    sampled: Step
    references: tuple[tuple[Place, Reference], ...]

    @property
    def name(self) -> str:
        """The step's name."""
        return self.sampled.name

    @property
    def kind(self) -> str:
        """The kind of step."""
        return str(self.raw["kind"])

    def resolved(self, results: Mapping[str, Mapping[str, Any] | None]) -> Step:
        """Return the step with the values found so far; raises InputError when one is missing or not allowed."""
        if not self.references:
            return self.sampled
        model = type(self.sampled)
        try:
            return model.model_validate(filled(self.raw, lambda reference: look_up(reference, results)))
        except ValidationError as error:
            raise InputError(explain_validation(error, model, f"step {self.name!r}")) from None


@dataclass(frozen=True)
class Protocol:
    """A checked protocol."""

    name: str
    source: str
    """The text of the file."""
    head: Head
    device: dict[str, Any]
    frame: Frame
    steps: tuple[Written, ...]

    @property
    def sentinel(self) -> SentinelTable | None:
        """What is watched."""
        return self.frame.sentinel

    def at(self, step: str) -> int:
        """Return the place of a step from 0; raises InputError."""
        names = [each.name for each in self.steps]
        if step not in names:
            raise not_one_of("step", step, names)
        return names.index(step)
