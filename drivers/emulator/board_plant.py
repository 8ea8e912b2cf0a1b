"""What stands behind an emulated board: the twin through the board's converters, code by code."""

from dataclasses import dataclass

import numpy as np

from drivers.board.messages import CASCADED, LAST_CODE, BoardLayer, Codes, Hello, Limits, Span
from drivers.emulator.apparatus import Apparatus
from drivers.emulator.troubles import Troubles
from drivers.emulator.witness import Witness
from ffzero_lab.device import DeviceDescription, LayerDescription

NEGATIVE_SHARE = 1.0 / 64.0
"""Of full scale, how far below zero a converter of intensities reaches: noise around zero is not rectified."""
THOUSANDTHS = 1e3


@dataclass(frozen=True)
class Converters:
    """What board of which size is built around a twin."""

    serial_number: str
    full_scale: float | None = None
    watchdog_ms: int = 1000
    gap_ms: int = 50
    settle_us: int = 0
    payload_max: int = 8192
    pattern_words: int = 65_536
    readings_max: int = 16_384


class BoardPlant:
    """Converters around a twin. Whoever calls holds the lock of the apparatus.

    Attributes
    ----------
    hello
        What the board says of itself, but for what changes.
    limits
        The limits of each layer.
    """

    def __init__(self, name: str, converters: Converters, apparatus: Apparatus, troubles: Troubles, witness: Witness):
        description = apparatus.description
        layers = description.layers
        entrances = layers[:1] if description.topology == "cascaded" else layers
        self._name = name
        self._apparatus = apparatus
        self._troubles = troubles
        self._witness = witness
        self._health = [channel.name for channel in description.health]
        counts = [layer.n_parameters for layer in layers]
        self._first = np.cumsum([0, *counts])
        plugs = apparatus.plug_parameters(name, sum(counts), ())
        apparatus.plug_inputs(f"{name}-inputs", sum(layer.n_inputs for layer in entrances), ())
        self._plugs = [[plug for plug in plugs if plug.layer == number] for number in range(len(layers))]
        self.hello = Hello(
            serial_number=converters.serial_number,
            layers=tuple(_layer(layer, converters) for layer in layers),
            rows=min(converters.pattern_words // sum(layer.n_inputs for layer in entrances), 0xFFFF),
            payload_max=converters.payload_max,
            readings_max=converters.readings_max,
            gap_ms=converters.gap_ms,
            watchdog_ms=converters.watchdog_ms,
            flags=CASCADED if description.topology == "cascaded" else 0,
            health_channels=len(self._health),
        )
        self._presented = [np.full(own.inputs, own.safe_input, dtype=np.uint16) for own in self.hello.layers]
        self.limits = [_limits(layer, own) for layer, own in zip(layers, self.hello.layers, strict=True)]

    @property
    def description(self) -> DeviceDescription:
        """What the twin says of itself."""
        return self._apparatus.description

    def write(self, layer: int, codes: Codes) -> None:
        """Drive the parameters (P,) of a layer."""
        self._drive(layer, codes, on=True)

    def measure(self, layer: int, patterns: Codes) -> Codes:
        """Present *patterns* (n, n_in) and return the counts (n, n_out); a reading over the range is the last one."""
        entrance = self._entrance(layer)
        self._presented[entrance] = patterns[-1]
        last = self.hello.layers[entrance].input_span.values(patterns[-1]).tolist()
        self._witness.output(f"{self._name}-inputs", _numbers(entrance, len(last)), last, on=True)
        return self._counts(layer, patterns)

    def read(self, layer: int) -> Codes:
        """Return the counts (n_out,) of a layer as everything stands."""
        return self._counts(layer, self._presented[self._entrance(layer)][np.newaxis])[0]

    def _entrance(self, layer: int) -> int:
        return 0 if self.hello.flags & CASCADED else layer

    def _counts(self, layer: int, patterns: Codes) -> Codes:
        own = self.hello.layers[layer]
        amplitudes = self.hello.layers[self._entrance(layer)].input_span.values(patterns)
        outputs = self._apparatus.present(layer, amplitudes)
        outputs[:, self._troubles.channels("dead-channel", own.outputs)] = 0.0
        counts = np.rint((outputs - own.output_span.lower) / own.output_span.step)
        counts = np.minimum(np.maximum(counts, 0.0), LAST_CODE).astype(np.uint16)  # as a converter saturates
        counts[:, self._troubles.channels("over-range", own.outputs)] = LAST_CODE
        return counts

    def park(self) -> None:
        """Bring everything to its safe code, inputs first."""
        self._presented = [np.full(own.inputs, own.safe_input, dtype=np.uint16) for own in self.hello.layers]
        for layer, own in enumerate(self.hello.layers):
            if layer == 0 or not self.hello.flags & CASCADED:
                zeros = [0.0] * own.inputs
                self._witness.output(f"{self._name}-inputs", _numbers(layer, own.inputs), zeros, on=False)
        for layer, limits in enumerate(self.limits):
            self._drive(layer, limits.safe, on=False)

    def health(self) -> list[int]:
        """Return the readings in thousandths of their unit."""
        read = self._apparatus.health()
        return [round(THOUSANDTHS * read[name]) for name in self._health]

    def refused(self, layer: int, place: int, code: int) -> None:
        """Take note of a setpoint out of limits that the board was asked for."""
        value = self.hello.layers[layer].parameter_span.values(np.array([code]))[0]
        self._witness.refused(self._name, int(self._first[layer]) + place + 1, float(value))

    def _drive(self, layer: int, codes: Codes, *, on: bool) -> None:
        first, stop = self._first[layer : layer + 2]
        values = np.zeros(self._first[-1])
        values[first:stop] = self.hello.layers[layer].parameter_span.values(codes)
        self._apparatus.drive_parameters(self._plugs[layer], values, np.ones(len(values), dtype=np.bool_))
        self._witness.output(self._name, range(first + 1, stop + 1), values[first:stop].tolist(), on=on)


def _numbers(layer: int, count: int) -> range:
    """Return numbers of input channels that tell their layer."""
    return range(1000 * layer + 1, 1000 * layer + count + 1)


def _layer(layer: LayerDescription, converters: Converters) -> BoardLayer:
    lower, upper = layer.per_parameter("lower").min(), layer.per_parameter("upper").max()
    inputs = Span(layer.input_lower, layer.input_upper)
    top = layer.output_upper if converters.full_scale is None else converters.full_scale
    outputs = Span(-NEGATIVE_SHARE * top if layer.one_sign else -top, top)
    parameters = Span(float(lower), float(upper))
    return BoardLayer(
        parameters=layer.n_parameters,
        inputs=layer.n_inputs,
        outputs=layer.n_outputs,
        safe_input=int(inputs.codes(np.array([min(max(0.0, inputs.lower), inputs.upper)]))[0]),
        parameter_span=parameters,
        input_span=inputs,
        output_span=outputs,
        power_ceiling=_power_ceiling(layer, parameters),
        settle_us=converters.settle_us,
    )


def _power_ceiling(layer: LayerDescription, span: Span) -> int:
    """Return the budget of equal resistors driven from 0 V, in squared codes; 0 where the board cannot know it."""
    law = layer.groups[0].power
    same = all(group.power == law for group in layer.groups)
    if layer.power_budget_w is None or not same or law is None or law.exponent != 2.0 or span.lower != 0.0:
        return 0
    return int(layer.power_budget_w / law.watts / span.step**2)


def _limits(layer: LayerDescription, own: BoardLayer) -> Limits:
    names = ("lower", "upper", "parked")
    return Limits(*(own.parameter_span.codes(layer.per_parameter(name)) for name in names))
