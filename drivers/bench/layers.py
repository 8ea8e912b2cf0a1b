"""The tables ``[[layers]]`` of a bench file: which channels are which inputs, parameters and outputs."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PositiveInt

from drivers.bench.channels import Channels
from drivers.bench.quantities import Narrowed
from drivers.bench.tables import Name, Table
from drivers.bench.units import Positive, Quantities, QuantityTable

ReachName = Literal["all", "column", "mesh"]
GroupScale = Literal["linear", "log", "square"]


class SpanTable(Table):
    """Channels of one instrument, in the order of the inputs or outputs that they are."""

    instrument: Name
    """Name of the instrument."""
    channels: Channels
    """Which of its channels."""


class GroupTable(QuantityTable):
    """Parameters of one kind, driven by channels of one instrument."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    quantities: ClassVar[type[Quantities]] = Narrowed

    name: Name
    """Name of the parameters, such as ``theta``."""
    instrument: Name
    """Name of the actuators."""
    channels: Channels
    """Which of their channels, in the order of the parameters."""
    size: PositiveInt | None = None
    """How many parameters there are, to be held against the channels; None: as many as channels."""
    dead_channels: Channels | None = None
    """Which of these move nothing; training leaves them out."""
    scale: GroupScale = "linear"
    """Scale on which training moves them: the value, its logarithm (stiffness), or its square (volts over a heater)."""
    typical_change: Positive = 1.0
    """Change on that scale that does about as much as one radian of phase."""
    resistance_ohm: Positive | None = None
    """Resistance of a heater driven in volts or amperes, for the power budgets."""
    stated: Narrowed = Narrowed()


def _as_array(given: Any) -> Any:
    return [given] if isinstance(given, dict) else given


Spans = Annotated[tuple[SpanTable, ...], BeforeValidator(_as_array), Field(min_length=1)]


class LayerTable(Table):
    """One layer."""

    inputs: Spans | None = None
    """Channels that present a pattern; a layer inside a cascade has none."""
    outputs: Spans
    """Channels that read the outputs."""
    groups: Annotated[tuple[GroupTable, ...], Field(min_length=1)]
    """The parameters."""
    one_sign: bool
    """Whether outputs cannot be negative, as intensities."""
    reach: ReachName = "all"
    """Outputs that a parameter influences: ``all``, ``column`` (parameter i that of i modulo the outputs), or ``mesh``
    (a rectangular interferometer mesh of N ports, column by column: θ of all N(N−1)/2 MZIs, their φ, N input phases).
    A true reach spares many measurements."""
    power_budget_w: Positive | None = None
    """Most power that the layer's actuators may draw together."""
