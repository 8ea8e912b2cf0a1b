"""Reads a protocol: a shipped one by name or a file, checked as a whole before anything is opened."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ffzero_lab.errors import InputError, near_match, not_one_of
from protocols.checked import Protocol, Written
from protocols.schema import Frame
from protocols.validating import checked_step, validated

SHIPPED = Path(__file__).parent / "shipped"
SHORT = "short"
_TABLES = ("protocol", "device", "sentinel", "interlocks", "step")


def shipped() -> dict[str, Path]:
    """Return the protocols that come with the package, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


def find(protocol: str) -> tuple[str, str]:
    """Return name and text of a shipped protocol or a file; raises InputError."""
    known = shipped()
    path = known.get(protocol, Path(protocol))
    if not protocol.endswith(".toml") and protocol not in known:
        allowed = f"allowed: {', '.join(known)}, or a file (.toml)"
        raise InputError(f"protocol {protocol!r} is unknown{near_match(protocol, known)}; {allowed}")
    try:
        return path.stem, path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"the protocol {path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the protocol {path} cannot be read: {error}") from error


def read(name: str, source: str, *, short: bool = False, changes: Sequence[str] = ()) -> Protocol:
    """Return the protocol of a text, in its *short* form if wanted, with ``STEP.KEY=VALUE`` *changes*.

    Raises InputError that names the step, the key and what is allowed: for mistakes of the text itself, of both forms,
    and of references to steps, keys, types and order.
    """
    where = f"protocol {name}"
    try:
        content = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where} cannot be read: {error}") from error
    for key in content:
        if key not in _TABLES:
            listed = ", ".join(("[[step]]" if each == "step" else f"[{each}]") for each in _TABLES)
            raise InputError(f"{where}: unknown table {key!r}{near_match(key, _TABLES)}; allowed: {listed}")
    for change in changes:
        _change(content, change)
    forms = {form: _checked(name, source, where, _in_form(content, short=form)) for form in (False, True)}
    return forms[short]


def _in_form(content: dict[str, Any], *, short: bool) -> dict[str, Any]:
    """Return *content* without its ``short`` tables, laid over what they stand in if the short form is wanted."""
    formed = dict(content)
    for table in ("device", "sentinel"):
        if isinstance(formed.get(table), dict):
            formed[table] = _one_form(formed[table], short=short)
    steps = formed.get("step", [])
    if isinstance(steps, list):
        formed["step"] = [
            _one_form(cast("dict[str, Any]", step), short=short) if isinstance(step, dict) else step
            for step in cast("list[Any]", steps)
        ]
    return formed


def _one_form(table: dict[str, Any], *, short: bool) -> dict[str, Any]:
    plain = {key: value for key, value in table.items() if key != SHORT}
    over = table.get(SHORT, {})
    if not isinstance(over, dict):
        raise InputError(f"{SHORT} is {over!r}: it must be a table of keys and values")
    return _laid_over(plain, cast("dict[str, Any]", over)) if short else plain


def _laid_over(below: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in over.items():
        under = merged.get(key)
        both = isinstance(under, dict) and isinstance(value, dict)
        merged[key] = _laid_over(cast("dict[str, Any]", under), cast("dict[str, Any]", value)) if both else value
    return merged


def _checked(name: str, source: str, where: str, content: dict[str, Any]) -> Protocol:
    frame = validated(Frame, {key: value for key, value in content.items() if key != "step"}, where)
    raw_steps = content.get("step", [])
    if not isinstance(raw_steps, list) or not raw_steps:
        raise InputError(f"{where}: it has no steps; write each as a table [[step]]")
    names = [str(_table(step, number, where).get("name")) for number, step in enumerate(cast("list[Any]", raw_steps))]
    twice = next((each for each in names if names.count(each) > 1), None)
    if twice is not None:
        raise InputError(f"{where}: two steps are named {twice!r}; names must differ")
    steps: list[Written] = []
    for number, raw in enumerate(cast("list[dict[str, Any]]", raw_steps)):
        earlier = {step.name: type(step.sampled).found for step in steps}
        told = f"{where}, step {number + 1} ({names[number]})"
        steps.append(checked_step(raw, earlier, names[number:], told))
    device = dict(frame.device)
    if not isinstance(device.get("name", "twin"), str):
        raise InputError(f"{where}: device.name is {device['name']!r}; it must be a text")
    checked = Protocol(name, source, frame.protocol, device, frame, tuple(steps))
    _check_sentinel(checked, where)
    return checked


def _check_sentinel(protocol: Protocol, where: str) -> None:
    sentinel = protocol.sentinel
    if sentinel is None:
        return
    by_name = {step.name: step for step in protocol.steps}
    for key, wanted in (("calibrate", sentinel.calibrate), ("begin_at", sentinel.begin_at)):
        if wanted is not None and wanted not in by_name:
            raise InputError(f"{where}: sentinel.{key}: {not_one_of('step', wanted, by_name)}")
    if sentinel.calibrate is not None and by_name[sentinel.calibrate].kind != "calibrate":
        raise InputError(f"{where}: sentinel.calibrate: the step {sentinel.calibrate!r} does not calibrate")


def _table(step: Any, number: int, where: str) -> dict[str, Any]:
    if not isinstance(step, dict):
        raise InputError(f"{where}: step {number + 1} is no table; write [[step]]")
    table = cast("dict[str, Any]", step)
    if "name" not in table:
        raise InputError(f"{where}: step {number + 1} has no name")
    return table


def _change(content: dict[str, Any], change: str) -> None:
    """Carry out one ``STEP.KEY=VALUE``, ``sentinel.KEY=VALUE`` or ``device.KEY=VALUE``."""
    key, separator, text = change.partition("=")
    path = key.strip().split(".")
    if not separator or len(path) < 2:
        raise InputError(f"--set {change!r}: write STEP.KEY=VALUE, such as train.settings.steps=500")
    table = _table_named(content, path[0], change)
    for part in path[1:-1]:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            raise InputError(f"--set {change!r}: {part!r} is {inner!r} already, no table")
        table = cast("dict[str, Any]", inner)
    table[path[-1]] = _value(text)
    short: Any = _table_named(content, path[0], change).get(SHORT)
    for part in path[1:-1]:
        short = cast("dict[str, Any]", short).get(part) if isinstance(short, dict) else None
    if isinstance(short, dict):
        cast("dict[str, Any]", short).pop(path[-1], None)  # what is said on the command line counts in both forms


def _table_named(content: dict[str, Any], name: str, change: str) -> dict[str, Any]:
    if name in ("sentinel", "device"):
        return cast("dict[str, Any]", content.setdefault(name, {}))
    steps = cast("list[dict[str, Any]]", content.get("step", []))
    for step in steps:
        if step.get("name") == name:
            return step
    raise InputError(f"--set {change!r}: {not_one_of('step', name, [str(step.get('name')) for step in steps])}")


def _value(text: str) -> Any:
    try:
        content = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return content["value"] if len(content) == 1 else text
