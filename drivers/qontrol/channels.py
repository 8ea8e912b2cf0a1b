"""The channels of a rack that one table of a bench file names: how they are written, measured and limited."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drivers.qontrol.commands import (
    FULL_WORD,
    PER_MODULE,
    UNITS,
    Quantity,
    Question,
    asking,
    asking_all,
    setting,
)
from drivers.qontrol.errors import RackComplaint
from drivers.qontrol.rack import Rack
from drivers.qontrol.vectors import Vectors
from ffzero_lab.device import FloatArray

ROUNDING = 1e-12
"""Relative error of a product of floating-point numbers, with room to spare."""


@dataclass(frozen=True)
class Drive:
    """What channels are driven with.

    Attributes
    ----------
    quantity
        Voltage or current.
    per_unit
        V or mA for one unit of the bench file's values.
    upper
        Largest setpoint, in V or mA.
    other
        Largest value of the other quantity, in mA or V.
    """

    quantity: Quantity
    per_unit: float
    upper: float
    other: float

    @property
    def unit(self) -> str:
        """V or mA."""
        return UNITS[self.quantity]

    @property
    def most(self) -> list[tuple[Quantity, float]]:
        """Both limits, in V and in mA."""
        return [(self.quantity, self.upper), ("i" if self.quantity == "v" else "v", self.other)]


class RackChannels:
    """*channels* (n,), rising, of *rack*. Setpoints are in V or mA, on the steps of the converter."""

    def __init__(self, name: str, rack: Rack, channels: Sequence[int], drive: Drive) -> None:
        self.rack, self.channels, self.drive = rack, [*channels], drive
        self.full = rack.full[drive.quantity]
        self._name = name
        if self.channels[-1] >= rack.n_channels:
            raise RackComplaint(
                f"{name}: channel {self.channels[-1]} is missing: the rack has {len(rack.modules)} modules, channels "
                f"0 to {rack.n_channels - 1}; check the cables of the chain, or `channels`"
            )
        for quantity, most in drive.most:
            if most > rack.full[quantity]:
                raise RackComplaint(
                    f"{name}: limit of {most:g} {UNITS[quantity]}, but the rack goes up to "
                    f"{rack.full[quantity]:g} {UNITS[quantity]}; give a limit that it can keep"
                )
        self._step = self.full / FULL_WORD
        self._highest = math.floor(drive.upper * (1.0 + ROUNDING) / self._step)
        """The last word that is not beyond the upper limit."""
        self._vectors = Vectors(drive.quantity, self.channels, self.full, rack.form)

    @property
    def modules(self) -> set[int]:
        """Modules, from 0, to which the channels belong."""
        return {channel // PER_MODULE for channel in self.channels}

    def stepped(self, values: FloatArray) -> FloatArray:
        """Return *values* (n,) of the bench file's unit as the converters make them: no step beyond the upper limit."""
        words = np.rint(values * (self.drive.per_unit / self._step))
        return (words - (words > self._highest)) * self._step

    def writing(self, setpoints: FloatArray) -> list[Question]:
        """Return the messages that set all channels to *setpoints* (n,); raises ValueError for one out of scale."""
        return self._vectors.of(setpoints)

    def measuring(self, quantity: Quantity) -> list[Question]:
        """Return the questions for what all channels measure: one by one, unless they are the whole chain."""
        if self._are_all:
            return [asking_all(quantity, self.rack.n_channels)]
        return [asking(quantity, channel) for channel in self.channels]

    def measured(self, quantity: Quantity | None = None) -> FloatArray:
        """Return what all channels measure (n,), in V or mA; without *quantity*, what they are driven with."""
        return self.rack.ask(self.measuring(quantity or self.drive.quantity))

    def limit(self) -> None:
        """Program VMAX and IMAX of all channels; raises RackComplaint unless they are read back."""
        limits = self._limits()
        self.rack.tell([setting(name, c, most, full) for c in self.channels for name, most, full in limits])
        self._check_limits(self.channels)

    def are_limited(self) -> bool:
        """Tell whether every module still has the limits it was given: one that restarted has not."""
        first = {channel // PER_MODULE: channel for channel in reversed(self.channels)}
        return not self._unlimited(sorted(first.values()))

    @property
    def _are_all(self) -> bool:
        return len(self.channels) == self.rack.n_channels

    def _limits(self) -> list[tuple[str, float, float]]:
        """Return name, value and full scale of both limits."""
        return [(f"{quantity}max", most, self.rack.full[quantity]) for quantity, most in self.drive.most]

    def _check_limits(self, channels: Sequence[int]) -> None:
        wrong = self._unlimited(channels)
        if wrong:
            raise RackComplaint(f"{self._name}: {wrong[0]} ({len(wrong)} such limits); nothing was energised")

    def _unlimited(self, channels: Sequence[int]) -> list[str]:
        """Return the limits of *channels* that are not what was programmed."""
        limits = self._limits()
        seen = self.rack.ask([asking(name, channel) for channel in channels for name, _, _ in limits])
        wanted = [(name, c, most, full) for c in channels for name, most, full in limits]
        return [
            f"{name} of channel {channel} reads {value:.6g}, {most:.6g} was programmed"
            for value, (name, channel, most, full) in zip(seen, wanted, strict=True)
            if not abs(value - most) <= full / FULL_WORD
        ]
