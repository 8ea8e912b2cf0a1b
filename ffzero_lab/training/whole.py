"""All layers of a device as one, for rules with one loss at the end: parameters side by side, outputs of the last."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import Device, DeviceDescription, Guarded, LayerDescription, Patterns, Reach
from ffzero_lab.training.carry import Carry
from ffzero_lab.training.settings import TrainSettings

FloatArray = NDArray[np.float64]
RowIndex = NDArray[np.intp]


class WholeNetwork(Device):
    """A device seen as a single layer; limits and counts stay with the guarded *device* behind it.

    A cascade is written layer by layer and read at its end. With reinjection every layer is read, and its outputs are
    staged for the next one: one evaluation of the loss takes as many readings as there are layers. Between layers
    stands the plain carry, without levels, which could only be measured on layers that are trained already.
    """

    def __init__(self, device: Device) -> None:
        self.device, self.clock = device, device.clock
        self.carries = carries_between(device.description)
        self.description = as_one_layer(device.description)
        self._parts: list[FloatArray] = []

    def load_inputs(self, layer: int, patterns: Patterns) -> None:
        """Stage *patterns* (S, n_in) for the first layer."""
        self.device.load_inputs(layer, patterns)

    def write_parameters(self, layer: int, values: FloatArray) -> None:
        """Set the parameters (P,) of all layers; layers on the same hardware are written when their turn comes."""
        del layer
        self._parts = self.parts(values)
        if not self.description.shared_hardware:
            for number in range(len(self._parts)):
                self._write(number)

    def read_outputs(self, layer: int, rows: RowIndex) -> FloatArray:
        """Present the staged *rows* and read the last layer, (len(rows), n_out)."""
        del layer
        if self.description.topology == "cascaded":
            return self.device.read_outputs(len(self._parts) - 1, rows)
        outputs = self._read(0, rows)
        for number, carry in enumerate(self.carries, start=1):
            self.device.load_inputs(number, carry.apply(outputs))
            outputs = self._read(number, np.arange(len(rows), dtype=np.intp))
        return outputs

    def park(self) -> None:
        """Park the device."""
        self.device.park()

    def close(self) -> None:
        """Close the device."""
        self.device.close()

    def parts(self, values: FloatArray) -> list[FloatArray]:
        """Return the parameters of each layer of *values* (P,)."""
        ends = np.cumsum([0, *(layer.n_parameters for layer in self.device.description.layers)]).tolist()
        return [values[start:stop] for start, stop in pairwise(ends)]

    def _write(self, number: int) -> None:
        self.device.write_parameters(number, self._parts[number])

    def _read(self, number: int, rows: RowIndex) -> FloatArray:
        if self.description.shared_hardware:
            self._write(number)
        return self.device.read_outputs(number, rows)


def trained_as(settings: TrainSettings, device: Device) -> Device:
    """Return the device as the rule of *settings* sees it: layer by layer, or all layers as one."""
    return WholeNetwork(device) if settings.whole_network else device


def driver_behind(device: Device) -> Device:
    """Return the driver behind the guard, and behind the view of all layers as one.

    A calibrated device stands for its own: what the driver knows is in raw units.
    """
    guarded = device.device if isinstance(device, WholeNetwork) else device
    return guarded.driver if isinstance(guarded, Guarded) else guarded


def carries_between(description: DeviceDescription) -> list[Carry]:
    """Return what stands between the layers of a device; nothing in a cascade."""
    return [Carry.into(after) for after in description.layers[1:]] if description.topology == "reinjected" else []


def as_one_layer(description: DeviceDescription) -> DeviceDescription:
    """Describe a device as one layer; a group's name gets its layer's in front, such as ``layer1.theta``."""
    layers = description.layers
    starts = np.cumsum([0, *(layer.n_parameters for layer in layers)]).tolist()
    groups = [
        group.model_copy(update={"name": f"layer{number}.{group.name}"})
        for number, layer in enumerate(layers)
        for group in layer.groups
    ]
    dead = [start + index for start, layer in zip(starts, layers, strict=False) for index in layer.dead]
    fields = {name: getattr(layers[-1], name) for name in LayerDescription.model_fields}
    fields |= {name: getattr(layers[0], name) for name in ("input_shape", "input_lower", "input_upper", "input_unit")}
    fields |= {"groups": tuple(groups), "dead": tuple(dead), "reach": _reach(layers), "power_budget_w": None}
    one = LayerDescription(**fields)
    return description.model_copy(update={"layers": (one,)})


def _reach(layers: Sequence[LayerDescription]) -> Reach | None:
    """Return the reach of the last layer's parameters, in front of which every parameter reaches all outputs."""
    own, before = layers[-1].reach, sum(layer.n_parameters for layer in layers[:-1])
    if own is None:
        return None
    first, stop = np.zeros(before, dtype=np.intp), np.full(before, own.n_outputs, dtype=np.intp)
    return Reach(np.concatenate([first, own.first]), np.concatenate([stop, own.stop]), own.n_outputs)
