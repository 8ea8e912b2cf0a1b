"""What instruments and groups of parameters state in numbers with units."""

from typing import Self

from pydantic import model_validator

from drivers.bench.units import NotNegative, Number, Positive, Quantities


class Levels(Quantities):
    """What an instrument may be given."""

    lower: Number
    """Smallest setpoint."""
    upper: Number
    """Largest setpoint."""
    safe: Number = 0.0
    """Setpoint that harms nothing, for parking; must be given where 0 is out of limits."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not self.lower < self.upper:
            raise ValueError(f"lower {self.lower} {self.unit} must be below upper {self.upper} {self.unit}")
        if not self.lower <= self.safe <= self.upper:
            raise ValueError(
                f"the safe value {self.safe} {self.unit} is out of limits, {self.lower} to {self.upper} {self.unit}; "
                f"give a safe_… within them"
            )
        return self


class Limits(Levels):
    """What actuators may be given, how finely and how fast."""

    resolution: NotNegative = 0.0
    """Worst-case step between two setpoints."""
    slew_per_s: Positive | None = None
    """Fastest change in one second."""


class Scale(Quantities):
    """What a detector can tell apart."""

    full_scale: Positive
    """Reading at which a channel is saturated."""
    detection_floor: NotNegative = 0.0
    """Reading under which an output cannot be told from noise, some sigmas of it."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not self.detection_floor < self.full_scale:
            raise ValueError(f"the detection floor {self.detection_floor} {self.unit} must be below full scale")
        return self


class Narrowed(Quantities):
    """What a group of parameters is given of its instrument's range; the unit is the instrument's."""

    lower: Number | None = None
    """Smallest value; None: the instrument's."""
    upper: Number | None = None
    """Largest value; None: the instrument's."""
    period: Positive | None = None
    """Change after which everything is as before."""
    start: tuple[Number, Number] | None = None
    """Range from which training draws its first values; None: the period nearest to zero, or the whole range."""


def range_in_words(stated: Levels | Scale) -> str:
    """Return what an instrument may be given, or can read."""
    if isinstance(stated, Scale):
        return f"up to {stated.full_scale:g} {stated.unit}"
    return f"{stated.lower:g} to {stated.upper:g} {stated.unit}, safe {stated.safe:g} {stated.unit}"
