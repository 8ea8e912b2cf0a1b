"""A whole bench file."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from drivers.bench.checking import Tables, check
from drivers.bench.connections import RoleName
from drivers.bench.deadlines import check_deadlines
from drivers.bench.describing import describe
from drivers.bench.layers import LayerTable
from drivers.bench.mistakes import Mistakes
from drivers.bench.tables import (
    ActuatorsTable,
    AnyInstrumentTable,
    BenchTable,
    DetectorsTable,
    EmulationTable,
    HealthTable,
    InputsTable,
    Table,
    TimingTable,
)


class BenchConfig(Table):
    """A bench composed of instruments. Units stand in the keys: ``upper_v``, ``full_scale_w``, ``settle_s``."""

    bench: BenchTable
    timing: TimingTable = TimingTable()
    links: dict[str, dict[str, Any]] = Field(default_factory=dict[str, dict[str, Any]])
    """Ways to instruments by name, with the keys that their drivers know, such as ``resource``."""
    actuators: Annotated[dict[str, ActuatorsTable], Field(min_length=1)]
    """Instruments that set parameters, by name."""
    inputs: Annotated[dict[str, InputsTable], Field(min_length=1)]
    """Instruments that present patterns, by name."""
    detectors: Annotated[dict[str, DetectorsTable], Field(min_length=1)]
    """Instruments that read outputs, by name."""
    health: dict[str, HealthTable] = Field(default_factory=dict[str, HealthTable])
    """Readings of the bench's own state, by the name that ``[interlocks.NAME]`` of a run uses."""
    layers: Annotated[tuple[LayerTable, ...], Field(min_length=1)]
    """The layers, in the order of the signal."""
    emulation: EmulationTable | None = None
    """What ``ffzero-lab emulate`` puts behind the instruments; a bench has no use for it."""

    @property
    def instruments(self) -> Mapping[RoleName, Mapping[str, AnyInstrumentTable]]:
        """All instruments by role and name, in the order in which they are parked: light off first."""
        return {"inputs": self.inputs, "actuators": self.actuators, "detectors": self.detectors}

    @model_validator(mode="after")
    def _tables_fit_together(self) -> Self:
        mistakes = Mistakes()
        tables = Tables(self.bench, self.links, self.actuators, self.inputs, self.detectors, self.layers, self.health)
        check(tables, mistakes)
        check_deadlines(self.instruments, self.links, self.timing.park_s, mistakes)
        mistakes.raise_any("BenchConfig")
        describe(self)
        return self
