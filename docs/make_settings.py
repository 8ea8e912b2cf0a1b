"""Writes docs/reference/settings.md from the models themselves: ``python docs/make_settings.py``."""

from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from drivers.twin.photonic import PhotonicConfig
from ffzero_lab.training import TrainSettings

PAGE = Path(__file__).parent / "reference" / "settings.md"
HEAD = """# Settings

Keys of a configuration file (`ffzero-lab train --config FILE`) and of `--set KEY=VALUE`. This page is made by
`python docs/make_settings.py`.
"""


def page() -> str:
    """Return the whole page."""
    tables = [("[train]", "", TrainSettings), ("[device] of twin:photonic", "device.", PhotonicConfig)]
    return HEAD + "".join(f"\n## `{title}`\n\n{_table(prefix, model)}" for title, prefix, model in tables)


def _table(prefix: str, model: type[BaseModel]) -> str:
    rows = ["| `--set` key | default | meaning |", "|---|---|---|", *_rows(prefix, model())]
    return "\n".join(rows) + "\n"


def _rows(prefix: str, defaults: BaseModel) -> list[str]:
    rows: list[str] = []
    for name, field in type(defaults).model_fields.items():
        default = getattr(defaults, name)
        if isinstance(default, BaseModel):
            rows += _rows(f"{prefix}{name}.", default)
        else:
            shown = f"{default:.6g}" if isinstance(default, float) else str(default)
            rows.append(f"| `{prefix}{name}` | {shown} | {_meaning(field)} |")
    return rows


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").replace("``", "`").split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
