"""Writes docs/reference/protocols.md from the schema itself: ``python docs/make_protocols.py``."""

from collections.abc import Iterable
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ffzero_lab.training.settings import duration_s
from protocols.reading import find, read, shipped
from protocols.schema import Frame, Head, SentinelTable, Step, Until
from protocols.steps import KINDS

PAGE = Path(__file__).parent / "reference" / "protocols.md"
HEAD = """# Protocols

A protocol is a TOML file. [How to write one](../how-to/write-a-protocol.md) goes through an example. This page is
made by `python docs/make_protocols.py`.

```sh
ffzero-lab run PROTOCOL --device DEVICE [--short] [--dry-run] [--set STEP.KEY=VALUE] [--yes]
ffzero-lab run --resume RUN [--from STEP]
ffzero-lab protocols list | show PROTOCOL | check PROTOCOL
```
"""
SHORT = """
`[device]`, `[sentinel]` and every `[[step]]` may hold a table `short`: what `--short` lays over it, to try a protocol
in seconds.
"""
VALUES = """
## Values from earlier steps

`"${step.key}"` is what an earlier step found, by dotted name: `"${train.score}"`, `"${train.test_accuracy.sum}"`. A
text that is nothing else takes the value with its type; within a longer text the value is written out. Step, key,
type and order are checked before anything is opened.
"""
FOLDER = """
## The run folder

`manifest.json` is that of a [training run](run-folder.md#manifestjson) without `settings`, `dataset` and
`checkpoint_every_s`, and with `kind` (`protocol`), `protocol` (`name`, `title`, `source`: the whole text, `short`, and
`changes` by `--set`), `data_dir`, `agreed` (whether `--yes` was given) and, brought up to date with every step,
`steps` (for each `state`: `waiting`, `running`, `done`, `failed`, or `stopped` when it ended the protocol; `results`,
`counts`, `device_seconds`, `failures`), `sentinel` (its looks and what followed), `calibration_in_force` and `notes`.
`checkpoint.npz` is the same with the parts of the step under way and, on a twin, the device's exact state.
`metrics.jsonl` has a row for each part. Training steps keep a run folder of their own in it (`03-train/`; begun anew,
`03-train-2/`), calibrate steps their record and raw parts, and `recalibration-N/` those of the sentinel.
With `--record-io` there is one recording, `exchanges/`, and `recorded_before` of a step is its length before it.
`summary.json`, written last, says that the protocol is complete.
"""


def page() -> str:
    """Return the whole page."""
    text = HEAD + "\n## Shipped protocols\n\n" + _table(["name", "what it does"], _shipped())
    text += f"\n## The file\n\n{_fields(Frame)}{SHORT}"
    text += f"\n### `[protocol]`\n\n{_fields(Head)}\n### `[sentinel]`\n\n{_fields(SentinelTable)}"
    text += f"\n## Steps\n\nEvery `[[step]]` may say:\n\n{_fields(Step)}\n### `until`\n\n{_fields(Until)}"
    for kind, step in KINDS.items():
        own = {name: field for name, field in step.model_fields.items() if name not in {*Step.model_fields, "kind"}}
        text += f"\n### `{kind}`\n\n{_said(step)}\n"
        if own:
            text += "\n" + _table(["key", "type", "default", "meaning"], _rows(own))
        found = step.found.model_fields
        if found:
            text += "\nResults:\n\n" + _table(["key", "type", "meaning"], [[a, b, d] for a, b, _, d in _rows(found)])
    return text + VALUES + FOLDER


def _shipped() -> list[list[str]]:
    return [[f"`{name}`", read(*find(name)).head.title] for name in shipped()]


def _fields(model: type[BaseModel]) -> str:
    return _table(["key", "type", "default", "meaning"], _rows(model.model_fields))


def _rows(fields: dict[str, FieldInfo]) -> list[list[str]]:
    return [[f"`{name}`", _kind(field), _default(field), _meaning(field)] for name, field in fields.items()]


def _kind(field: FieldInfo) -> str:
    durations = (getattr(part, "func", None) is duration_s for part in field.metadata)
    return "duration, such as `90s`" if any(durations) else _type(field.annotation)


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _type(kind: Any) -> str:
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(dict.fromkeys(_type(each) for each in get_args(kind) if each is not NoneType))
    if get_origin(kind) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(kind))
    if get_origin(kind) in (list, tuple):
        return f"array of {_type(get_args(kind)[0])}"
    if get_origin(kind) is dict or (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return "table"
    return {int: "whole number", float: "number", str: "text", bool: "true or false"}.get(kind, "any")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.default
    if value is None or isinstance(value, BaseModel) or value in ((), {}, ""):
        return "–"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


def _meaning(field: FieldInfo) -> str:
    text = " ".join((field.description or "").replace("``", "`").split())
    return text or "–"


def _said(step: type[Step]) -> str:
    return " ".join((step.__doc__ or "").replace("``", "`").split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
