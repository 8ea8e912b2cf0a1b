"""The description of a board, and whether the board that answers is the one that the bench file describes."""

import numpy as np

from drivers.bench.describing import RAW_UNITS, power_law
from drivers.board.config import BoardConfig, BoardGroup, BoardLayerTable
from drivers.board.messages import CASCADED, LAST_CODE, BoardLayer, Hello, Limits, Span
from drivers.twin.photonic.mesh import MeshGeometry
from ffzero_lab.device import (
    DeviceDescription,
    HealthChannel,
    LayerDescription,
    ParameterGroup,
    Reach,
    Timing,
)


def describe(config: BoardConfig, hello: Hello) -> DeviceDescription:
    """Return the description; the steps of the converters and the memory are those of the board."""
    return DeviceDescription(
        name=config.name,
        serial_number=config.serial_number,
        kind=config.kind,
        topology=config.topology,
        layers=tuple(_layer(table, own) for table, own in zip(config.layers, hello.layers, strict=True)),
        timing=Timing(**config.timing.model_dump()),
        implementation=f"firmware {hello.firmware_version}",
        pattern_memory=hello.rows,
        power_budget_w=config.power_budget_w,
        raw_units=any(group.stated.unit in RAW_UNITS for table in config.layers for group in table.groups),
        health=tuple(HealthChannel(**channel.model_dump()) for channel in config.health),
    )


def check_agreement(config: BoardConfig, hello: Hello) -> None:
    """Raise ValueError, naming key and values, when the board is not as the bench file says."""
    if len(hello.layers) != len(config.layers):
        raise ValueError(f"layers: the file has {len(config.layers)}, the board {len(hello.layers)}")
    cascaded = bool(hello.flags & CASCADED)
    if cascaded != (config.topology == "cascaded"):
        raise ValueError(f"topology: {config.topology!r}, but the board is {'' if cascaded else 'not '}a cascade")
    if hello.health_channels != len(config.health):
        raise ValueError(f"health: the file has {len(config.health)} channels, the board {hello.health_channels}")
    if not hello.gap_ms < 1e3 * config.quiet_s:
        raise ValueError(f"quiet_s: {config.quiet_s} must be above the board's gap of {hello.gap_ms} ms")
    for number, (table, own) in enumerate(zip(config.layers, hello.layers, strict=True)):
        where = f"layers.{number}"
        given = (sum(group.count for group in table.groups), table.inputs.count, table.outputs.count)
        if given != (own.parameters, own.inputs, own.outputs):
            said = f"the board has {own.parameters}, {own.inputs} and {own.outputs}"
            raise ValueError(f"{where}: {given[0]} parameters, {given[1]} inputs and {given[2]} outputs; {said}")
        levels, scale = table.inputs.stated, table.outputs.stated
        _check_span(f"{where}.inputs", own.input_span, levels.lower, levels.upper, levels.unit)
        if not np.isclose(own.output_span.upper, scale.full_scale, rtol=1e-9):
            says = f"{scale.full_scale:.9g} {scale.unit}, the board's converter ends at {own.output_span.upper:.9g}"
            raise ValueError(f"{where}.outputs.full_scale: {says}")


def check_limits(config: BoardConfig, layer: int, own: BoardLayer, limits: Limits) -> None:
    """Raise ValueError when the file allows what the board's own limits do not, or parks somewhere else."""
    first = 0
    for group in config.layers[layer].groups:
        stated, where = group.stated, f"layers.{layer}.groups.{group.name}"
        _check_span(where, own.parameter_span, stated.lower, stated.upper, stated.unit)
        lowest, safe, highest = own.parameter_span.codes(np.array([stated.lower, stated.safe, stated.upper]))
        places = slice(first, first + group.count)
        first += group.count
        if limits.lowest[places].max() > lowest or limits.highest[places].min() < highest:
            low, high = own.parameter_span.values(np.array([limits.lowest[places].max(), limits.highest[places].min()]))
            says = f"{stated.lower:g} to {stated.upper:g} {stated.unit}; the board allows {low:.6g} to {high:.6g}"
            raise ValueError(f"{where}: {says}")
        if (limits.safe[places] != safe).any():
            parked = own.parameter_span.values(limits.safe[places])[limits.safe[places] != safe][0]
            raise ValueError(f"{where}: safe is {stated.safe:g} {stated.unit}, the board parks at {parked:.6g}")


def _check_span(where: str, span: Span, lower: float, upper: float, unit: str) -> None:
    if not span.lower <= lower < upper <= span.upper:
        ends = f"{span.lower:g} to {span.upper:g}"
        raise ValueError(f"{where}: {lower:g} to {upper:g} {unit} is more than the board's converter reaches, {ends}")


def _layer(table: BoardLayerTable, own: BoardLayer) -> LayerDescription:
    levels, scale = table.inputs.stated, table.outputs.stated
    return LayerDescription(
        input_shape=(table.inputs.count,),
        input_lower=levels.lower,
        input_upper=levels.upper,
        input_unit=levels.unit,
        output_shape=(table.outputs.count,),
        output_upper=scale.full_scale,
        output_unit=scale.unit,
        one_sign=table.one_sign,
        detection_floor=scale.detection_floor,
        groups=tuple(_group(group, own.parameter_span) for group in table.groups),
        power_budget_w=table.power_budget_w,
        dead=_dead(table),
        reach=_reach(table),
    )


def _group(group: BoardGroup, span: Span) -> ParameterGroup:
    stated = group.stated
    return ParameterGroup(
        name=group.name,
        shape=(group.count,),
        unit=stated.unit,
        lower=stated.lower,
        upper=stated.upper,
        safe=stated.safe,
        period=stated.period,
        resolution=max(stated.resolution, (span.upper - span.lower) / LAST_CODE),
        slew_per_s=stated.slew_per_s,
        power=power_law(stated.unit, group.resistance_ohm),
        scale=group.scale,
        typical_change=group.typical_change,
        start=stated.start,
    )


def _dead(table: BoardLayerTable) -> tuple[int, ...]:
    dead: list[int] = []
    first = 0
    for group in table.groups:
        dead += [first + index for index in group.dead]
        first += group.count
    return tuple(dead)


def _reach(table: BoardLayerTable) -> Reach | None:
    n_outputs = table.outputs.count
    if table.reach == "all":
        return None
    if table.reach == "mesh":
        return Reach(*MeshGeometry(n_outputs).light_cone(), n_outputs)
    columns = np.concatenate([np.arange(group.count) % n_outputs for group in table.groups])
    return Reach(columns, columns + 1, n_outputs)
