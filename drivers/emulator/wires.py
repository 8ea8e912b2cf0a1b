"""Which channel of an instrument leads to which place of the device."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveInt


class Wires(BaseModel):
    """A run of neighbouring wires: *count* channels from *channel* on lead to places from *index* on."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    channel: PositiveInt = 1
    """First channel of the instrument, from 1."""
    layer: Annotated[int, Field(ge=0)] = 0
    """Layer of the device."""
    index: Annotated[int, Field(ge=0)] = 0
    """First parameter, input or output of that layer, from 0."""
    count: PositiveInt
    """Wires."""


@dataclass(frozen=True)
class Plug:
    """The wires between one instrument and one layer: ``channels[i]`` (from 0) leads to ``places[i]``."""

    layer: int
    channels: NDArray[np.intp]
    places: NDArray[np.intp]


def plugs(name: str, n_channels: int, wires: Sequence[Wires], widths: Sequence[int]) -> tuple[Plug, ...]:
    """Return the plugs of instrument *name* into layers with *widths* places each.

    Without *wires*, the channels lead to all places, layer after layer, until either end. Raises ValueError for a wire
    that leads from or to nothing.
    """
    runs = tuple(wires) or _in_order(n_channels, widths)
    for run in runs:
        last = run.channel + run.count - 1
        if last > n_channels:
            raise ValueError(f"{name}: wires lead from channel {last}, and there are {n_channels}")
        if run.layer >= len(widths):
            raise ValueError(f"{name}: wires lead to layer {run.layer}, and there are 0 to {len(widths) - 1}")
        if run.index + run.count > widths[run.layer]:
            raise ValueError(
                f"{name}: wires lead to place {run.index + run.count - 1} of layer {run.layer}, "
                f"which has 0 to {widths[run.layer] - 1}"
            )
    return tuple(
        Plug(run.layer, np.arange(run.count) + run.channel - 1, np.arange(run.count) + run.index) for run in runs
    )


def _in_order(n_channels: int, widths: Sequence[int]) -> tuple[Wires, ...]:
    runs: list[Wires] = []
    channel = 1
    for layer, width in enumerate(widths):
        count = min(width, n_channels - channel + 1)
        if count > 0:
            runs.append(Wires(channel=channel, layer=layer, count=count))
        channel += count
    return tuple(runs)
