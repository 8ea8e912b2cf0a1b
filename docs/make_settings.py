"""Writes docs/reference/settings.md from the models themselves: ``python docs/make_settings.py``."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from drivers.twin.crossbar import CrossbarConfig
from drivers.twin.mechanical import MechanicalConfig
from drivers.twin.photonic import PhotonicConfig
from ffzero_lab.cli import request
from ffzero_lab.device import InterlockBound
from ffzero_lab.training import TrainSettings

PAGE = Path(__file__).parent / "reference" / "settings.md"
HEAD = """# Settings

Keys of a configuration file (`ffzero-lab train --config FILE`) and of `--set KEY=VALUE`. This page is made by
`python docs/make_settings.py`.
"""
BESIDE: Mapping[str, BaseModel] = {
    "run": request._RunTable(),
    "calibration": request._CalibrationTable(),
    "interlocks.CHANNEL": InterlockBound.model_construct(),
}
PRESETS_NOTE = "The preset is `typical` unless `device.preset` names another; what is given lies over it.\n"
TWINS: Mapping[str, type[BaseModel]] = {
    "twin:photonic": PhotonicConfig,
    "twin:mechanical": MechanicalConfig,
    "twin:crossbar": CrossbarConfig,
}


def page() -> str:
    """Return the whole page."""
    text = HEAD + f"\n## `[train]`\n\n{_table('', {'default': TrainSettings()})}"
    for name, table in BESIDE.items():
        text += f"\n## `[{name}]`\n\n{_table(f'{name}.', {'default': table})}"
    for name, config in TWINS.items():
        presets = {preset: config(preset=preset) for preset in ("ideal", "typical", "harsh")}
        text += f"\n## `[device]` of {name}\n\n{PRESETS_NOTE}\n{_table('device.', presets)}"
    return text


def _table(prefix: str, columns: Mapping[str, BaseModel]) -> str:
    head = ["`--set` key", *columns, "meaning"]
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *_rows(prefix, list(columns.values()))]
    return "\n".join(rows) + "\n"


def _rows(prefix: str, columns: list[BaseModel]) -> list[str]:
    rows: list[str] = []
    for name, field in type(columns[0]).model_fields.items():
        values = [getattr(column, name) for column in columns]
        if isinstance(values[0], BaseModel):
            rows += _rows(f"{prefix}{name}.", values)
        else:
            shown = " | ".join(f"{value:.6g}" if isinstance(value, float) else str(value) for value in values)
            rows.append(f"| `{prefix}{name}` | {shown} | {_meaning(field)} |")
    return rows


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").replace("``", "`").split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
