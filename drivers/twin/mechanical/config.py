"""What a user can set of a mechanical twin: size, membranes, preset, and every constant of its physics."""

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from drivers.twin.mechanical.faults import (
    BrokenSpring,
    DeadGauge,
    DeadLoad,
    DeadServo,
    Fault,
    LoadsOff,
    every_node_is_held,
    spring_of,
)
from drivers.twin.mechanical.gauges import ReadoutName
from drivers.twin.mechanical.lattice import Lattice, Nodes, by_membrane
from drivers.twin.mechanical.presets import PRESETS
from drivers.twin.mechanical.tables import Gauges, Latencies, Loads, Springs
from drivers.twin.presets import over_preset
from drivers.twin.tables import Table

FLOOR_SIGMAS = 4.0
"""A reading within this many standard deviations of zero cannot be told from noise (64 outputs read at once)."""
SHARE_OF_SOFTEST = 0.2
"""Full scale of the gauges where none is given, as a share of what a full load does to the softest spring alone."""
PresetName = Literal["ideal", "typical", "harsh"]


class MechanicalConfig(Table):
    """Configuration of ``twin:mechanical``; what is left out takes the preset's value."""

    nx: Annotated[int, Field(ge=2, le=64)] = 8
    """Nodes of a membrane along x; the cost of a large lattice grows with nx²."""
    ny: Annotated[int, Field(ge=2, le=64)] = 8
    """Nodes of a membrane along y."""
    membranes: Annotated[int, Field(ge=1, le=2)] = 1
    """One membrane, or two under the same loads that are read against each other."""
    layers: Annotated[int, Field(ge=1, le=16)] = 1
    """Layers; each after the first carries the outputs before it as loads, spread evenly."""
    preset: PresetName = "typical"
    """Set of constants that the tables below start from."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the hidden truth and of the noise: another seed is another lattice."""
    realtime: bool = False
    """Really wait for every latency, instead of letting virtual time pass."""
    springs: Springs = Springs()
    loads: Loads = Loads()
    gauges: Gauges = Gauges()
    timing: Latencies = Latencies()
    faults: tuple[Fault, ...] = ()
    """Faults, as an array of tables: kind dead-servo, broken-spring, dead-gauge, dead-load or loads-off."""

    @model_validator(mode="before")
    @classmethod
    def _start_from_the_preset(cls, given: Any) -> Any:
        return over_preset(given, PRESETS, "typical")

    @model_validator(mode="after")
    def _loads_have_nodes(self) -> Self:
        most = max(len(self.loads.nodes or ()), self.loads.count or 1, max(self.loads.nodes or (0,)) + 1)
        if most > self.lattice.n_nodes:
            raise ValueError(
                f"loads: a {self.nx} x {self.ny} lattice has nodes 0 to {self.lattice.n_nodes - 1}, one for each input"
            )
        return self

    @model_validator(mode="after")
    def _displacements_stand_out_of_the_noise(self) -> Self:
        if self.floor >= self.full_scale_mm:
            raise ValueError(
                f"gauges.noise and gauges.offset give a detection floor of {self.floor:.4g} mm, full scale is "
                f"{self.full_scale_mm:.4g} mm; lower one of them"
            )
        return self

    @model_validator(mode="after")
    def _faults_are_of_this_device(self) -> Self:
        for fault in self.faults:
            if isinstance(fault, LoadsOff):
                continue
            if fault.layer >= self.layers:
                raise ValueError(f"fault {fault.kind!r}: layer {fault.layer} is none of 0 to {self.layers - 1}")
            if isinstance(fault, DeadServo | BrokenSpring):
                self.spring_of(fault)
            elif isinstance(fault, DeadGauge) and fault.output >= self.n_gauges:
                raise ValueError(f"fault {fault.kind!r}: output {fault.output} is none of 0 to {self.n_gauges - 1}")
            elif isinstance(fault, DeadLoad) and fault.input >= self.n_loads(fault.layer):
                last = self.n_loads(fault.layer) - 1
                raise ValueError(f"fault {fault.kind!r}: input {fault.input} is none of 0 to {last}")
        return self

    @model_validator(mode="after")
    def _broken_springs_leave_every_node_held(self) -> Self:
        lattice = self.lattice
        for layer in {fault.layer for fault in self.faults if isinstance(fault, BrokenSpring)}:
            whole = np.ones(self.n_springs, dtype=np.bool_)
            whole[[self.spring_of(f) for f in self.faults if isinstance(f, BrokenSpring) and f.layer == layer]] = False
            for couplings, grounds in by_membrane(lattice, whole):
                if not every_node_is_held(lattice, couplings, grounds):
                    raise ValueError(f"fault 'broken-spring': in layer {layer}, nothing holds a part of a membrane")
        return self

    @property
    def lattice(self) -> Lattice:
        """Geometry of every membrane."""
        return Lattice(self.nx, self.ny)

    @property
    def readout(self) -> ReadoutName:
        """What the gauges measure."""
        return self.gauges.readout or ("pairs" if self.membranes == 1 else "nodes")

    @property
    def n_gauges(self) -> int:
        """Outputs of a layer."""
        return len(self.lattice.pairs) if self.readout == "pairs" else self.lattice.n_nodes

    @property
    def n_couplings(self) -> int:
        """Springs between neighbours of a layer, all membranes together."""
        return self.membranes * self.lattice.n_couplings

    @property
    def n_springs(self) -> int:
        """Springs of a layer: couplings of all membranes, then ground springs of all membranes."""
        return self.n_couplings + self.membranes * self.lattice.n_nodes

    def load_nodes(self, layer: int) -> Nodes:
        """Return the node of each input of a layer."""
        if layer == 0 and self.loads.nodes is not None:
            return np.array(self.loads.nodes, dtype=np.intp)
        return self.lattice.evenly(self.n_loads(layer))

    def n_loads(self, layer: int) -> int:
        """Return the number of inputs of a layer."""
        if layer > 0:
            return self.n_gauges
        return len(self.loads.nodes or ()) or self.loads.count or self.lattice.n_nodes

    def spring_of(self, fault: DeadServo | BrokenSpring) -> int:
        """Return the index of the parameter that *fault* names; raises ValueError for one that the layer has not."""
        return spring_of(fault, self.n_couplings, self.n_springs - self.n_couplings)

    @property
    def full_scale_mm(self) -> float:
        """Largest readable displacement; an operator sets the range by what the loads do."""
        given = self.gauges.full_scale_mm
        softest_mm = 1e3 * self.loads.full_scale_n / self.springs.lower_n_per_m
        return SHARE_OF_SOFTEST * softest_mm if given is None else given

    @property
    def floor(self) -> float:
        """Magnitude in mm under which a reading cannot be told from noise and offset."""
        return FLOOR_SIGMAS * self.full_scale_mm * (self.gauges.noise**2 + self.gauges.offset**2) ** 0.5
