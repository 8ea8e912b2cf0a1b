"""Instruments as they are mounted on a bench: a role driver, its channels, and where in a layer each one leads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from drivers.bench.connections import Connection, RoleName, mapped_channels
from drivers.bench.parking import STAGE_S
from drivers.bench.quantities import Levels, Limits
from drivers.bench.roles import Actuators, Detectors, Inputs, Instrument, LinkTable, Wiring
from drivers.bench.tables import AnyInstrumentTable, InputsTable
from ffzero_lab.device import BadReply, FloatArray

Role = TypeVar("Role", bound=Instrument)


@dataclass(frozen=True, eq=False)
class Mounted(Generic[Role]):
    """An instrument that was opened."""

    wiring: Wiring
    driver: Role

    @property
    def name(self) -> str:
        """Its name in the bench file."""
        return self.wiring.name

    @property
    def safe(self) -> FloatArray:
        """Setpoints (n,) of the mapped channels for parking."""
        return np.full(len(self.wiring.channels), self.wiring.safe)

    def checked(self, values: FloatArray, what: str, times: int | None = None) -> FloatArray:
        """Return *values* (n,) of the mapped channels as they came, or (times, n) of several *times*.

        Raises BadReply for any other number of them.
        """
        values = np.asarray(values, dtype=np.float64)
        if values.shape != (*(() if times is None else (times,)), len(self.wiring.channels)):
            raise BadReply(
                f"{self.name}: {what} of shape {values.shape} for {len(self.wiring.channels)} channels; the reply was "
                "discarded"
            )
        return values

    def channel(self, place: int) -> str:
        """Return the name of a mapped channel, for messages."""
        return f"{self.name} channel {self.wiring.channels[place]}"


@dataclass(frozen=True, eq=False)
class Plug(Generic[Role]):
    """Wires between one instrument and one layer: ``places`` among its mapped channels, ``indices`` in the layer."""

    instrument: Mounted[Role]
    places: NDArray[np.intp]
    indices: NDArray[np.intp]


@dataclass(frozen=True)
class LayerPlugs:
    """Everything that one layer is plugged into."""

    actuators: tuple[Plug[Actuators], ...]
    inputs: tuple[Plug[Inputs], ...]
    detectors: tuple[Plug[Detectors], ...]


def wiring_of(
    name: str,
    role: RoleName,
    table: AnyInstrumentTable,
    connections: Sequence[Connection],
    links: Mapping[str, LinkTable],
    park_s: float = STAGE_S,
) -> Wiring:
    """Return what an instrument's driver is told of its wiring."""
    stated = table.stated
    lower, upper, safe = (
        (stated.lower, stated.upper, stated.safe) if isinstance(stated, Levels) else (0.0, stated.full_scale, 0.0)
    )
    return Wiring(
        name=name,
        channels=mapped_channels(connections, role, name),
        all_channels=table.channels,
        unit=stated.unit,
        lower=lower,
        upper=upper,
        safe=safe,
        memory=table.memory if isinstance(table, InputsTable) else 0,
        resolution=stated.resolution if isinstance(stated, Limits) else 0.0,
        slew_per_s=stated.slew_per_s if isinstance(stated, Limits) else None,
        park_s=park_s,
        link=None if table.link is None else links[table.link],
    )


def plugs_of(
    layer: int, role: RoleName, connections: Sequence[Connection], mounted: Mapping[str, Mounted[Role]]
) -> tuple[Plug[Role], ...]:
    """Return the plugs of one layer into the instruments of one role, one for each instrument."""
    plugs: list[Plug[Role]] = []
    for name, instrument in mounted.items():
        own = [c for c in connections if (c.layer, c.role, c.instrument) == (layer, role, name)]
        if own:
            where = {channel: place for place, channel in enumerate(instrument.wiring.channels)}
            places = [where[channel] for connection in own for channel in connection.channels]
            indices = [index for connection in own for index in connection.indices]
            plugs.append(Plug(instrument, np.array(places, dtype=np.intp), np.array(indices, dtype=np.intp)))
    return tuple(plugs)
