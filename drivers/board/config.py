"""What a bench file says of a board. Units stand in the keys: ``upper_v``, ``full_scale_w``."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, PositiveInt, model_validator

from drivers.bench.quantities import Levels, Limits, Scale
from drivers.bench.tables import Name, Table
from drivers.bench.units import NotNegative, Number, Positive, Quantities, QuantityTable
from ffzero_lab.device import PARK_DEADLINE_S, Topology

Seconds = Annotated[float, Field(gt=0.0, le=3600.0, allow_inf_nan=False)]
ReachName = Literal["all", "column", "mesh"]


class _Quantified(QuantityTable):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class BoardInputs(_Quantified):
    """The inputs of a layer, as the board's memory presents them."""

    quantities: ClassVar[type[Quantities]] = Levels

    count: PositiveInt
    """How many there are."""
    stated: Levels


class BoardOutputs(_Quantified):
    """The outputs of a layer."""

    quantities: ClassVar[type[Quantities]] = Scale

    count: PositiveInt
    """How many there are."""
    stated: Scale


class BoardParameters(Limits):
    """What the parameters of a group may be given."""

    period: Positive | None = None
    """Change after which everything is as before."""
    start: tuple[Number, Number] | None = None
    """Range from which training draws its first values; None: the period nearest to zero, or the whole range."""


class BoardGroup(_Quantified):
    """Parameters of one kind, one after the other at the board."""

    quantities: ClassVar[type[Quantities]] = BoardParameters

    name: Name
    """Name of the parameters, such as ``theta``."""
    count: PositiveInt
    """How many there are."""
    dead: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Which of them move nothing, from 0; training leaves them out."""
    scale: Literal["linear", "log", "square"] = "linear"
    """Scale on which training moves them: the value, its logarithm (stiffness), or its square (volts over a heater)."""
    typical_change: Positive = 1.0
    """Change on that scale that does about as much as one radian of phase."""
    resistance_ohm: Positive | None = None
    """Resistance of a heater driven in volts or amperes, for the power budgets."""
    stated: BoardParameters


class BoardLayerTable(Table):
    """One layer."""

    inputs: BoardInputs
    outputs: BoardOutputs
    groups: Annotated[tuple[BoardGroup, ...], Field(min_length=1)]
    """The parameters, in the board's order."""
    one_sign: bool
    """Whether outputs cannot be negative, as intensities."""
    reach: ReachName = "all"
    """Outputs that a parameter influences: ``all``, ``column``, or ``mesh``; as in a bench of instruments."""
    power_budget_w: Positive | None = None
    """Most power that the layer's actuators may draw together."""


class BoardHealth(Table):
    """A health channel, in the board's order."""

    name: Name
    """Name of the reading, as interlocks call it."""
    unit: Name
    """Its unit; the board tells thousandths of it."""
    lower: Number | None = None
    """Smallest reading that is allowed."""
    upper: Number | None = None
    """Largest reading that is allowed."""


class BoardTiming(Table):
    """How long things take."""

    write_s: NotNegative = 0.0
    """One write of all parameters of a layer, settling included."""
    shot_s: NotNegative = 0.0
    """One pattern presented and read."""
    imitates: str = ""
    """Where these numbers come from."""


class BoardConfig(Table):
    """An all-in-one board at a serial line."""

    name: Name = "board"
    """Name of the device, for people."""
    serial_number: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,16}$")]
    """What the board must say of itself; another one is refused."""
    kind: Name
    """``photonic``, ``mechanical``, ``crossbar``, or another word."""
    topology: Topology = "reinjected"
    """``cascaded``: patterns enter the first layer and go on by themselves; ``reinjected``: every layer has inputs."""
    port: Name
    """Serial port, such as ``/dev/ttyACM0``."""
    baud: Annotated[int, Field(ge=300, le=20_000_000)] = 115_200
    """Speed of the line, bits per second; without meaning over USB."""
    deadline_s: Seconds = 0.5
    """Longest exchange, beside the time of its bytes on the line and of what it measures."""
    quiet_s: Seconds = 0.1
    """Silence after which nothing is on its way any more; must be longer than the board's own ``gap_ms``."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """How often a request is sent when its answer gets lost; the board does not carry it out twice."""
    pause_s: Seconds = 0.05
    """Before the second attempt; doubles."""
    park_s: Annotated[float, Field(gt=0.0, le=600.0, allow_inf_nan=False)] = PARK_DEADLINE_S
    """Longest time for parking."""
    idle_park_s: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 600.0
    """An energised board that nobody has used for so long is parked, though this program is alive."""
    log: Path | None = None
    """File to which every exchange is appended."""
    power_budget_w: Positive | None = None
    """Most power that all actuators may draw together."""
    timing: BoardTiming = BoardTiming()
    health: tuple[BoardHealth, ...] = ()
    """Health channels."""
    layers: Annotated[tuple[BoardLayerTable, ...], Field(min_length=1)]
    """The layers, in the order in which the signal passes them."""

    @model_validator(mode="after")
    def _dead_parameters_exist(self) -> Self:
        for number, layer in enumerate(self.layers):
            for group in layer.groups:
                wrong = [index for index in group.dead if index >= group.count]
                if wrong:
                    raise ValueError(f"layers.{number}: {group.name} has no parameter {wrong[0]} that could be dead")
        return self
