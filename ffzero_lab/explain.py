"""Turns a failed validation into one readable message: which key, which value, what is allowed."""

from collections.abc import Sequence

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ffzero_lab.errors import near_match


def explain_validation(error: ValidationError, model: type[BaseModel], where: str) -> str:
    """Describe every mistake of *error* in *where* (a file, a device, the command line), the near matches included."""
    return f"{where}: " + "; ".join(_explain(mistake, model) for mistake in error.errors(include_url=False))


def _explain(mistake: ErrorDetails, model: type[BaseModel]) -> str:
    path = [str(part) for part in mistake["loc"]]
    key = ".".join(path)
    if mistake["type"] == "extra_forbidden":
        allowed = sorted(_model_at(path[:-1], model).model_fields)
        return f"unknown key {key!r}{near_match(path[-1], allowed)}; allowed: {', '.join(allowed)}"
    message = mistake["msg"].removeprefix("Value error, ")
    if not path:
        return message
    given = mistake["input"]
    shown = "" if isinstance(given, dict) else f" is {given!r}"
    hint = near_match(given, _words(mistake)) if isinstance(given, str) else ""
    return f"{key}{shown}: {message[:1].lower()}{message[1:]}{hint}"


def _words(mistake: ErrorDetails) -> list[str]:
    """Return the words that a closed list allows."""
    expected = str(mistake.get("ctx", {}).get("expected", ""))
    return [word.strip("' ") for word in expected.replace(" or ", ",").split(",")]


def _model_at(path: Sequence[str], model: type[BaseModel]) -> type[BaseModel]:
    for part in path:
        inner = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return model
        model = inner
    return model
