"""Numbers whose unit stands in their key, such as ``upper_v`` or ``slew_v_per_s``: one unit for one instrument."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from drivers.bench.mistakes import Mistakes

UNITS: Mapping[str, str] = {
    "v": "V",
    "mv": "mV",
    "a": "A",
    "ma": "mA",
    "w": "W",
    "mw": "mW",
    "uw": "µW",
    "nw": "nW",
    "n": "N",
    "mn": "mN",
    "n_per_m": "N/m",
    "m": "m",
    "mm": "mm",
    "um": "µm",
    "nm": "nm",
    "rad": "rad",
    "deg": "deg",
    "amplitude": "amplitude",
    "share": "share",
    "counts": "counts",
}
"""Endings of keys and the units that they stand for."""

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(strict=True, ge=0.0, allow_inf_nan=False)]
_PER_S = "_per_s"


class Quantities(BaseModel):
    """Numbers of one unit. A field ``lower`` is written ``lower_v`` in a file, ``slew_per_s`` ``slew_v_per_s``."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    unit: str = ""

    @classmethod
    def stems(cls) -> list[str]:
        """Return the fields that a file writes with their unit."""
        return [name for name in cls.model_fields if name != "unit"]

    @classmethod
    def taken_from(cls, given: Mapping[str, Any]) -> tuple[Self, dict[str, Any]]:
        """Return the quantities in a table and the rest of it; raises ValidationError that names keys as written."""
        mistakes, endings = Mistakes(), dict[str, str]()
        values, rest = dict[str, Any](), dict(given)
        for key in given:
            found = cls.split(key)
            if found is None:
                continue
            stem, ending = found
            value = rest.pop(key)
            if ending not in UNITS:
                example = f"{cls.written(stem, 'v')}, {cls.written(stem, 'ma')}" if not ending else ", ".join(UNITS)
                what = "the unit stands in the key, such as" if not ending else f"unknown unit {ending!r}; allowed:"
                mistakes.add(key, given=value, says=f"{what} {example}")
            elif endings and ending not in endings.values():
                first = next(iter(endings))
                other = UNITS[endings[first]]
                says = f"is in {UNITS[ending]}, but {cls.written(first, endings[first])} in {other}; use one unit"
                mistakes.add(key, given=value, says=says)
            else:
                values[stem], endings[stem] = value, ending
        if mistakes:
            mistakes.raise_any(cls.__name__)
        ending = next(iter(endings.values()), None)
        try:
            made = cls.model_validate({"unit": UNITS[ending] if ending else "", **values})
        except ValidationError as error:
            names = {stem: cls.written(stem, ending or "UNIT") for stem in cls.stems()}
            mistakes.take(error, renamed=names)
            mistakes.raise_any(cls.__name__)
            raise
        return made, rest

    @classmethod
    def written(cls, stem: str, ending: str) -> str:
        """Return the key of a field in the unit of *ending*."""
        return f"{stem.removesuffix(_PER_S)}_{ending}{_PER_S if stem.endswith(_PER_S) else ''}"

    @classmethod
    def schema_patterns(cls) -> dict[str, Any]:
        """Return the JSON schema of the keys, one pattern for each field in any unit."""
        properties = cls.model_json_schema()["properties"]
        endings = f"({'|'.join(UNITS)})"
        return {f"^{cls.written(stem, endings)}$": properties[stem] for stem in cls.stems()}

    @classmethod
    def split(cls, key: str) -> tuple[str, str] | None:
        """Return field and ending of a key that is one of these quantities; the ending is empty where it lacks."""
        for stem in cls.stems():
            base = stem.removesuffix(_PER_S)
            tail = _PER_S if stem != base else ""
            if key in {base, stem}:
                return stem, ""
            found = re.fullmatch(rf"{base}_(\w+?){tail}", key)
            if found is not None:
                return stem, found[1]
        return None


class QuantityTable(BaseModel):
    """A table of which some keys carry units; a subclass declares the field ``stated`` that keeps them together."""

    quantities: ClassVar[type[Quantities]]

    @classmethod
    def keys(cls) -> list[str]:
        """Return the keys of the table as a file writes them."""
        stems = [cls.quantities.written(stem, "UNIT") for stem in cls.quantities.stems()]
        return [*(name for name in cls.model_fields if name != "stated"), *stems]

    def find_mistakes(self, mistakes: Mistakes) -> None:
        """Add to *mistakes* what is wrong with a table whose keys are all right by themselves."""

    @model_validator(mode="wrap")
    @classmethod
    def _all_mistakes_in_one_go(cls, given: Any, made_by: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(given, Mapping):
            return made_by(given)
        table = cast("Mapping[str, Any]", given)
        mistakes = Mistakes()
        try:
            stated, rest = cls.quantities.taken_from(table)
            rest["stated"] = stated
        except ValidationError as error:
            mistakes.take(error)
            rest = {key: value for key, value in table.items() if cls.quantities.split(key) is None}
        try:
            made = made_by(rest)
            made.find_mistakes(mistakes)
        except ValidationError as error:
            mistakes.take(error, allowed=cls.keys(), without="stated")
            mistakes.raise_any(cls.__name__)
            raise
        mistakes.raise_any(cls.__name__)
        return made

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core_schema))
        schema["properties"].pop("stated")
        schema["required"] = [name for name in schema.get("required", []) if name != "stated"]
        schema["patternProperties"] = cls.quantities.schema_patterns()
        return schema
