"""Turns a failed validation into one readable message: which key, which value, what is allowed."""

from collections.abc import Sequence
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ffzero_lab.errors import near_match

_OF_TABLES = {"value_error", "missing", "contradiction"}
_NO_TABLE = {"model_type", "model_attributes_type", "dict_type"}


def explain_validation(
    error: ValidationError, model: type[BaseModel] | None, where: str, above: Sequence[str] = ()
) -> str:
    """Describe every mistake of *error* in *where* (a file, a device, the command line), the near matches included.

    *model* is what was validated, to name its allowed keys; None: not known. *above* are the tables around it.
    """
    mistakes = error.errors(include_url=False)
    return f"{where}: " + "; ".join(_explain(mistake, model, above) for mistake in mistakes)


def _explain(mistake: ErrorDetails, model: type[BaseModel] | None, above: Sequence[str]) -> str:
    path = [str(part) for part in mistake["loc"]]
    key = ".".join([*above, *path])
    if mistake["type"] == "extra_forbidden":
        allowed = _keys_at(path[:-1], model)
        listed = f"; allowed: {', '.join(allowed)}" if allowed else ""
        return f"unknown key {key!r}{near_match(path[-1], allowed)}{listed}"
    message = mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] == "union_tag_invalid":
        ctx = mistake.get("ctx", {})
        tag, tags = str(ctx.get("tag")), [word.strip("' ") for word in str(ctx.get("expected_tags")).split(",")]
        kind = str(ctx.get("discriminator")).strip("'")
        return f"{key}.{kind} is {tag!r}{near_match(tag, tags)}; allowed: {', '.join(tags)}"
    if mistake["type"] == "tuple_type":
        message = "must be an array"
    if mistake["type"] in _NO_TABLE:
        message = "must be a table of keys and values"
    if not key:
        return message
    given = mistake["input"]
    hint = near_match(given, _words(mistake)) if isinstance(given, str) else ""
    return f"{key}{_shown(given, mistake)}: {message[:1].lower()}{message[1:]}{hint}"


def _shown(given: Any, mistake: ErrorDetails) -> str:
    """Say what was given, as it would stand in a file; a table that holds a mistake needs no telling."""
    if isinstance(given, dict):
        return "" if mistake["type"] in _OF_TABLES else " is a table"
    return f" is {given!r}" if isinstance(given, str | int | float | list | None) else f" is {given}"


def _words(mistake: ErrorDetails) -> list[str]:
    """Return the words that a closed list allows."""
    expected = str(mistake.get("ctx", {}).get("expected", ""))
    return [word for part in expected.replace(" or ", ",").split(",") if (word := part.strip("' "))]


def _keys_at(path: Sequence[str], model: type[BaseModel] | None) -> list[str]:
    """Return the keys of the table at *path* below *model*; empty if not known."""
    at: Any = model
    for part in path:
        at = _inside(at, part)
    return sorted(at.model_fields) if _is_model(at) else []


def _inside(at: Any, part: str) -> Any:
    """Return what is at *part* of an annotation: a table's key, a place in an array, or a union's table by its tag."""
    while get_origin(at) is Annotated:
        at = get_args(at)[0]
    if _is_model(at):
        return at.model_fields[part].annotation if part in at.model_fields else None
    if get_origin(at) in {dict, list, tuple}:
        return get_args(at)[1 if get_origin(at) is dict else 0]
    tagged = (member for member in get_args(at) if _is_model(member) and part in _tags(member))
    return next(tagged, None)


def _tags(member: type[BaseModel]) -> set[Any]:
    """Return the words that tell a table of a union from the others."""
    return {word for field in member.model_fields.values() for word in get_args(field.annotation)}


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
