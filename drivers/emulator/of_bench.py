"""An emulation of the bench that a bench file describes: every instrument at its wires, a twin behind them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import tomlkit
from pydantic import ValidationError

from drivers.bench import BenchConfig
from drivers.bench.connections import Connection, RoleName, connections_of
from drivers.bench.tables import ActuatorsTable, InputsTable, InstrumentTable
from drivers.emulator.emulation import EmulationSpec
from drivers.emulator.power_meter import PORTS
from drivers.emulator.rack_of_bench import rack_spec, racks_of
from drivers.emulator.wiring import wires_of

KINDS: Mapping[RoleName, str] = {"actuators": "voltage-source", "inputs": "modulator", "detectors": "power-meter"}
"""What stands for an instrument of each role."""
_HERE = re.compile(r"TCPIP\d*::(?:127\.0\.0\.1|localhost)::(\d{1,5})::SOCKET", re.IGNORECASE)


def emulation_of(config: BenchConfig) -> EmulationSpec:
    """Return what serves the instruments of a bench file.

    Layers that share hardware are the one layer of the twin. An instrument whose link leads to a port of this computer
    listens there, so that the file which an emulation has written can be emulated again, at the same addresses; all
    others listen at any free port, unless ``port`` in ``[emulation.instruments.NAME]`` names one. Raises ValueError,
    naming the key, for a file without a table ``[emulation]``, or with instruments that are not emulated.
    """
    table = config.emulation
    if table is None:
        raise ValueError("emulation: give a table [emulation] with the twin that shall stand behind the instruments")
    connections = connections_of(config.layers)
    racks = racks_of(config)
    own = [
        _spec(config, role, name, instrument, connections)
        for role, instruments in config.instruments.items()
        for name, instrument in instruments.items()
        if instrument.link not in racks
    ]
    specs = [
        spec | dict(table.instruments.get(spec["name"], {}))
        for spec in (*own, *(rack_spec(config, link, tables, connections) for link, tables in racks.items()))
    ]
    unknown = sorted(set(table.instruments) - {spec["name"] for spec in specs})
    if unknown:
        raise ValueError(f"emulation.instruments.{unknown[0]}: the file has no such instrument{_or_rack(racks)}")
    try:
        return EmulationSpec.model_validate({"twin": table.twin, "options": table.options, "instruments": specs})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ["emulation", *map(str, first["loc"])]
        if len(first["loc"]) > 2 and first["loc"][0] == "instruments":
            where[2:4] = [specs[int(first["loc"][1])]["name"]]  # in place of its number and kind
        says = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{'.'.join(where)}: {says[:1].lower()}{says[1:]}") from error


def connected(text: str, resources: Mapping[str, str], config: BenchConfig) -> str:
    """Return the *text* of a bench file with its links led to *resources*, by name of the instrument or the rack."""
    document = tomlkit.parse(text)
    links: Any = document["links"]
    racks = racks_of(config)
    for instruments in config.instruments.values():
        for own, instrument in instruments.items():
            link = links[str(instrument.link)]
            name = str(instrument.link) if instrument.link in racks else own
            if "::" in resources[name]:
                link.pop("port", None)
                link.pop("baud", None)
                link["resource"] = resources[name]
            else:
                link.pop("resource", None)
                link["port"] = resources[name]
    return tomlkit.dumps(document)


def _spec(
    config: BenchConfig, role: RoleName, name: str, table: InstrumentTable, connections: Sequence[Connection]
) -> dict[str, Any]:
    if (
        table.link is None
        or [one.link for some in config.instruments.values() for one in some.values()].count(table.link) > 1
    ):
        raise ValueError(f"{role}.{name}.link: an emulated instrument has a link of its own")
    n_channels = len(table.channels)
    if tuple(table.channels) != tuple(range(1, n_channels + 1)):
        raise ValueError(f"{role}.{name}.channels: emulated instruments count their channels from 1, without gaps")
    own = [c for c in connections if (c.role, c.instrument) == (role, name)]
    spec: dict[str, Any] = {"kind": KINDS[role], "name": name, "wires": wires_of(config, own)}
    here = _HERE.fullmatch(str(config.links[table.link].get("resource")))
    if here is not None:
        spec["port"] = int(here[1])
    if role == "detectors":
        model = next((model for model, ports in PORTS.items() if ports == n_channels), None)
        spec |= {"model": "N7745C", "ports": n_channels} if model is None else {"model": model}
    if isinstance(table, ActuatorsTable | InputsTable):
        spec |= {"channels": n_channels, "lower": table.stated.lower, "upper": table.stated.upper}
    if isinstance(table, InputsTable):
        meters = {c.instrument for c in connections if c.role == "detectors" and c.layer in {o.layer for o in own}}
        spec |= {"memory": table.memory, "trigger": meters.pop() if len(meters) == 1 else None}
    return spec


def _or_rack(racks: Mapping[str, object]) -> str:
    return f"; a Qontrol rack has the name of its link: {', '.join(racks)}" if racks else ""
