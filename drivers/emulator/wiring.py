"""The wires of an emulated instrument, as the map of a bench file has them."""

from collections.abc import Sequence

from drivers.bench import BenchConfig
from drivers.bench.connections import Connection
from drivers.emulator.wires import Wires


def wires_of(config: BenchConfig, connections: Sequence[Connection], first_channel: int = 1) -> list[Wires]:
    """Return the wires of one instrument, each run of neighbouring channels once; wires count channels from 1.

    *first_channel* is how the instrument itself numbers its first one.
    """
    runs: dict[tuple[int, int, int], Wires] = {}
    for connection in connections:
        layer = 0 if config.bench.shared_hardware else connection.layer
        for first, index, count in _runs(connection):
            channel = first + 1 - first_channel
            runs[channel, layer, index] = Wires(channel=channel, layer=layer, index=index, count=count)
    return list(runs.values())


def _runs(connection: Connection) -> list[tuple[int, int, int]]:
    """Return (channel, index, count) of each run in which channel and index rise together."""
    found: list[tuple[int, int, int]] = []
    for channel, index in zip(connection.channels, connection.indices, strict=True):
        if found and channel == found[-1][0] + found[-1][2]:
            first, start, count = found[-1]
            found[-1] = (first, start, count + 1)
        else:
            found.append((channel, index, 1))
    return found
