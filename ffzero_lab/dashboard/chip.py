"""The drawing of a layer, and the newest parameters of a run for it."""

import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.archives import unpack_archive
from ffzero_lab.device.described import from_both
from ffzero_lab.device.description import DeviceDescription, LayerDescription
from ffzero_lab.errors import InputError
from ffzero_lab.figures.chip_plan import plan_of
from ffzero_lab.runs import RunReader
from ffzero_lab.runs.checkpoint import CHECKPOINT, PREVIOUS
from ffzero_lab.runs.index import damage_told
from ffzero_lab.runs.layout import MANIFEST, START

FloatArray = NDArray[np.float64]
DRAWINGS_KEPT = 4
VALUES_KEPT = 8
MOST_CELLS = 60_000
"""More parameters than this have no room on a screen, and would be many megabytes on the way to it."""
_DESCRIBED, _START = "described.", "parameters.{}"


def drawing_of(path: Path, layer: int) -> Mapping[str, Any]:
    """Return geometry and groups of *layer* of the run in *path*; raises InputError when it has none."""
    return _drawing(path, layer, (path / MANIFEST).stat().st_mtime_ns)


def values_of(path: Path, layer: int) -> Mapping[str, Any]:
    """Return the newest parameters of *layer*, and what they are: those of the start until there is a checkpoint.

    Raises InputError when there are none.
    """
    for name in (CHECKPOINT, PREVIOUS, START):
        try:
            return _values(path, layer, name, (path / name).stat().st_mtime_ns)
        except (OSError, KeyError, ValueError, zipfile.BadZipFile):
            continue  # the newest may be about to be replaced, or damaged: the one before tells as well
    raise InputError(f"{path.name} has no parameters yet: they come with its first checkpoint")


@lru_cache(maxsize=DRAWINGS_KEPT)
def _drawing(path: Path, layer: int, stamp: int) -> Mapping[str, Any]:
    del stamp
    description = _description(path)
    described = _layer(description, layer)
    if described.n_parameters > MOST_CELLS:
        raise InputError(f"layer {layer} has {described.n_parameters:,} parameters, too many to draw here")
    return {
        "layers": len(description.layers),
        "plan": plan_of(description.kind, described).as_json(),
        "groups": [{"scale": group.scale, "lower": group.lower, "upper": group.upper} for group in described.groups],
        "dead": list(described.dead),
    }


@lru_cache(maxsize=VALUES_KEPT)
def _values(path: Path, layer: int, name: str, stamp: int) -> Mapping[str, Any]:
    with np.load(path / name, allow_pickle=False) as archive:  # one member is read: a checkpoint may be large
        names = sorted(name for name in archive.files if name.endswith(".parameters") and name.startswith("layer"))
        if name == START:
            values = cast("FloatArray", archive[_START.format(layer)])
        elif len(names) == 1:
            values = _part_of_whole(cast("FloatArray", archive[names[0]]), _description(path), layer)
        else:
            values = cast("FloatArray", archive[f"layer{layer}.parameters"])
    kind = {CHECKPOINT: "checkpoint", PREVIOUS: "the checkpoint before the newest", START: "start"}[name]
    return {"values": [float(f"{value:.5g}") for value in values.tolist()], "from": kind, "stamp": str(stamp)}


def _part_of_whole(values: FloatArray, description: DeviceDescription, layer: int) -> FloatArray:
    """Return the layer's own parameters, where all layers were trained as one."""
    _layer(description, layer)
    sizes = [described.n_parameters for described in description.layers]
    first = sum(sizes[:layer]) if len(values) == sum(sizes) else 0
    return values[first : first + sizes[layer]]


def _layer(description: DeviceDescription, layer: int) -> LayerDescription:
    if not 0 <= layer < len(description.layers):
        raise InputError(f"there is no layer {layer}; the layers are 0 to {len(description.layers) - 1}")
    return description.layers[layer]


def _description(path: Path) -> DeviceDescription:
    """Return the description of the run's device, with how its springs are joined where the run keeps that."""
    with damage_told(path):
        plain = RunReader(path).manifest["device"]["description"]
    start = path / START
    arrays: dict[str, NDArray[Any]] = unpack_archive(start.read_bytes(), start)[0] if start.is_file() else {}
    rest = {name.removeprefix(_DESCRIBED): held for name, held in arrays.items() if name.startswith(_DESCRIBED)}
    try:
        return from_both(plain, rest)
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path.name}: the description of its device cannot be read: {error}") from error
