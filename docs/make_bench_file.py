"""Writes docs/reference/bench-file.md from the models themselves: ``python docs/make_bench_file.py``."""

from collections.abc import Set
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from drivers.bench.layers import GroupTable, LayerTable, SpanTable
from drivers.bench.tables import ActuatorsTable, BenchTable, DetectorsTable, HealthTable, InputsTable, TimingTable
from drivers.bench.units import UNITS, QuantityTable
from drivers.board.config import (
    BoardConfig,
    BoardGroup,
    BoardHealth,
    BoardInputs,
    BoardLayerTable,
    BoardOutputs,
    BoardTiming,
)
from drivers.qontrol.config import RackChannelsConfig, RackInputsConfig
from drivers.qontrol.link_config import RackLinkConfig

PAGE = Path(__file__).parent / "reference" / "bench-file.md"
HEAD = """# Bench files

Keys of a bench file with the driver `bench`, the default; [how to write one](../how-to/bench-file.md). With another
`driver` at the top, the keys are those of that driver's `[device]` table in [Settings](settings.md). This page is made
by `python docs/make_bench_file.py`; `ffzero-lab bench schema` prints the same for editors.

UNIT in a key stands for one of these endings: {units}. One instrument has one unit.

`[links.NAME]` holds the keys that the drivers of its instruments know, such as `resource`.
"""
TABLES: dict[str, type[BaseModel]] = {
    "[bench]": BenchTable,
    "[timing]": TimingTable,
    "[actuators.NAME]": ActuatorsTable,
    "[inputs.NAME]": InputsTable,
    "[detectors.NAME]": DetectorsTable,
    "[[layers]]": LayerTable,
    "layers.inputs and layers.outputs": SpanTable,
    "[[layers.groups]]": GroupTable,
    "[health.NAME]": HealthTable,
    "[links.NAME] of a Qontrol rack": RackLinkConfig,
    "[actuators.NAME] with qontrol.actuators": RackChannelsConfig,
    "[inputs.NAME] with qontrol.inputs": RackInputsConfig,
}
BOARD_HEAD = """
## An all-in-one board

Keys of a bench file with `driver = "board"`; [how to build one](../how-to/board.md), [what it
speaks](board-protocol.md). Units stand in the keys in the same way.
"""
BOARD_TABLES: dict[str, type[BaseModel]] = {
    "the board itself": BoardConfig,
    "the board's [timing]": BoardTiming,
    "the board's [[health]]": BoardHealth,
    "the board's [[layers]]": BoardLayerTable,
    "the board's layers.inputs": BoardInputs,
    "the board's layers.outputs": BoardOutputs,
    "the board's [[layers.groups]]": BoardGroup,
}
_TABLES_OF_THEIR_OWN = {"timing", "health", "layers", "inputs", "outputs", "groups"}


def page() -> str:
    """Return the whole page."""
    text = HEAD.format(units=", ".join(f"`{ending}` ({unit})" for ending, unit in UNITS.items()))
    return text + _sections(TABLES) + BOARD_HEAD + _sections(BOARD_TABLES, "###", left_out=_TABLES_OF_THEIR_OWN)


def _sections(tables: dict[str, type[BaseModel]], level: str = "##", left_out: Set[str] = frozenset()) -> str:
    text = ""
    for title, model in tables.items():
        fields = {name: field for name, field in model.model_fields.items() if name not in {"stated", *left_out}}
        if issubclass(model, QuantityTable):
            quantities = model.quantities
            fields |= {quantities.written(stem, "UNIT"): quantities.model_fields[stem] for stem in quantities.stems()}
        rows = "\n".join(f"| `{key}` | {_default(field)} | {_meaning(field)} |" for key, field in fields.items())
        text += f"\n{level} `{title}`\n\n{_meaning_of(model)}\n\n| key | default | meaning |\n|---|---|---|\n{rows}\n"
    return text


def _default(field: FieldInfo) -> str:
    return "must be given" if field.default is PydanticUndefined else str(field.default) or "none"


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").replace("``", "`").split())


def _meaning_of(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
