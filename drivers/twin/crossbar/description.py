"""The description of a crossbar twin, from its configuration."""

from importlib.metadata import version

import numpy as np

from drivers.twin.crossbar.cells import CellArray
from drivers.twin.crossbar.columns import FLOOR_SIGMAS, Converter
from drivers.twin.crossbar.config import CrossbarConfig
from drivers.twin.crossbar.geometry import LayerShape
from ffzero_lab.device import DeviceDescription, LayerDescription, ParameterGroup, Reach

OUTPUT_UNIT = "drive"
"""Inputs and outputs count in full drives of a row."""
CONDUCTANCE_UNIT = "G_f"
"""A cell of one feedback conductance passes its input on with gain one."""
TYPICAL_CHANGE = 15.0
"""Change that does about as much as one radian of phase, in units of the largest first weight: weights may grow to
several times of what they began with. Measured on MNIST and digits, see docs/explanation/crossbar-twin.md."""


def describe(config: CrossbarConfig, arrays: list[CellArray], kernels: set[str]) -> DeviceDescription:
    """Return the description; *kernels* are the packages that compute."""
    layers: list[LayerDescription] = []
    inputs = (-1.0 if config.signed_inputs else 0.0), 1.0
    for shape, cells in zip(config.shapes(), arrays, strict=True):
        layers.append(_describe_layer(config, shape, cells, inputs))
        if config.topology == "cascaded":
            upper = layers[-1].output_upper
            inputs = (0.0 if shape.activation == "relu" else -upper), upper
    return DeviceDescription(
        name="twin:crossbar",
        serial_number=f"TWIN-{config.preset}-{config.seed}",
        kind="crossbar",
        topology=config.topology,
        layers=tuple(layers),
        timing=config.timing.stated(max(shape.vectors for shape in config.shapes())),
        implementation=", ".join(f"{name} {version(name)}" for name in sorted(kernels)),
    )


def _describe_layer(
    config: CrossbarConfig, shape: LayerShape, cells: CellArray, inputs: tuple[float, float]
) -> LayerDescription:
    readout, limit = config.readout, config.weight_limit(shape)
    start = min(limit, shape.fan_in**-0.5)  # the common rule for weights: uniform within ±1/√(inputs)
    full_scale = config.full_scale(shape)
    if readout.adc_bits == 0 and shape.activation != "tanh":
        full_scale = limit * (shape.fan_in * max(-inputs[0], inputs[1]) + shape.bias)
    converter = Converter(full_scale, readout.adc_bits, signed=shape.activation != "relu")
    names = ("weights" if shape.patches is None else "kernels", "bias")
    shapes = (shape.weights_shape, (shape.columns,))[: 2 if shape.bias else 1]
    return LayerDescription(
        input_shape=shape.input_shape,
        input_lower=inputs[0],
        input_upper=inputs[1],
        input_unit=OUTPUT_UNIT,
        output_shape=shape.output_shape,
        output_upper=full_scale,
        output_unit=OUTPUT_UNIT,
        one_sign=shape.activation == "relu",
        output_step=None if readout.adc_bits == 0 else full_scale / converter.codes,
        detection_floor=FLOOR_SIGMAS * config.full_scale(shape) * float(np.hypot(readout.noise, readout.offset)),
        groups=tuple(
            ParameterGroup(
                name=name,
                shape=of_group,
                unit=CONDUCTANCE_UNIT,
                lower=-limit,
                upper=limit,
                resolution=cells.resolution,
                typical_change=TYPICAL_CHANGE * start,
                start=(-start, start),
            )
            for name, of_group in zip(names, shapes, strict=False)
        ),
        reach=column_reach(shape),
    )


def column_reach(shape: LayerShape) -> Reach:
    """Return which outputs each crosspoint influences: those of its column, and no others."""
    columns = np.arange(shape.columns)
    of_weights = np.tile(columns, shape.fan_in) if shape.patches is None else np.repeat(columns, shape.fan_in)
    column = np.concatenate([of_weights, columns]) if shape.bias else of_weights
    per_column = shape.n_outputs // shape.columns
    return Reach(column * per_column, (column + 1) * per_column, shape.n_outputs)
