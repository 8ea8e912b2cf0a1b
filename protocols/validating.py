"""Checks one step: its keys, and what it refers to, with samples in the place of values that are not known yet."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ffzero_lab.errors import InputError, not_one_of
from ffzero_lab.explain import explain_validation
from protocols.checked import Written
from protocols.references import Place, Reference, filled, left_standing, references_in, sample, type_of
from protocols.steps import KINDS

_BOUNDS = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
_TRIES = 20
_SIZES = (1, 10, 1000, 100_000)
"""What is referred to may be any number: tried as so many times one, since settings may have to fit each other."""
Model = TypeVar("Model", bound=BaseModel)


def checked_step(
    raw: dict[str, Any], earlier: Mapping[str, type[BaseModel]], later: Sequence[str], where: str
) -> Written:
    """Return a step as it is written and with samples filled in; *later* are the names from it on.

    Raises InputError for its own keys, and for references to steps, keys, types and order.
    """
    kind = raw.get("kind")
    if kind not in KINDS:
        raise InputError(f"{where}: {not_one_of('kind', str(kind), KINDS)}")
    try:
        references = references_in(raw)
        types = {reference: type_of(reference, earlier, later) for _, reference in references}
        samples = [
            filled(raw, lambda reference, s=size: _sized(sample(types[reference]), s), left_standing) for size in _SIZES
        ]
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    step = _validated_by_some(KINDS[str(kind)], samples if references else samples[:1], where, dict(references))
    if step.until is not None:
        try:
            own = type_of(Reference(step.name, tuple(step.until.value.split("."))), {step.name: type(step).found}, ())
        except InputError as error:
            raise InputError(f"{where}: until.value: {error}") from None
        if not isinstance(sample(own), int | float):
            raise InputError(f"{where}: until.value is {step.until.value!r}, which is no number")
    return Written(raw, step, tuple(references))


def _sized(value: Any, size: int) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value * size if number else value


def _validated_by_some(
    model: type[Model], samples: Sequence[dict[str, Any]], where: str, references: Mapping[Place, Reference]
) -> Model:
    """Validate the step with small and large numbers in the place of what is referred to: one of them must do."""
    first: InputError | None = None
    for content in samples:
        try:
            return validated(model, content, where, references)
        except InputError as error:
            first = first or error
    raise first or InputError(f"{where}: no value of what is referred to would be allowed")


def validated(
    model: type[Model], content: dict[str, Any], where: str, references: Mapping[Place, Reference] | None = None
) -> Model:
    """Validate *content*. At the places of *references* stand samples, which are moved onto bounds they violate."""
    places = list(references or {})
    for _ in range(_TRIES):
        try:
            return model.model_validate(content)
        except ValidationError as error:
            moved = [mistake for mistake in error.errors() if _move_within(content, mistake, places)]
            if not moved:
                told = explain_validation(error, model, where)
                at = _reference_at(error, references or {})
                raise InputError(told if at is None else f"{told} (that is what {at} would be)") from None
    raise InputError(f"{where}: no value of what is referred to would be allowed")


def _reference_at(error: ValidationError, references: Mapping[Place, Reference]) -> Reference | None:
    for mistake in error.errors():
        for place, reference in references.items():
            if mistake["loc"][: len(place)] == place:
                return reference
    return None


def _move_within(content: Any, mistake: ErrorDetails, places: Sequence[Place]) -> bool:
    """Move the sample that is out of bounds onto the bound; returns whether there was one."""
    place = next((each for each in places if mistake["loc"][: len(each)] == each), None)
    bound = _BOUNDS.get(mistake["type"])
    if place is None or bound is None:
        return False
    value = mistake.get("ctx", {})[bound]
    for part in place[:-1]:
        content = content[part]
    off = {"gt": 1e-6, "lt": -1e-6}.get(bound, 0.0)
    content[place[-1]] = value + type(value)(off if isinstance(value, float) else (off > 0) - (off < 0))
    return True
