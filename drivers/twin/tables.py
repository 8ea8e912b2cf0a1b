"""What the tables of every twin's configuration share: closed keys, and the latencies of the imitated bench."""

from typing import Annotated, Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

Bits = Annotated[int, Field(ge=0, le=24)]
Seconds = Annotated[float, Field(ge=0.0, le=60.0)]


class Table(BaseModel):
    """One table; its keys are closed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class BenchLatencies(Table):
    """How long the imitated bench takes; one that is left out keeps its default."""

    named_by: ClassVar[frozenset[str]] = frozenset({"write_s", "shot_s"})
    """Keys that belong to the named bench: who sets one imitates another."""

    exchange_s: Seconds = 0.0
    """Constant time of every exchange that the description does not state."""
    jitter: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    """Standard deviation of an exchange's duration, as a fraction of it."""

    @model_validator(mode="before")
    @classmethod
    def _other_numbers_are_of_no_named_bench(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        table = cast("dict[str, Any]", given)
        return {"imitates": "latencies of one's own", **table} if cls.named_by & table.keys() else table
