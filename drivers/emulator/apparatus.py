"""What stands behind the instruments: one twin, and what drives it at this moment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from ffzero_lab.device import Device

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
_FIRST = np.zeros(1, dtype=np.intp)


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


class Apparatus:
    """A twin with the values that stand at its parameters and inputs, as sources drive them.

    What nobody drives is as in the parked twin (parameters) or 0 (inputs). A layer of intensities without any driven
    input has no light: its readings are exactly 0. Everything happens under one ``lock``, which whoever calls holds.
    """

    def __init__(self, twin: Device) -> None:
        self.lock = RLock()
        self.on_trigger: list[Callable[[str], None]] = []
        """Called with the name of a meter after it measured all its ports."""
        self._twin = twin
        layers = twin.description.layers
        self._parked = [_parked(twin, layer) for layer in range(len(layers))]
        self._parameters = [values.copy() for values in self._parked]
        self._inputs = [np.zeros(layer.n_inputs) for layer in layers]
        self._lit = [np.zeros(layer.n_inputs, dtype=np.bool_) for layer in layers]
        self._unwritten = {*range(len(layers))}
        self._unstaged = {*range(len(layers))}

    @property
    def parameters(self) -> list[int]:
        """Parameters of each layer."""
        return [layer.n_parameters for layer in self._twin.description.layers]

    @property
    def inputs(self) -> list[int]:
        """Inputs of each layer that has inputs of its own: in a cascade, the first."""
        layers = self._twin.description.layers
        return [layer.n_inputs for layer in (layers[:1] if self._cascaded else layers)]

    @property
    def outputs(self) -> list[int]:
        """Outputs of each layer."""
        return [layer.n_outputs for layer in self._twin.description.layers]

    def drive_parameters(self, plugs: Sequence[Plug], values: FloatArray, driven: BoolArray) -> None:
        """Put the *values* (channels,) of a source at its parameters, where the channel is *driven* (channels,)."""
        for plug in plugs:
            parked = self._parked[plug.layer][plug.places]
            now = np.where(driven[plug.channels], values[plug.channels], parked)
            self._parameters[plug.layer][plug.places] = now
            self._unwritten.add(plug.layer)

    def drive_inputs(self, plugs: Sequence[Plug], values: FloatArray, driven: BoolArray) -> None:
        """Put the *values* (channels,) of a source at its inputs, where the channel is *driven* (channels,)."""
        for plug in plugs:
            on = driven[plug.channels]
            self._inputs[plug.layer][plug.places] = np.where(on, values[plug.channels], 0.0)
            self._lit[plug.layer][plug.places] = on
            self._unstaged.add(plug.layer)

    def read(self, plugs: Sequence[Plug], n_channels: int) -> FloatArray:
        """Present the inputs as they are to the twin as it is; returns (n_channels,), 0 at a channel without a wire.

        Raises DeviceError where the twin does.
        """
        readings = np.zeros(n_channels)
        measured: dict[int, FloatArray] = {}
        for plug in plugs:
            if plug.layer not in measured:
                measured[plug.layer] = self._measure(plug.layer)
            readings[plug.channels] = measured[plug.layer][plug.places]
        return readings

    def triggered(self, meter: str) -> None:
        """Tell whoever listens to the trigger output of *meter* that it has measured."""
        for tell in self.on_trigger:
            tell(meter)

    def close(self) -> None:
        """Close the twin."""
        self._twin.close()

    @property
    def _cascaded(self) -> bool:
        return self._twin.description.topology == "cascaded"

    def _measure(self, layer: int) -> FloatArray:
        entrance = 0 if self._cascaded else layer
        own = self._twin.description.layers[layer]
        if own.one_sign and not self._lit[entrance].any():
            return np.zeros(own.n_outputs)
        while self._unwritten:
            changed = self._unwritten.pop()
            self._twin.write_parameters(changed, self._parameters[changed])
        if entrance in self._unstaged:
            self._twin.load_inputs(entrance, self._inputs[entrance][np.newaxis])
            self._unstaged.remove(entrance)
        return self._twin.read_outputs(layer, _FIRST)[0]


def _parked(twin: Device, layer: int) -> FloatArray:
    values = twin.read_parameters(layer)
    return np.zeros(twin.description.layers[layer].n_parameters) if values is None else np.array(values)
