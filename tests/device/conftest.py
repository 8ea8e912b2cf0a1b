"""A tiny device with faults on demand, behind the guard and a log of what reached it."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from ffzero_lab.conformance import CallLog
from ffzero_lab.device import (
    Device,
    DeviceDescription,
    Guarded,
    LayerDescription,
    ParameterGroup,
    PowerLaw,
    Timing,
    VirtualClock,
)

STIFFNESS = ParameterGroup(name="stiffness", shape=(2,), unit="N/m", lower=-1.0, upper=2.0, resolution=0.01)
VOLTAGE = ParameterGroup(
    name="voltage", shape=(2,), unit="V", lower=0.0, upper=10.0, power=PowerLaw(watts=0.5, exponent=2.0)
)
LAYER: dict[str, Any] = {
    "input_shape": (3,),
    "input_lower": -1.0,
    "input_upper": 1.0,
    "input_unit": "N",
    "output_shape": (2,),
    "output_upper": 1000.0,
    "output_unit": "mm",
    "one_sign": False,
    "groups": (STIFFNESS, VOLTAGE),
}


def layer(**changes: Any) -> LayerDescription:
    return LayerDescription(**{**LAYER, **changes})


def description(*, layers: int = 2, of_layer: dict[str, Any] | None = None, **changes: Any) -> DeviceDescription:
    standard: dict[str, Any] = {
        "name": "fake",
        "serial_number": "F-1",
        "kind": "mechanical",
        "topology": "reinjected",
        "layers": (layer(**(of_layer or {})),) * layers,
        "timing": Timing(write_s=0.1, shot_s=0.01),
    }
    return DeviceDescription(**{**standard, **changes})


class FakeDevice(Device):
    """Answers by formula; every entry of `faults` is raised, or replaces the outputs, at one reading."""

    def __init__(self, described: DeviceDescription) -> None:
        self.description = described
        self.clock = VirtualClock()
        self.setpoints = [np.zeros(of_layer.n_parameters) for of_layer in described.layers]
        self.patterns: dict[int, Any] = {}
        self.faults: deque[Any] = deque()
        self.write_faults: deque[Any] = deque()
        self.load_faults: deque[Any] = deque()
        self.park_fault: Exception | None = None
        self.close_fault: Exception | None = None
        self.reports = True

    def forget(self):
        """Lose everything, as after a power cut."""
        self.setpoints = [np.zeros_like(values) for values in self.setpoints]
        self.patterns.clear()

    def load_inputs(self, layer, patterns):
        if self.load_faults:
            raise self.load_faults.popleft()
        self.patterns[layer] = patterns

    def write_parameters(self, layer, values):
        self.setpoints[layer] = values.copy()
        self.clock.sleep_s(self.description.timing.write_s)
        if self.write_faults and (fault := self.write_faults.popleft()) is not None:
            raise fault

    def read_outputs(self, layer, rows):
        self.clock.sleep_s(len(rows) * self.description.timing.shot_s)
        fault = self.faults.popleft() if self.faults else None
        if isinstance(fault, BaseException):
            getattr(fault, "forget", lambda: None)()
            raise fault
        return self.answer(layer, rows) if fault is None else fault

    def answer(self, layer, rows):
        parameters = self.setpoints[layer]
        weights = np.outer([1.0, 2.0, 3.0], [1.0, -1.0]) * (1.0 + parameters @ np.arange(1.0, 5.0))
        return np.asarray(self.patterns[layer], dtype=np.float64)[rows] @ weights

    def read_parameters(self, layer):
        return self.setpoints[layer].copy() if self.reports else None

    def park(self):
        if self.park_fault is not None:
            raise self.park_fault
        self.setpoints = [np.zeros_like(values) for values in self.setpoints]

    def close(self):
        if self.close_fault is not None:
            raise self.close_fault


@dataclass
class Bench:
    device: Guarded
    log: CallLog
    fake: FakeDevice

    @property
    def reached(self) -> list[str]:
        return [call.name for call in self.log.calls]

    def stage(self, count: int = 6) -> np.ndarray:
        """Stage so many patterns for every layer that takes them; returns all rows."""
        patterns = np.linspace(-1.0, 1.0, 3 * count).reshape(count, 3)
        layers = self.fake.description.layers if self.fake.description.topology == "reinjected" else (None,)
        for number in range(len(layers)):
            self.device.load_inputs(number, patterns)
        self.log.calls = []
        return np.arange(count)


@pytest.fixture
def describe() -> Callable[..., DeviceDescription]:
    return description


@pytest.fixture
def describe_layer() -> Callable[..., LayerDescription]:
    return layer


@pytest.fixture(scope="session")
def bench() -> Callable[..., Bench]:
    def build(*, max_call_s: float = 1.0, guard: type[Guarded] = Guarded, **changes: Any) -> Bench:
        fake = FakeDevice(description(**changes))
        log = CallLog(fake)
        return Bench(guard(log, max_call_s=max_call_s), log, fake)

    return build
