"""A description as JSON and arrays, and back: what its own JSON leaves out, such as the reach, is kept as arrays."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device.description import DeviceDescription
from ffzero_lab.device.network import SpringNetwork
from ffzero_lab.device.reach import Reach

IN_ARRAYS: Mapping[str, type[Any]] = {"reach": Reach, "network": SpringNetwork}
"""Fields of a layer that its JSON leaves out, and what they are made of; every field left out is one of these."""


def to_plain(description: DeviceDescription) -> dict[str, Any]:
    """Return what JSON holds of a description."""
    return description.model_dump(mode="json")


def to_arrays(description: DeviceDescription) -> dict[str, NDArray[Any]]:
    """Return the rest of it, by names such as ``0.reach.first``."""
    return {
        f"{number}.{name}.{part.name}": np.asarray(getattr(value, part.name))
        for number, layer in enumerate(description.layers)
        for name, kind in IN_ARRAYS.items()
        if (value := getattr(layer, name)) is not None
        for part in fields(kind)
    }


def from_both(plain: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> DeviceDescription:
    """Return the description that `to_plain` and `to_arrays` were made of; raises KeyError or ValueError."""
    layers: list[dict[str, Any]] = []
    for number, described in enumerate(plain["layers"]):
        rest: dict[str, Any] = {}
        for name, kind in IN_ARRAYS.items():
            parts = {part.name: arrays.get(f"{number}.{name}.{part.name}") for part in fields(kind)}
            if all(part is not None for part in parts.values()):
                rest[name] = kind(**{part: _as_was(value) for part, value in parts.items()})
        layers.append({**described, **rest})
    return DeviceDescription.model_validate({**plain, "layers": layers})


def _as_was(value: Any) -> Any:
    return value.item() if value.ndim == 0 else value
