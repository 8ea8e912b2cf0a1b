"""Keys of a source: how it is told its setpoints, asked for them, switched on and off."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from drivers.scpi.commands import NumberFormat, OfChannel, Plain, SetAll, SetOne


class SourceConfig(BaseModel):
    """How a source is spoken to, in the words of its manual. Every command begins at the root, with ``:`` or ``*``."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    set_list: SetAll | None = None
    """Sets all channels in one list, such as ``:SOURce:VOLTage:LIST {values}``."""
    set_one: SetOne | None = None
    """Sets one channel, such as ``:SOURce{channel}:VOLTage {value}``, where there is no list."""
    read_list: Plain | None = None
    """Asks for all setpoints in one list; sent with every setting, and compared."""
    read_one: OfChannel | None = None
    """Asks for one setpoint, where there is no list; sent for every channel with every setting, and compared."""
    output_on: Plain | None = None
    """Switches the outputs on; sent behind the first setpoints after opening, parking or a restart. None: no switch."""
    output_off: Plain | None = None
    """Switches the outputs off, for parking; sent before the safe setpoints, in a message of its own."""
    output_query: Plain | None = None
    """Asks whether the outputs are on, 1 or 0; asked with every setting. Off without our doing ends the run."""
    measure_volts: Plain | None = None
    """Measures the voltage at all channels, one list in volts, such as ``:MEASure:VOLTage:ALL?``; for calibration."""
    measure_amperes: Plain | None = None
    """Measures the current through all channels, one list in amperes; goes with ``measure_volts``."""
    health: dict[str, Plain] = {}
    """Readings of the instrument's own state by name, and how each is asked for; one number each."""
    prepare: tuple[Plain, ...] = ()
    """Sent when the instrument is opened, and after every recovery; must energise nothing."""
    number: NumberFormat | None = None
    """Format of a setpoint, such as ``.5f``; None: as many digits as it has."""
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """Between the numbers of a list."""
    read_back_within: Annotated[float, Field(ge=0.0, le=0.1, allow_inf_nan=False)] = 1e-6
    """Share of the range by which a setpoint read back may differ from what was sent, and by its resolution."""
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """How often setpoints are written, each time after the link was recovered and the setpoints were read back."""

    @model_validator(mode="after")
    def _can_be_set_and_believed(self) -> Self:
        if (self.set_list is None) == (self.set_one is None):
            raise ValueError("give set_list or set_one, one of them")
        if self.read_list is None and self.read_one is None:
            raise ValueError("give read_list or read_one: what cannot be read back is not known after a fault")
        if self.output_query is not None and self.output_on is None:
            raise ValueError("output_query goes with output_on")
        if (self.measure_volts is None) != (self.measure_amperes is None):
            raise ValueError("give measure_volts and measure_amperes, or neither")
        return self
