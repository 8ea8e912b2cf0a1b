"""How a call differs from the recorded one, in words: which setting, parameter, row or input, and both values."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device.description import DeviceDescription
from ffzero_lab.device.exchanges import Exchange


def difference(
    recorded: Exchange,
    call: str,
    layer: int | None,
    given: Mapping[str, NDArray[Any]],
    description: DeviceDescription,
) -> str | None:
    """Return in words how a call differs from the recorded one; None when it does not."""
    if (recorded.call, recorded.layer) != (call, layer):
        was = f"{recorded.call}{'' if recorded.layer is None else f' of layer {recorded.layer}'}"
        return f"the recorded run asked {was}, this one asks {call}{'' if layer is None else f' of layer {layer}'}"
    for name, array in given.items():
        then = recorded.given[name]
        if then.shape != array.shape:
            return f"{name} had the shape {then.shape}, now {array.shape}"
        if np.array_equal(then, array):
            continue
        different = then != array
        place = tuple(int(index) for index in np.argwhere(different)[0])
        where, unit = _NAMED.get(name, _by_place)(place, layer, description)
        return (
            f"{name}, {where}: recorded {then[place]:.17g}{unit}, given {array[place]:.17g}{unit} "
            f"({int(np.count_nonzero(different))} of {array.size} differ)"
        )
    return None


Naming = Callable[[tuple[int, ...], "int | None", DeviceDescription], tuple[str, str]]


def _by_place(place: tuple[int, ...], layer: int | None, description: DeviceDescription) -> tuple[str, str]:
    del layer, description
    return f"place {', '.join(map(str, place))}", ""


def _by_parameter(place: tuple[int, ...], layer: int | None, description: DeviceDescription) -> tuple[str, str]:
    described = description.layers[layer or 0]
    setting = f"setting {place[0]}, " if len(place) == 2 else ""
    return f"{setting}{described.name_of(place[-1])}", f" {described.unit_of(place[-1])}"


def _by_input(place: tuple[int, ...], layer: int | None, description: DeviceDescription) -> tuple[str, str]:
    return f"pattern {place[0]}, input {place[1]}", f" {description.layers[layer or 0].input_unit}"


_NAMED: Mapping[str, Naming] = {"values": _by_parameter, "settings": _by_parameter, "patterns": _by_input}
