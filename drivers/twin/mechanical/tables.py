"""Tables of a mechanical twin's configuration: what a made lattice and its bench have that an ideal one has not."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from drivers.twin.mechanical.gauges import ReadoutName
from drivers.twin.tables import BenchLatencies, Bits, Seconds, Table
from ffzero_lab.device import Timing

Share = Annotated[float, Field(ge=0.0, le=0.3)]


class Springs(Table):
    """The springs between neighbours and to ground: leaves whose free length a servo sets, k = 3EI/L³.

    Euler and Bernoulli's cantilever (Gere and Timoshenko, Mechanics of Materials, ch. 9); adjusting the free length is
    one of the variable-stiffness principles of Wolf et al. 2016, IEEE/ASME Trans. Mechatron. 21, 2418.
    """

    lower_n_per_m: Annotated[float, Field(ge=1e-3, le=1e6)] = 10.0
    """Stiffness at full length, where parking leaves every spring."""
    upper_n_per_m: Annotated[float, Field(ge=1e-3, le=1e6)] = 1000.0
    """Stiffness at the shortest length."""
    cubic_n_per_m3: Annotated[float, Field(ge=0.0, le=1e15)] = 0.0
    """c of every ground spring, whose force is k·u + c·u³ (Kovacic and Brennan 2011, The Duffing Equation, ch. 2); 0:
    linear."""
    tolerance: Share = 0.0
    """Standard deviation of each spring's stiffness as a fraction: 1 % of a leaf's thickness makes 3 %."""
    servo_bits: Bits = 0
    """Positions of the servo over the slider's travel: some 2¹⁶ microsteps on a lead screw; 0: continuous."""
    backlash: Annotated[float, Field(ge=0.0, le=0.1)] = 0.0
    """Play between servo and slider, as a fraction of the travel: 10 µm of 20 mm in a preloaded nut. Where the slider
    ends depends on where it came from (play operator: Krasnosel'skii and Pokrovskii 1989, Systems with Hysteresis)."""
    creep: Share = 0.0
    """Share of every change of stiffness that arrives late, in clamps and joints of polymer (standard linear solid:
    Findley et al. 1976, Creep and Relaxation of Nonlinear Viscoelastic Materials, ch. 5)."""
    creep_s: Annotated[float, Field(gt=0.0, le=1e9)] = 60.0
    """Time constant with which it arrives."""

    @model_validator(mode="after")
    def _range_is_open(self) -> Self:
        if not 1.01 * self.lower_n_per_m <= self.upper_n_per_m <= 1e4 * self.lower_n_per_m:
            raise ValueError(
                f"upper_n_per_m is {self.upper_n_per_m:.4g} N/m; it must be 1.01 to 10,000 times lower_n_per_m, "
                f"{self.lower_n_per_m:.4g} N/m"
            )
        return self


class Loads(Table):
    """The forces on the nodes: voice coils for the patterns, dead weights for the bias."""

    count: Annotated[int, Field(ge=1)] | None = None
    """Nodes of the first layer that carry an input, spread evenly; None: every node."""
    nodes: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] | None = None
    """The same nodes by number (y·nx + x), in the order of the inputs, where an even spread is not wanted."""
    full_scale_n: Annotated[float, Field(ge=1e-6, le=1e6)] = 1.0
    """Largest force of an input, to either side."""
    bias_n: Annotated[float, Field(ge=-1e6, le=1e6)] = 0.1
    """Constant force on every inner node, which makes the outputs affine in the inputs."""
    gain_error: Share = 0.0
    """Standard deviation of the load cells' gains, as a fraction."""

    @model_validator(mode="after")
    def _nodes_are_named_once(self) -> Self:
        if self.nodes is not None and self.count is not None:
            raise ValueError("give count or nodes, not both")
        if self.nodes is not None and len(set(self.nodes)) < len(self.nodes):
            raise ValueError("nodes must differ: one node carries one input")
        return self


class Gauges(Table):
    """The displacement gauges (capacitive or inductive; Fleming 2013, Sens. Actuators A 190, 106)."""

    readout: ReadoutName | None = None
    """``pairs``: by what two neighbours differ; ``nodes``: every node. None: pairs on one membrane, nodes on two."""
    full_scale_mm: Annotated[float, Field(ge=1e-6, le=1e6)] | None = None
    """Largest readable displacement to either side; None: a fifth of a full load on the softest spring."""
    noise: Annotated[float, Field(ge=0.0, le=0.2)] = 0.0  # at 4 sigmas a fourth of full scale would be all noise
    """Standard deviation of a reading, as a fraction of full scale."""
    offset: Share = 0.0
    """Standard deviation of the gauges' zero, as a fraction of full scale."""
    gain_error: Share = 0.0
    """Standard deviation of the gauges' gains, as a fraction."""
    adc_bits: Annotated[int, Field(ge=0, le=24)] = 0
    """Resolution over the range to both sides, at whose ends readings saturate; 0: continuous and unlimited."""


class Latencies(BenchLatencies):
    """How long the imitated bench takes; one that is left out keeps its default."""

    write_s: Seconds = 50e-3
    """τp: one write of all servos of a layer, travel included."""
    shot_s: Seconds = 5e-3
    """τx: one pattern of forces applied, come to rest, and read."""
    imitates: str = "leaf springs with stepper-driven sliders on one bus, light damped nodes, gauges read in parallel"
    """What bench these latencies belong to."""

    @property
    def stated(self) -> Timing:
        """What the description says of them."""
        return Timing(write_s=self.write_s, shot_s=self.shot_s, imitates=self.imitates)
