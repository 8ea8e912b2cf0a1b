"""Lays what a user gives over the preset that it names, table by table, before anything is validated."""

from collections.abc import Mapping
from typing import Any, cast

Table = Mapping[str, Any]


def over_preset(given: Any, presets: Mapping[str, Table], default: str) -> Any:
    """Return the tables of the preset that *given* names (else of *default*), with *given* over them.

    What is no table, and an unknown preset, is left for the validation to refuse.
    """
    if not isinstance(given, Mapping):
        return given
    table = cast("Table", given)
    named = table.get("preset", default)
    known = isinstance(named, str) and named in presets
    return _laid_over(presets[named if known else default], table)


def _laid_over(below: Table, above: Table) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        merged[key] = _laid_over(cast("Table", under), cast("Table", value)) if both else value
    return merged
