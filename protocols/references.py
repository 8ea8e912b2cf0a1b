"""Values that refer to what earlier steps found, ``"${train.score}"``: read, checked before the run, filled in.

A text that is nothing but one reference takes the value it refers to, with its type. Within a longer text the value is
written out.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel

from ffzero_lab.errors import InputError, near_match

Place = tuple[str | int, ...]
_REFERENCE = re.compile(r"\$\{([A-Za-z0-9_-]+)((?:\.[A-Za-z0-9_-]+)+)\}")
_SCALAR = (str, int, float, bool)


@dataclass(frozen=True)
class Reference:
    """One reference: the step's name, and the keys within its results."""

    step: str
    keys: tuple[str, ...]

    def __str__(self) -> str:
        return f"${{{'.'.join((self.step, *self.keys))}}}"


def references_in(value: Any, place: Place = ()) -> list[tuple[Place, Reference]]:
    """Return every reference in *value*, a tree of tables and arrays, with where it stands.

    Raises InputError for a ``${`` that begins none.
    """
    if isinstance(value, Mapping):
        parts = [references_in(inner, (*place, key)) for key, inner in cast("Mapping[str, Any]", value).items()]
        return [found for part in parts for found in part]
    if isinstance(value, list):
        parts = [references_in(inner, (*place, at)) for at, inner in enumerate(cast("list[Any]", value))]
        return [found for part in parts for found in part]
    if not isinstance(value, str) or "${" not in value:
        return []
    found = [(place, _read(match)) for match in _REFERENCE.finditer(value)]
    if value.count("${") != len(found):
        where = ".".join(str(part) for part in place)
        raise InputError(f"{where} is {value!r}: a reference is written ${{step.key}}, such as ${{train.score}}")
    return found


def written_out(value: Any, reference: Reference) -> str:
    """Return *value* as it stands within a longer text; raises InputError for what cannot stand there."""
    if not isinstance(value, _SCALAR):
        raise InputError(f"{reference} within a text: only a number or a text can stand there")
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def left_standing(value: Any, reference: Reference) -> str:
    """Return the *reference* itself, for a text that is shown before the true value is known; raises as above."""
    written_out(value, reference)
    return str(reference)


def filled(
    value: Any, look_up: Callable[[Reference], Any], within: Callable[[Any, Reference], str] = written_out
) -> Any:
    """Return *value* with every reference replaced by what *look_up* returns for it; raises what it raises.

    Within a longer text stands what *within* makes of it.
    """
    if isinstance(value, Mapping):
        return {key: filled(inner, look_up, within) for key, inner in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list):
        return [filled(inner, look_up, within) for inner in cast("list[Any]", value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole is not None:
        return look_up(_read(whole))
    return _REFERENCE.sub(lambda match: within(look_up(_read(match)), _read(match)), value)


def type_of(reference: Reference, earlier: Mapping[str, type[BaseModel]], later: Sequence[str]) -> Any:
    """Return the type that *reference* has by the results of *earlier* steps; *later* are the other steps' names.

    Raises InputError for a step or a key that there is not, or a step that does not come before.
    """
    if reference.step not in earlier:
        if reference.step in later:
            raise InputError(f"{reference}: the step {reference.step!r} does not come before this one")
        near = near_match(reference.step, [*earlier, *later])
        allowed = f"allowed: {', '.join(earlier)}" if earlier else "no step comes before"
        raise InputError(f"{reference}: there is no step {reference.step!r}{near}; {allowed}")
    at: Any = earlier[reference.step]
    for key in reference.keys:
        at = _within(at, key, reference)
    return at


def look_up(reference: Reference, results: Mapping[str, Mapping[str, Any] | None]) -> Any:
    """Return the value of *reference* in the *results* by step; raises InputError when there is none."""
    at: Any = results.get(reference.step)
    for key in reference.keys:
        at = cast("Mapping[str, Any]", at).get(key) if isinstance(at, Mapping) else None
    if at is None:
        raise InputError(f"{reference} has no value: the step {reference.step!r} did not come to that result")
    return at


_NO_VALUE: dict[str, Any] = {}
_SAMPLES: Mapping[Any, Any] = {bool: True, int: 1, float: 1.0, str: "text"}


def sample(kind: Any) -> Any:
    """Return some value of a type, with which a step is tried before the true one is known."""
    kind = _bare(kind)
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    if get_origin(kind) is dict:
        return {"key": sample(get_args(kind)[1])}
    if get_origin(kind) in (list, tuple):
        return [sample(get_args(kind)[0])]
    return _SAMPLES.get(kind, _NO_VALUE)


def _read(match: re.Match[str]) -> Reference:
    return Reference(match[1], tuple(match[2].removeprefix(".").split(".")))


def _within(at: Any, key: str, reference: Reference) -> Any:
    at = _bare(at)
    if get_origin(at) is dict:
        return get_args(at)[1]
    if isinstance(at, type) and issubclass(at, BaseModel):
        if key in at.model_fields:
            return at.model_fields[key].annotation
        allowed = sorted(at.model_fields)
        raise InputError(
            f"{reference}: the results of {reference.step!r} have no key {key!r}{near_match(key, allowed)}; "
            f"allowed: {', '.join(allowed) or 'none'}"
        )
    raise InputError(f"{reference}: {key!r} stands behind a single value")


def _bare(kind: Any) -> Any:
    """Return a type without ``Annotated`` and without ``None`` beside it."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        return _bare(next(each for each in get_args(kind) if each is not NoneType))
    return kind
