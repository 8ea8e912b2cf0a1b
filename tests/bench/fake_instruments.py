"""Instruments in memory around a twin, with a log of what they were asked; channels lead to all places in order."""

from collections import Counter
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from drivers.bench import Actuators, Detectors, Inputs
from ffzero_lab.device import LinkLost


class Table:
    """The twin on the table, what stands at its wires, everything that was asked, and who fails at what."""

    def __init__(self, twin: Any) -> None:
        self.twin = twin
        layers = twin.description.layers
        self.parameters = np.zeros(sum(layer.n_parameters for layer in layers))
        self.inputs = np.zeros(sum(layer.n_inputs for layer in layers))
        self.log: list[tuple[Any, ...]] = []
        self.failing: dict[tuple[str, str], BaseException] = {}
        self.over_range: set[int] = set()

    def note(self, name: str, what: str, *more: Any) -> None:
        self.log.append((name, what, *more))
        if (name, what) in self.failing:
            raise self.failing[name, what]

    def counted(self) -> Counter[tuple[str, str]]:
        return Counter((name, what) for name, what, *_ in self.log)

    def outputs(self) -> np.ndarray:
        layers = self.twin.description.layers
        ends = np.cumsum([layer.n_parameters for layer in layers])
        for number, part in enumerate(np.split(self.parameters, ends[:-1])):
            self.twin.write_parameters(number, part)
        starts = np.cumsum([0, *(layer.n_inputs for layer in layers)])
        for number in range(len(layers) if self.twin.description.topology == "reinjected" else 1):
            self.twin.load_inputs(number, self.inputs[np.newaxis, starts[number] : starts[number + 1]])
        row = np.zeros(1, dtype=np.intp)
        read = np.concatenate([self.twin.read_outputs(number, row)[0] for number in range(len(layers))])
        read[list(self.over_range)] = np.inf
        return read


TABLES: dict[str, Table] = {}


class Fake:
    class Config(BaseModel):
        model_config = ConfigDict(extra="forbid")
        table: str = "table"
        steps: bool = False

    opened: ClassVar[Any]

    def __init__(self, config: Any, wiring: Any) -> None:
        self.config, self.wiring, self.table = config, wiring, TABLES[config.table]
        self.places = np.array([wiring.all_channels.index(channel) for channel in wiring.channels])
        self.closed = False

    @classmethod
    def open(cls, config: Any, wiring: Any, clock: Any) -> Any:
        made = cls(config, wiring)
        made.note("open")
        return made

    def note(self, what: str, *more: Any) -> None:
        if self.closed and what != "close":
            raise LinkLost(f"{self.wiring.name} is closed")
        self.table.note(self.wiring.name, what, *more)

    def identify(self) -> str:
        self.note("identify")
        return f"fake {self.wiring.name}"

    def health(self) -> dict[str, float]:
        return {"temperature": 25.0, "humidity": 0.4}

    def close(self) -> None:
        self.note("close")
        self.closed = True


class FakeActuators(Fake, Actuators):
    def write(self, values: Any) -> None:
        self.note("write", values.copy())
        self.table.parameters[self.places] = values
        values += 1.0  # what it is handed is its own

    def read_back(self) -> Any:
        self.note("read_back")
        return self.table.parameters[self.places]

    def park(self) -> None:
        self.note("park")
        self.table.parameters[:] = self.wiring.safe


class FakeInputs(Fake, Inputs):
    def __init__(self, config: Any, wiring: Any) -> None:
        super().__init__(config, wiring)
        self.memory: dict[int, Any] = {}
        self.sequence: list[int] = []

    def present(self, values: Any) -> None:
        self.note("present", values.copy())
        self.table.inputs[self.places] = values

    def load(self, address: int, patterns: Any) -> None:
        assert address + len(patterns) <= self.wiring.memory
        self.note("load", len(patterns))
        self.memory.update(enumerate(patterns.copy(), address))

    def recall(self, address: int) -> None:
        self.note("recall", address)
        self.table.inputs[self.places] = self.memory[address]

    def arm(self, addresses: Any) -> bool:
        if not self.config.steps:
            return False
        self.note("arm", list(addresses))
        self.sequence = list(addresses)
        return True

    def step(self) -> None:
        if self.sequence:
            self.table.inputs[self.places] = self.memory[self.sequence.pop(0)]

    def park(self) -> None:
        self.note("park")
        self.table.inputs[:] = self.wiring.safe


class FakeDetectors(Fake, Detectors):
    def read(self) -> Any:
        self.note("read")
        return self.table.outputs()[self.places]

    def read_steps(self, count: int) -> Any:
        """Read the sequence of the only inputs that are armed."""
        self.note("read_steps", count)
        readings = []
        for _ in range(count):
            self.table.stepping.step()
            readings.append(self.table.outputs()[self.places])
        return np.stack(readings)

    def park(self) -> None:
        self.note("park")


class SteppingInputs(FakeInputs):
    def arm(self, addresses: Any) -> bool:
        self.table.stepping = self
        return super().arm(addresses)


class NoReadBack(FakeActuators):
    def read_back(self) -> Any:
        return None
