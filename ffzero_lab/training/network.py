"""A trained network: what must be written, the frozen rules around it, and how its answer is measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.datasets import Encoder
from ffzero_lab.device import Device, Patterns
from ffzero_lab.errors import InputError
from ffzero_lab.rule.heads import Head
from ffzero_lab.training.aim import Aim, aim_from
from ffzero_lab.training.carry import Carry

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class TrainedLayer:
    """One frozen layer.

    Attributes
    ----------
    parameters
        (P,) setpoints in the device's units.
    head
        The prototypes, and how outputs are compared with them.
    carry
        The rule into the next layer; None behind the last layer and in a cascade.
    """

    parameters: FloatArray
    head: Head
    carry: Carry | None

    def similarity(self, outputs: FloatArray, floor: float) -> tuple[FloatArray, int]:
        """Return the similarities (S, C) of outputs (S, n), and how many patterns were dark."""
        directions = self.head.directions(outputs, floor)
        return self.head.similarity(directions).sum(axis=0), int(np.count_nonzero(self.head.dark(directions)))


@dataclass(frozen=True)
class Measured:
    """What a device answered to a set of patterns.

    Attributes
    ----------
    similarity
        (layers, S, C).
    dark
        Patterns under the detection floor, for each layer.
    inputs
        (S, n_in) what was staged, for each layer that anything was staged for: the first alone of a cascade.
    """

    similarity: FloatArray
    dark: tuple[int, ...]
    inputs: tuple[Patterns, ...] = ()


@dataclass(frozen=True)
class Network:
    """Layers in order, behind the encoder of the raw features."""

    encoder: Encoder
    layers: Sequence[TrainedLayer]
    aim: Aim

    def measure(self, device: Device, patterns: Patterns) -> Measured:
        """Write every layer's parameters and measure encoded *patterns* (S, n_in) through all of them."""
        similarity: list[FloatArray] = []
        dark: list[int] = []
        inputs: list[Patterns] = []
        for number, layer in enumerate(self.layers):
            device.write_parameters(number, layer.parameters)
            if number == 0 or device.description.topology == "reinjected":
                stage(device, number, patterns)
                inputs.append(patterns)
            outputs = read_all(device, number, len(patterns))
            of_layer, dark_here = layer.similarity(outputs, device.description.layers[number].detection_floor)
            similarity.append(of_layer)
            dark.append(dark_here)
            if layer.carry is not None:
                patterns = layer.carry.apply(outputs)
        return Measured(np.stack(similarity), tuple(dark), tuple(inputs))

    def with_layer(self, number: int, layer: TrainedLayer) -> "Network":
        """Return the network with another *layer* at its place."""
        layers = list(self.layers)
        layers[number] = layer
        return replace(self, layers=layers)

    def starting_from(self, other: "Network") -> "Network":
        """Return this network with the parameters and prototypes of *other*; raises InputError when they do not fit."""
        ours, theirs = self._sizes(), other._sizes()
        if ours != theirs:
            raise InputError(
                f"the run to start from has (parameters, classes, outputs) {theirs} by layer, this one needs {ours}"
            )
        taken = [
            replace(mine, parameters=its.parameters, head=its.head)
            for mine, its in zip(self.layers, other.layers, strict=True)
        ]
        return replace(self, layers=taken)

    def _sizes(self) -> list[tuple[int, ...]]:
        return [(len(layer.parameters), layer.head.prototypes.shape[1], layer.head.n_outputs) for layer in self.layers]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as named arrays, for the checkpoint."""
        arrays: dict[str, NDArray[Any]] = {f"encoder.{k}": v for k, v in self.encoder.to_arrays().items()}
        arrays |= self.aim.to_arrays()
        for number, layer in enumerate(self.layers):
            arrays[f"layer{number}.parameters"] = layer.parameters
            arrays[f"layer{number}.prototypes"] = layer.head.prototypes
            arrays[f"layer{number}.centre"] = np.array(layer.head.centre)
            if layer.head.reduction is not None:
                arrays[f"layer{number}.reduction"] = layer.head.reduction
            if layer.carry is not None:
                arrays |= {f"layer{number}.{k}": v for k, v in layer.carry.to_arrays().items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "Network":
        """Read back what :meth:`to_arrays` gave; raises KeyError when something is missing."""
        encoder = Encoder.from_arrays({k.partition(".")[2]: v for k, v in arrays.items() if k.startswith("encoder.")})
        layers: list[TrainedLayer] = []
        while f"layer{len(layers)}.parameters" in arrays:
            prefix = f"layer{len(layers)}."
            own = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
            carry = Carry.from_arrays(own) if "carry" in own else None
            head = Head(own["prototypes"], own.get("reduction"), bool(own["centre"]))
            layers.append(TrainedLayer(own["parameters"], head, carry))
        return cls(encoder, layers, aim_from(arrays))


def stage(device: Device, layer: int, patterns: Patterns) -> None:
    """Stage *patterns* (S, n_in) for *layer*; a cascade takes them at its first layer and carries them on itself."""
    device.load_inputs(layer if device.description.topology == "reinjected" else 0, patterns)


def read_all(device: Device, layer: int, n_patterns: int) -> FloatArray:
    """Read every staged pattern at the tap of *layer*, shape (n_patterns, n_out)."""
    return device.read_outputs(layer, np.arange(n_patterns, dtype=np.intp))
