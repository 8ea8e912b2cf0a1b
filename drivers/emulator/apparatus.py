"""What stands behind the instruments: one twin, and what drives it at this moment."""

from collections.abc import Callable, Sequence
from threading import RLock

import numpy as np
from numpy.typing import NDArray

from drivers.emulator.errors import ScpiError
from drivers.emulator.wires import Plug, Wires, plugs
from ffzero_lab.device import Device, DeviceDescription, FloatArray, Metered, Resumable

BoolArray = NDArray[np.bool_]
_FIRST = np.zeros(1, dtype=np.intp)


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
        self._sources: dict[tuple[str, int, int], str] = {}
        """Name of the source by kind of place, layer and index."""
        self._unwritten = {*range(len(layers))}
        self._unstaged = {*range(len(layers))}

    def warm_up(self) -> None:
        """Read every layer once, and be as before: whatever compiles itself does so before somebody waits for it."""
        if not isinstance(self._twin, Resumable):
            return
        state = self._twin.snapshot()
        for layer, own in enumerate(self._twin.description.layers):
            entrance = 0 if self._cascaded else layer
            self._twin.load_inputs(entrance, np.full((1, len(self._inputs[entrance])), own.input_upper))
            self._twin.read_outputs(layer, _FIRST)
        self._twin.restore(state)

    def plug_parameters(self, name: str, n_channels: int, wires: Sequence[Wires]) -> tuple[Plug, ...]:
        """Wire the channels of source *name* to parameters; raises ValueError for what cannot be wired so."""
        return self._claimed("parameter", name, plugs(name, n_channels, wires, [len(own) for own in self._parameters]))

    def plug_inputs(self, name: str, n_channels: int, wires: Sequence[Wires]) -> tuple[Plug, ...]:
        """Wire the channels of source *name* to inputs (in a cascade: of the first layer); raises ValueError too."""
        own = self._inputs[:1] if self._cascaded else self._inputs
        return self._claimed("input", name, plugs(name, n_channels, wires, [len(inputs) for inputs in own]))

    def plug_outputs(self, name: str, n_channels: int, wires: Sequence[Wires]) -> tuple[Plug, ...]:
        """Wire the channels of meter *name* to outputs; raises ValueError too."""
        widths = [layer.n_outputs for layer in self._twin.description.layers]
        found = plugs(name, n_channels, wires, widths)
        taken: set[int] = set()
        for channel in (int(channel) + 1 for plug in found for channel in plug.channels):
            if channel in taken:
                raise ValueError(f"{name}: channel {channel} reads two outputs")
            taken.add(channel)
        return found

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

    def present(self, layer: int, patterns: FloatArray) -> FloatArray:
        """Present *patterns* (S, n_in) one after the other to the twin as it is; returns the outputs (S, n_out).

        They are those of *layer*, or of the first in a cascade; its modulators are on, whatever they are given.
        """
        self._write_parameters()
        entrance = 0 if self._cascaded else layer
        self._unstaged.add(entrance)
        self._twin.load_inputs(entrance, patterns)
        return self._twin.read_outputs(layer, np.arange(len(patterns)))

    def health(self) -> dict[str, float]:
        """Return what the twin's own sensors read."""
        return dict(self._twin.read_health())

    @property
    def description(self) -> DeviceDescription:
        """What the twin says of itself."""
        return self._twin.description

    def meter(self, plugs: Sequence[Plug], n_channels: int) -> tuple[FloatArray, FloatArray]:
        """Return the volts and amperes (n_channels,) at the parameters that a source drives, 0 without a wire.

        Raises ScpiError where the twin's drive measures nothing.
        """
        volts, amperes = np.zeros((2, n_channels))
        self._write_parameters()
        for plug in plugs:
            measured = self._twin.read_actuators(plug.layer) if isinstance(self._twin, Metered) else None
            if measured is None:
                raise ScpiError(-241, "this source has no meters")
            for values, own in zip((volts, amperes), measured, strict=True):
                values[plug.channels] = own[plug.places]
        return volts, amperes

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

    def _claimed(self, kind: str, name: str, found: tuple[Plug, ...]) -> tuple[Plug, ...]:
        for plug in found:
            for place in plug.places.tolist():
                if (other := self._sources.get((kind, plug.layer, place))) is not None:
                    raise ValueError(f"layer {plug.layer}, {kind} {place} is driven by {other} and by {name}")
                self._sources[kind, plug.layer, place] = name
        return found

    def _write_parameters(self) -> None:
        for changed in sorted(self._unwritten):
            self._twin.write_parameters(changed, self._parameters[changed])
        self._unwritten.clear()

    def _measure(self, layer: int) -> FloatArray:
        entrance = 0 if self._cascaded else layer
        own = self._twin.description.layers[layer]
        if own.one_sign and not self._lit[entrance].any():
            return np.zeros(own.n_outputs)
        self._write_parameters()
        if entrance in self._unstaged:
            self._twin.load_inputs(entrance, self._inputs[entrance][np.newaxis])
            self._unstaged.remove(entrance)
        return self._twin.read_outputs(layer, _FIRST)[0]


def _parked(twin: Device, layer: int) -> FloatArray:
    values = twin.read_parameters(layer)
    return np.zeros(twin.description.layers[layer].n_parameters) if values is None else np.array(values)
