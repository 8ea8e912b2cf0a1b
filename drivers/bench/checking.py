"""Holds the tables of a bench file against each other: every wire has two ends, and every end one wire."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from drivers.bench.channels import format_channels
from drivers.bench.connections import Connection, RoleName, connections_of
from drivers.bench.layers import GroupTable, LayerTable
from drivers.bench.mistakes import Mistakes
from drivers.bench.quantities import range_in_words
from drivers.bench.reaching import mesh_groups
from drivers.bench.tables import (
    ActuatorsTable,
    AnyInstrumentTable,
    BenchTable,
    DetectorsTable,
    HealthTable,
    InputsTable,
)

DRIVEN_POWER = ("V", "mV", "A", "mA")


@dataclass(frozen=True)
class Tables:
    """What is held against each other."""

    bench: BenchTable
    links: Mapping[str, Any]
    actuators: Mapping[str, ActuatorsTable]
    inputs: Mapping[str, InputsTable]
    detectors: Mapping[str, DetectorsTable]
    layers: Sequence[LayerTable]
    health: Mapping[str, HealthTable]

    @property
    def instruments(self) -> Mapping[RoleName, Mapping[str, AnyInstrumentTable]]:
        """All instruments by role and name."""
        return {"actuators": self.actuators, "inputs": self.inputs, "detectors": self.detectors}


def check(tables: Tables, mistakes: Mistakes) -> None:
    """Add every contradiction between the tables to *mistakes*."""
    connections = connections_of(tables.layers)
    _check_names(tables, mistakes)
    _check_links(tables, mistakes)
    known = [c for c in connections if _ends_are_known(c, tables, mistakes)]
    _check_one_wire_each(known, tables, mistakes)
    _check_used(known, tables, mistakes)
    _check_shared_power(tables, mistakes)
    for number, layer in enumerate(tables.layers):
        _check_inputs(number, layer, tables, mistakes)
        of_layer = [connection for connection in known if connection.layer == number]
        _check_alike([c for c in of_layer if c.role == "inputs"], tables.inputs, mistakes)
        _check_alike([c for c in of_layer if c.role == "detectors"], tables.detectors, mistakes)
        for place, group in enumerate(layer.groups):
            _check_group(group, tables.actuators, mistakes, ("layers", number, "groups", place))
            _check_power_is_known(group, layer, tables, mistakes, ("layers", number, "groups", place))
        if layer.reach == "column":
            _check_columns(number, layer, mistakes)
        if layer.reach == "mesh":
            _check_mesh(number, layer, mistakes)


def _check_names(tables: Tables, mistakes: Mistakes) -> None:
    seen: dict[str, str] = {}
    for role, name, table in _all(tables):
        if name in seen:
            mistakes.add(role, name, given={}, says=f"there is [{seen[name]}.{name}] already; give it another name")
        seen[name] = role
        if table.link is not None and table.link not in tables.links:
            mistakes.unknown(role, name, "link", what="link", word=table.link, allowed=tables.links)
    for channel, reading in tables.health.items():
        if reading.instrument not in seen:
            place = ("health", channel, "instrument")
            mistakes.unknown(*place, what="instrument", word=reading.instrument, allowed=seen)


def _ends_are_known(connection: Connection, tables: Tables, mistakes: Mistakes) -> bool:
    """Tell whether a connection leads to channels that there are."""
    found = tables.instruments[connection.role].get(connection.instrument)
    if found is None:
        names = tables.instruments[connection.role]
        what = f"instrument in [{connection.role}]"
        mistakes.unknown(*connection.place, "instrument", what=what, word=connection.instrument, allowed=names)
        return False
    missing = [channel for channel in connection.channels if channel not in set(found.channels)]
    if missing:
        given = format_channels(connection.channels)
        says = f"{connection.instrument!r} has no channel {format_channels(missing)}; it has {_has(found)}"
        mistakes.add(*connection.place, "channels", given=given, says=says)
    return not missing


def _check_one_wire_each(known: Sequence[Connection], tables: Tables, mistakes: Mistakes) -> None:
    taken: dict[tuple[Any, ...], str] = {}
    for connection in known:
        among = connection.layer if tables.bench.shared_hardware else None
        for number, channel in enumerate(connection.channels):
            end = (among, connection.role, connection.instrument, channel)
            if end in taken:
                mistakes.add(
                    *connection.place,
                    "channels",
                    given=format_channels(connection.channels),
                    says=f"channel {channel} of {connection.instrument!r} is {connection.end(number)} here and "
                    f"{taken[end]} already; a channel is mapped once{_sharing(tables)}",
                )
                break
            taken[end] = connection.end(number)


def _sharing(tables: Tables) -> str:
    several = len(tables.layers) > 1 and not tables.bench.shared_hardware
    return " (or set bench.shared_hardware, if the layers are one piece of hardware)" if several else " in a layer"


def _check_used(known: Sequence[Connection], tables: Tables, mistakes: Mistakes) -> None:
    used = {(connection.role, connection.instrument) for connection in known}
    wanted = {(c.role, c.instrument) for c in connections_of(tables.layers)}
    for role, name, _ in _all(tables):
        if (role, name) not in used | wanted:
            mistakes.add(role, name, given={}, says="no layer uses this instrument; map its channels, or take it out")


def _check_inputs(number: int, layer: LayerTable, tables: Tables, mistakes: Mistakes) -> None:
    takes_patterns = number == 0 or tables.bench.topology == "reinjected"
    if takes_patterns and layer.inputs is None:
        mistakes.add("layers", number, "inputs", given={}, says="nothing presents patterns to this layer; map inputs")
    if not takes_patterns and layer.inputs is not None:
        says = "inside a cascade the layer before drives this one; take its inputs out, or say topology 'reinjected'"
        mistakes.add("layers", number, "inputs", given={}, says=says)


def _check_alike(
    spans: Sequence[Connection],
    instruments: Mapping[str, InputsTable] | Mapping[str, DetectorsTable],
    mistakes: Mistakes,
) -> None:
    """Refuse inputs of several ranges, or outputs of several scales: the description knows one for each layer."""
    for span in spans[1:]:
        first, other = instruments[spans[0].instrument], instruments[span.instrument]
        if first.stated.model_dump(exclude={"safe"}) != other.stated.model_dump(exclude={"safe"}):
            says = (
                f"the {span.name} of one layer need one range: {spans[0].instrument!r} has "
                f"{range_in_words(first.stated)}, this one {range_in_words(other.stated)}"
            )
            mistakes.add(*span.place, "instrument", given=span.instrument, says=says)


def _check_group(
    group: GroupTable, actuators: Mapping[str, ActuatorsTable], mistakes: Mistakes, place: tuple[str | int, ...]
) -> None:
    if group.size is not None and group.size != len(group.channels):
        lacking = f"{group.name}[{len(group.channels)}] has no channel" if group.size > len(group.channels) else ""
        says = f"names {len(group.channels)} channels for {group.size} parameters{f': {lacking}' if lacking else ''}"
        mistakes.add(*place, "channels", given=format_channels(group.channels), says=says)
    strangers = [channel for channel in group.dead_channels or () if channel not in group.channels]
    if strangers:
        says = f"channel {format_channels(strangers)} is none of the group's, {format_channels(group.channels)}"
        mistakes.add(*place, "dead_channels", given=format_channels(group.dead_channels or ()), says=says)
    instrument = actuators.get(group.instrument)
    if instrument is None:
        return
    unit = instrument.stated.unit
    if group.stated.unit not in ("", unit):
        says = f"its numbers are in {group.stated.unit}, those of {group.instrument!r} in {unit}; use {unit}"
        mistakes.add(*place, given={}, says=says)
    for bound in (group.stated.lower, group.stated.upper):
        if bound is not None and not instrument.stated.lower <= bound <= instrument.stated.upper:
            says = f"its bound {bound:g} is beyond {group.instrument!r}, {range_in_words(instrument.stated)}"
            mistakes.add(*place, given={}, says=says)
    if group.resistance_ohm is not None and unit not in DRIVEN_POWER:
        says = f"goes with {', '.join(DRIVEN_POWER)}; {group.instrument!r} is driven in {unit}"
        mistakes.add(*place, "resistance_ohm", given=group.resistance_ohm, says=says)


def _check_power_is_known(
    group: GroupTable, layer: LayerTable, tables: Tables, mistakes: Mistakes, place: tuple[str | int, ...]
) -> None:
    """Refuse a budget that would never apply: volts and amperes are no power without a resistance."""
    instrument = tables.actuators.get(group.instrument)
    if instrument is None or group.resistance_ohm is not None or instrument.stated.unit not in DRIVEN_POWER:
        return
    of_bench, of_layer = tables.bench.power_budget_w is not None, layer.power_budget_w is not None
    if of_bench or of_layer:
        says = (
            f"{'bench.power_budget_w' if of_bench else 'power_budget_w of the layer'} cannot be kept: nobody knows "
            f"what {group.name!r} draws, driven in {instrument.stated.unit}; "
            "give resistance_ohm, or take the budget out"
        )
        mistakes.add(*place, "resistance_ohm", given={}, says=says)


def _check_shared_power(tables: Tables, mistakes: Mistakes) -> None:
    """Refuse a budget where channels that a layer does not map draw power at their safe value beside it."""
    if not tables.bench.shared_hardware or tables.bench.power_budget_w is None:
        return
    maps = [
        {(group.instrument, channel) for group in layer.groups for channel in group.channels} for layer in tables.layers
    ]
    somewhere = {end for mapped in maps for end in mapped}
    for name in sorted({name for mapped in maps for name, _ in somewhere - mapped}):
        instrument = tables.actuators.get(name)
        if instrument is not None and instrument.stated.safe != 0.0:
            says = (
                f"its safe value of {instrument.stated.safe:g} {instrument.stated.unit} draws power on channels that "
                "another layer of the shared hardware maps; let every layer map them, or give a safe value of 0"
            )
            mistakes.add("actuators", name, given={}, says=says)


def _check_columns(number: int, layer: LayerTable, mistakes: Mistakes) -> None:
    n_outputs = sum(len(span.channels) for span in layer.outputs)
    for place, group in enumerate(layer.groups):
        if len(group.channels) % n_outputs:
            says = f"reach 'column' needs a multiple of the {n_outputs} outputs, not {len(group.channels)} parameters"
            mistakes.add(
                "layers", number, "groups", place, "channels", given=format_channels(group.channels), says=says
            )


def _check_mesh(number: int, layer: LayerTable, mistakes: Mistakes) -> None:
    n_outputs = sum(len(span.channels) for span in layer.outputs)
    wanted, found = mesh_groups(n_outputs), [len(group.channels) for group in layer.groups]
    if sum(wanted) != sum(found) or (len(found) == len(wanted) and wanted != found):
        says = (
            f"a mesh of {n_outputs} ports has groups of {', '.join(map(str, wanted))} parameters (theta, phi, gamma), "
            f"not {', '.join(map(str, found))}"
        )
        mistakes.add("layers", number, "reach", given="mesh", says=says)


def _check_links(tables: Tables, mistakes: Mistakes) -> None:
    """Let the drivers of the instruments on a link look at its keys, each driver once."""
    seen: set[tuple[str, type[Any]]] = set()
    for _, _, table in _all(tables):
        try:
            model: type[Any] | None = table.role_class.LinkConfig
        except ValueError:
            continue  # an unknown driver is told at its own key
        if table.link is None or table.link not in tables.links or model is None or (table.link, model) in seen:
            continue
        seen.add((table.link, model))
        try:
            model.model_validate(tables.links[table.link])
        except ValidationError as error:
            mistakes.take(error, "links", table.link, allowed=list(model.model_fields))


def _all(tables: Tables) -> Iterator[tuple[RoleName, str, AnyInstrumentTable]]:
    for role, instruments in tables.instruments.items():
        for name, table in instruments.items():
            yield role, name, table


def _has(table: AnyInstrumentTable) -> str:
    return format_channels(table.channels)
