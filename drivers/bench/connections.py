"""Which channel of which instrument is which parameter, input or output: the map of a bench, as rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from drivers.bench.channels import format_channels
from drivers.bench.layers import LayerTable, SpanTable

RoleName = Literal["actuators", "inputs", "detectors"]


@dataclass(frozen=True)
class Connection:
    """A run of wires between one instrument and one layer.

    Attributes
    ----------
    layer
        The layer.
    name
        ``inputs``, ``outputs`` or the name of the parameter group.
    first
        Index of its first wire among all inputs, outputs or parameters of the layer.
    role, instrument
        Which table of the file, and which name in it.
    channels
        Channels in the order of the indices.
    place
        Where it stands in the file.
    """

    layer: int
    name: str
    first: int
    role: RoleName
    instrument: str
    channels: tuple[int, ...]
    place: tuple[str | int, ...]

    @property
    def indices(self) -> range:
        """Inputs, outputs or parameters of the layer that are connected."""
        return range(self.first, self.first + len(self.channels))

    def end(self, number: int) -> str:
        """Return the name of wire *number*'s end at the layer, such as ``layer 0, theta[4]``."""
        return f"layer {self.layer}, {self.name}[{number}]"


def connections_of(layers: Sequence[LayerTable]) -> tuple[Connection, ...]:
    """Return the connections of all layers, in the order of the file."""
    return tuple(connection for number, layer in enumerate(layers) for connection in _of_layer(number, layer))


def mapped_channels(connections: Sequence[Connection], role: RoleName, instrument: str) -> tuple[int, ...]:
    """Return the channels of an instrument that are connected, each once, in the order of the file."""
    channels = (c.channels for c in connections if (c.role, c.instrument) == (role, instrument))
    return tuple(dict.fromkeys(channel for some in channels for channel in some))


def as_rows(connections: Sequence[Connection], ranges: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the map as a person reads it; *ranges* are the limits of each instrument in words."""
    return [
        {
            "layer": c.layer,
            "what": c.name,
            "indices": format_channels(c.indices),
            "instrument": c.instrument,
            "channels": format_channels(c.channels),
            "limits": ranges[c.instrument],
        }
        for c in connections
    ]


def _of_layer(number: int, layer: LayerTable) -> Iterator[Connection]:
    yield from _of_spans(number, "inputs", "inputs", layer.inputs or ())
    first = 0
    for place, group in enumerate(layer.groups):
        where = ("layers", number, "groups", place)
        yield Connection(number, group.name, first, "actuators", group.instrument, group.channels, where)
        first += len(group.channels)
    yield from _of_spans(number, "outputs", "detectors", layer.outputs)


def _of_spans(
    number: int, name: Literal["inputs", "outputs"], role: RoleName, spans: Sequence[SpanTable]
) -> Iterator[Connection]:
    first = 0
    for place, span in enumerate(spans):
        where = ("layers", number, name, place)
        yield Connection(number, name, first, role, span.instrument, span.channels, where)
        first += len(span.channels)
