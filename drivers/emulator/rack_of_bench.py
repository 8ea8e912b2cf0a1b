"""The Qontrol racks of a bench file, each emulated as one instrument whatever roles its channels have."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from drivers.bench import BenchConfig
from drivers.bench.connections import Connection, RoleName
from drivers.bench.tables import InstrumentTable
from drivers.emulator.qontrol_rack import PER_MODULE
from drivers.emulator.wiring import wires_of
from drivers.qontrol import QontrolActuators, QontrolInputs

Tables = Sequence[tuple[RoleName, str, InstrumentTable]]
_OF_AN_EMULATION = "ffzero"
"""What stands in the path of a port that an emulation made: there it appears again."""


def racks_of(config: BenchConfig) -> Mapping[str, Tables]:
    """Return the tables of each rack by the name of its link."""
    racks: dict[str, list[tuple[RoleName, str, InstrumentTable]]] = {}
    for role, instruments in config.instruments.items():
        for name, table in instruments.items():
            if table.link is not None and issubclass(table.role_class, QontrolActuators | QontrolInputs):
                racks.setdefault(table.link, []).append((role, name, table))
    return racks


def rack_spec(config: BenchConfig, link: str, tables: Tables, connections: Sequence[Connection]) -> dict[str, Any]:
    """Return the specification of the rack on *link*."""
    names = {(role, name) for role, name, _ in tables}
    own = {
        role: [c for c in connections if c.role == role and (c.role, c.instrument) in names]
        for role in ("actuators", "inputs")
    }
    settings = config.links[link]
    most = max(channel for _, _, table in tables for channel in table.channels)
    spec: dict[str, Any] = {
        "kind": "qontrol-rack",
        "name": link,
        "modules": most // PER_MODULE + 1,
        "wires": wires_of(config, own["actuators"], first_channel=0),
        "input_wires": wires_of(config, own["inputs"], first_channel=0),
    }
    if "baud" in settings:
        spec["baud"] = settings["baud"]
    port = str(settings.get("port", ""))
    found = re.fullmatch(r"serial:([0-9A-Fa-f]{1,4})", port)
    if found is not None:
        spec["serial_number"] = found[1].upper().zfill(4)
    elif _OF_AN_EMULATION in port and Path(port).parent.is_dir():
        spec["path"] = port
    for role, _, table in tables:
        per_unit = getattr(table.settings, "volts_per_unit", None)
        if role == "inputs" and per_unit is not None:
            spec["volts_per_unit"] = per_unit
    return spec
