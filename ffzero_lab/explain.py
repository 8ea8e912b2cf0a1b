"""Turns a failed validation into one readable message: which key, which value, what is allowed."""

from collections.abc import Sequence

from pydantic import BaseModel, ValidationError

from ffzero_lab.errors import near_match


def explain_validation(error: ValidationError, model: type[BaseModel], where: str) -> str:
    """Describe every mistake of *error* in *where* (a file, a device, the command line), the near matches included."""
    mistakes = [_explain(dict(detail), model) for detail in error.errors(include_url=False)]
    return f"{where}: " + "; ".join(mistakes)


def _explain(detail: dict[str, object], model: type[BaseModel]) -> str:
    location = detail["loc"]
    path = tuple(location) if isinstance(location, tuple) else ()
    key = ".".join(str(part) for part in path)
    if detail["type"] == "extra_forbidden":
        allowed = sorted(_model_at(path[:-1], model).model_fields)
        return f"unknown key {key!r}{near_match(str(path[-1]), allowed)}; allowed: {', '.join(allowed)}"
    message = str(detail["msg"]).removeprefix("Value error, ")
    if not path:
        return message
    given = detail.get("input")
    shown = "" if isinstance(given, dict) else f" is {given!r}"
    hint = near_match(given, _words(detail)) if isinstance(given, str) else ""
    return f"{key}{shown}: {message[:1].lower()}{message[1:]}{hint}"


def _words(detail: dict[str, object]) -> list[str]:
    context = detail.get("ctx")
    expected = str(context.get("expected", "")) if isinstance(context, dict) else ""
    return [word.strip("' ") for word in expected.replace(" or ", ",").split(",")]


def _model_at(path: Sequence[object], model: type[BaseModel]) -> type[BaseModel]:
    for part in path:
        inner = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return model
        model = inner
    return model
