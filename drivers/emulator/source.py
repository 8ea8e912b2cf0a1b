"""What the sources have in common: channels with setpoints and limits behind one output switch."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from drivers.emulator.errors import ScpiError
from drivers.emulator.faults import OF_SOURCES, ON_THE_WIRE, FaultKind
from drivers.emulator.grammar import choice, number
from drivers.emulator.instrument import SocketSpec
from drivers.emulator.scpi import ScpiInstrument, channel_index
from drivers.emulator.troubles import Troubles
from drivers.emulator.witness import Witness
from ffzero_lab.device import FloatArray

ON_OFF = {"ON": 1, "OFF": 0, "1": 1, "0": 0}


class SourceSpec(SocketSpec):
    """What can be set of a source."""

    channels: Annotated[int, Field(ge=1, le=65536)]
    """Outputs, numbered from 1."""
    lower: float
    """Smallest setpoint."""
    upper: float
    """Largest setpoint."""

    @model_validator(mode="after")
    def _range_is_open(self) -> Self:
        if not self.lower < self.upper:
            raise ValueError(f"{self.name}: lower {self.lower} must be below upper {self.upper}")
        return self

    @property
    def n_channels(self) -> int:
        """Channels, numbered from 1."""
        return self.channels

    @property
    def breaks_by(self) -> tuple[FaultKind, ...]:
        """What can happen to it."""
        return ON_THE_WIRE + OF_SOURCES


class Source(ScpiInstrument):
    """Setpoints that reach the outputs when the switch is on, all of them recorded by the witness.

    A setpoint out of limits is refused, and with it the whole list that it stands in. With the switch off, setpoints
    are kept and nothing is driven.
    """

    units: ClassVar[Mapping[str, float]]
    """Units of a setpoint by their names in capitals; the empty name where a plain number is meant."""

    def __init__(self, spec: SourceSpec, identity: str, troubles: Troubles, witness: Witness) -> None:
        super().__init__(identity)
        self._spec = spec
        self._troubles = troubles
        self._witness = witness
        self._rest = min(max(0.0, spec.lower), spec.upper)
        self._setpoints = np.full(spec.channels, self._rest)
        self._on = False
        self._dead = np.zeros(spec.channels, dtype=np.bool_)

    @abstractmethod
    def drive(self, values: FloatArray, driven: NDArray[np.bool_]) -> None:
        """Put *values* (channels,) at what the outputs are wired to, where a channel is *driven* (channels,)."""

    def answer(self, message: bytes) -> bytes:
        """Obey a message; channels that died meanwhile drive nothing any more."""
        dead = self._troubles.channels("dead-channel", self._spec.channels)
        if not np.array_equal(dead, self._dead):
            self._dead = dead
            self.energise()
        return super().answer(message)

    def reset(self) -> None:
        """Switch off, then set all setpoints to 0, or to the limit nearest to it."""
        self._on = False
        self._setpoints[:] = self._rest
        self.energise()

    def set_one(self, channel: int, value: str) -> None:
        """Set one channel."""
        index = channel_index(channel, self._spec.channels)
        self._setpoints[index] = self.checked(channel, value)
        self.energise(slice(index, index + 1))

    def read_one(self, channel: int) -> str:
        """Return the setpoint of one channel."""
        return repr(float(self._setpoints[channel_index(channel, self._spec.channels)]))

    def set_list(self, *values: str) -> None:
        """Set all channels at once: all of them, or none."""
        self.apply(self.checked_list(values))

    def read_list(self) -> str:
        """Return all setpoints."""
        return self.listed(self._setpoints)

    def limits(self) -> str:
        """Return the smallest and the largest setpoint."""
        return f"{self._spec.lower!r},{self._spec.upper!r}"

    def count(self) -> str:
        """Return the number of channels."""
        return str(self._spec.channels)

    def switch(self, state: str) -> None:
        """Switch all outputs on or off."""
        self._on = bool(choice(state, ON_OFF))
        self.energise()

    def is_on(self) -> str:
        """Return 1 when the outputs are on."""
        return str(int(self._on))

    def apply(self, setpoints: FloatArray) -> None:
        """Take over setpoints (channels,) that were checked; a list that is cut short reaches the first half."""
        reached = len(setpoints) // 2 if self._troubles.strikes("partial-list") else len(setpoints)
        self._setpoints[:reached] = setpoints[:reached]
        self.energise(slice(reached))

    def energise(self, changed: slice = slice(None)) -> None:
        """Bring the setpoints to the outputs; *changed* are those that the witness shall know of."""
        driven = ~self._dead if self._on else np.zeros_like(self._dead)
        levels = np.where(driven, self._setpoints, 0.0)
        channels = range(1, self._spec.channels + 1)[changed]
        self._witness.output(self._spec.name, channels, levels[changed].tolist(), on=self._on)
        self.drive(levels, driven)

    def checked(self, channel: int, text: str) -> float:
        """Return a setpoint within the limits; raises ScpiError for any other."""
        value = number(text, self.units)
        if not self._spec.lower <= value <= self._spec.upper:
            self._witness.refused(self._spec.name, channel, value)
            raise ScpiError(-222, f"channel {channel}: {value!r}; limits {self.limits()}")
        return value

    def checked_list(self, values: tuple[str, ...]) -> FloatArray:
        """Return one setpoint within the limits for each channel; raises ScpiError for anything else."""
        if len(values) != self._spec.channels:
            number_of = -109 if len(values) < self._spec.channels else -108
            raise ScpiError(number_of, f"{len(values)} values for {self._spec.channels} channels")
        return np.array([self.checked(channel, text) for channel, text in enumerate(values, 1)])

    def listed(self, values: FloatArray) -> str:
        """Return a comma-separated list, with every digit of the numbers."""
        return ",".join(map(repr, miscounted(values.tolist(), self._troubles)))


def miscounted(values: list[float], troubles: Troubles) -> list[float]:
    """Return the values of a list reply; a fault takes the last one away or doubles it."""
    for fault in troubles.strikes("wrong-count"):
        return values[:-1] if fault.surplus < 0 else [*values, values[-1]]
    return values
