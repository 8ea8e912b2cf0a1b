"""The description of a bench, from its file alone."""

from typing import TYPE_CHECKING

from pydantic import ValidationError

from drivers.bench.layers import GroupTable, LayerTable
from drivers.bench.mistakes import Mistakes
from drivers.bench.quantities import Limits
from drivers.bench.reaching import reach_of
from ffzero_lab.device import (
    DeviceDescription,
    HealthChannel,
    LayerDescription,
    ParameterGroup,
    PowerLaw,
    Timing,
)

if TYPE_CHECKING:
    from drivers.bench.config import BenchConfig

RAW_UNITS = frozenset({"V", "mV", "A", "mA", "W", "mW", "µW", "nW", "counts"})
"""What a drive is given: without a calibration record nobody knows what it does."""
_TO_SI = {"V": 1.0, "mV": 1e-3, "A": 1.0, "mA": 1e-3, "W": 1.0, "mW": 1e-3, "µW": 1e-6, "nW": 1e-9}


def describe(config: "BenchConfig") -> DeviceDescription:
    """Return the description; raises ValidationError with the place in the file of what cannot be."""
    mistakes = Mistakes()
    layers: list[LayerDescription] = []
    for number, layer in enumerate(config.layers):
        try:
            layers.append(_layer(config, layer, layers[-1] if layers else None))
        except ValidationError as error:
            mistakes.take(error, "layers", number)
            mistakes.raise_any("BenchConfig")
    bench, timing = config.bench, config.timing
    return DeviceDescription(
        name=bench.name,
        serial_number=bench.serial_number,
        kind=bench.kind,
        topology=bench.topology,
        layers=tuple(layers),
        timing=Timing(
            write_s=timing.settle_s if timing.write_s is None else timing.write_s,
            shot_s=timing.shot_settle_s if timing.shot_s is None else timing.shot_s,
            imitates=timing.imitates,
        ),
        shared_hardware=bench.shared_hardware,
        power_budget_w=bench.power_budget_w,
        raw_units=any(group.unit in RAW_UNITS for layer in layers for group in layer.groups),
        health=tuple(
            HealthChannel(name=name, unit=table.unit, lower=table.lower, upper=table.upper)
            for name, table in config.health.items()
        ),
    )


def _layer(config: "BenchConfig", layer: LayerTable, before: LayerDescription | None) -> LayerDescription:
    scale = config.detectors[layer.outputs[0].instrument].stated
    n_outputs = sum(len(span.channels) for span in layer.outputs)
    if layer.inputs is not None:
        limits = config.inputs[layer.inputs[0].instrument].stated
        n_inputs, lower, upper = sum(len(span.channels) for span in layer.inputs), limits.lower, limits.upper
        input_unit = limits.unit
    else:
        assert before is not None  # noqa: S101 - checked: only layers inside a cascade have no inputs
        n_inputs, upper, input_unit = before.n_outputs, before.output_upper, before.output_unit
        lower = 0.0 if before.one_sign else -upper
    return LayerDescription(
        input_shape=(n_inputs,),
        input_lower=lower,
        input_upper=upper,
        input_unit=input_unit,
        output_shape=(n_outputs,),
        output_upper=scale.full_scale,
        output_unit=scale.unit,
        output_names=tuple(f"{span.instrument} channel {c}" for span in layer.outputs for c in span.channels),
        one_sign=layer.one_sign,
        detection_floor=scale.detection_floor,
        groups=tuple(_group(group, config.actuators[group.instrument].stated) for group in layer.groups),
        power_budget_w=layer.power_budget_w,
        dead=_dead(layer),
        reach=reach_of(layer, n_outputs),
    )


def _group(group: GroupTable, limits: Limits) -> ParameterGroup:
    lower = limits.lower if group.stated.lower is None else group.stated.lower
    upper = limits.upper if group.stated.upper is None else group.stated.upper
    return ParameterGroup(
        name=group.name,
        shape=(len(group.channels),),
        unit=limits.unit,
        lower=lower,
        upper=upper,
        safe=limits.safe,
        period=group.stated.period,
        resolution=limits.resolution,
        slew_per_s=limits.slew_per_s,
        power=power_law(limits.unit, group.resistance_ohm),
        scale=group.scale,
        typical_change=group.typical_change,
        start=group.stated.start,
    )


def power_law(unit: str, resistance_ohm: float | None) -> PowerLaw | None:
    """Return V²/R, I²R, or the power itself where it is what is set; None where nobody knows."""
    if unit.endswith("W"):
        return PowerLaw(watts=_TO_SI[unit])
    if resistance_ohm is None:
        return None
    per_square = resistance_ohm if unit.endswith("A") else 1.0 / resistance_ohm
    return PowerLaw(watts=per_square * _TO_SI[unit] ** 2, exponent=2.0)


def _dead(layer: LayerTable) -> tuple[int, ...]:
    dead: list[int] = []
    first = 0
    for group in layer.groups:
        dead += [first + group.channels.index(channel) for channel in group.dead_channels or ()]
        first += len(group.channels)
    return tuple(dead)
