"""The drawing of a layer with the newest parameters of the run."""

from pathlib import Path
from typing import Any


def chip_of(path: Path, layer: int) -> dict[str, Any]:
    """Placeholder until the report branch is merged."""
    raise NotImplementedError
