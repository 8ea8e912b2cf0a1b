"""Instruments that read outputs: power meters, photodiode arrays, gauges."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from drivers.bench.roles import Detectors, Wiring
from drivers.links import Block, Numbers, Reply
from drivers.scpi.commands import OfChannel, Plain, one_message
from drivers.scpi.connection import Connection, LinkConfig
from ffzero_lab.device import BadReply, Clock, DeviceError, FloatArray, LinkTally

Form = Literal["ascii", "f4", "f8", "i2", "i4", "u2", "u4"]
ReplyUnit = Literal["as stated", "dBm"]
MILLIWATT_W = 1e-3
NOT_A_NUMBER = 9.91e37
"""What SCPI writes for it (SCPI-99 volume 1, 7.2.1.5; infinity is 9.9E37, 7.2.1.4)."""
SINGLE_PRECISION = 1e-6
"""How far, as a share, a number may be off that went through four bytes."""


class SettingsLost(DeviceError):
    """A meter was switched on anew, and nobody knows in what units and ranges it measures now.

    Outputs: parked.

    Remedy: let `prepare` of the detectors set all that readings depend on; the meter is then prepared again instead
    of ending the run.
    """


class DetectorsConfig(BaseModel):
    """How a meter is asked, in the words of its manual. Every command begins at the root, with ``:`` or ``*``."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    read_list: Plain | None = None
    """Measures all channels, such as ``:READ:POWer:ALL?``; the readings come in the order of the channels."""
    read_one: OfChannel | None = None
    """Measures one channel, such as ``:READ{channel}:POWer?``, where there is no list."""
    form: Form = "ascii"
    """Of the reply to ``read_list``: decimal numbers, or an IEEE-488.2 block of numbers of that type."""
    byte_order: Literal["little", "big"] = "little"
    """Of the numbers in a block; little is Intel's."""
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """Between decimal numbers."""
    over_range: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 1e37
    """From this magnitude on a reading is a sentinel: positive over the range, negative none at all."""
    reply_unit: ReplyUnit = "as stated"
    """Unit of the readings: the one of ``full_scale_…``, or dBm (``full_scale_w`` is then given)."""
    unit_query: Plain | None = None
    """Asks for the units of all channels, a list of numbers; asked when the instrument is opened, and recovered."""
    dbm_code: int = 0
    """Number that stands for dBm in that list; every other one is the unit of ``full_scale_…``."""
    health: dict[str, Plain] = {}
    """Readings of the instrument's own state by name, and how each is asked for; one number each."""
    prepare: tuple[Plain, ...] = ()
    """Sent when the instrument is opened, and after every recovery, such as ``:SENSe:POWer:UNIT:ALL W``."""

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if (self.read_list is None) == (self.read_one is None):
            raise ValueError("give read_list or read_one, one of them")
        if self.read_one is not None and self.form != "ascii":
            raise ValueError("form is that of read_list; a single reading is a decimal number")
        if self.unit_query is not None and self.reply_unit == "dBm":
            raise ValueError("give reply_unit or unit_query, one of them")
        return self


class ScpiDetectors(Detectors):
    """A meter: one message measures all channels, where it can."""

    Config: ClassVar[type[Any]] = DetectorsConfig
    LinkConfig: ClassVar[type[Any] | None] = LinkConfig

    def __init__(self, config: DetectorsConfig, wiring: Wiring, connection: Connection) -> None:
        self._config, self._wiring, self._connection = config, wiring, connection
        self._mapped = np.searchsorted(wiring.all_channels, wiring.channels)
        count = len(wiring.all_channels)
        order = "<" if config.byte_order == "little" else ">"
        self._reply: Reply[FloatArray] = (
            Numbers(count, config.separator.encode()) if config.form == "ascii" else Block(count, order + config.form)
        )
        self._logarithmic: NDArray[np.bool_] = np.full(count, config.reply_unit == "dBm")
        self._fault: str | None = None
        self._plain_below = min(config.over_range, NOT_A_NUMBER * (1.0 - SINGLE_PRECISION))
        """Readings below this in magnitude are what they say, unless they are logarithmic."""
        connection.when_recovered(self._look_after_recovery)

    @classmethod
    def open(cls, config: Any, wiring: Wiring, clock: Clock) -> Self:
        """Connect to the instrument, recognise it and learn its units."""
        if list(wiring.all_channels) != sorted(wiring.all_channels):
            raise ValueError(f"{wiring.name}: list channels in rising order")
        if (config.reply_unit == "dBm" or config.unit_query is not None) and wiring.unit != "W":
            raise ValueError(f"{wiring.name}: readings in dBm are powers; give full_scale_w, not in {wiring.unit}")
        connection = Connection.of(wiring.link, clock, wiring.name)
        try:
            detectors = cls(config, wiring, connection)
            detectors._prepare(connection)
        except BaseException:
            connection.leave()
            raise
        return detectors

    def health(self) -> Mapping[str, float]:
        """Return the readings that the file asks for."""
        return {name: float(self._connection.numbers(query, 1)[0]) for name, query in self._config.health.items()}

    def link_tallies(self) -> Mapping[str, LinkTally]:
        """Return what the link has seen."""
        return {self._connection.link.owner: self._connection.link.tally}

    def identify(self) -> str:
        """Return what the instrument answered when it was connected."""
        return self._connection.link.identity or ""

    def read(self) -> FloatArray:
        """Measure the mapped channels (n,) now; infinite where one is over its range.

        Raises SettingsLost, until it is opened anew, when it has restarted and nothing brings its settings back.
        """
        return self._judged(self._measured(again=True))

    def read_steps(self, count: int) -> FloatArray:
        """Measure (count, n) while armed inputs step on; never asked twice, because each asking may have stepped."""
        return self._judged(np.stack([self._measured(again=False) for _ in range(count)]))

    def park(self) -> None:
        """Do nothing: a meter drives nothing."""

    def close(self) -> None:
        """Let the link go."""
        self._connection.leave()

    def _measured(self, *, again: bool) -> FloatArray:
        """Return the readings (all channels,); after a fault they are asked for *again*, or the fault is raised."""
        link, config = self._connection.link, self._config
        ask = link.query if again else link.exchange
        if config.read_list is not None:
            return ask(one_message([config.read_list]), self._reply)
        readings = np.zeros(len(self._wiring.all_channels))
        for place, channel in zip(self._mapped, self._wiring.channels, strict=True):
            query = str(config.read_one).format(channel=channel)
            readings[place] = ask(one_message([query]), Numbers(1))[0]
        return readings

    def _judged(self, readings: FloatArray) -> FloatArray:
        """Return the mapped channels (…, n) of *readings* (…, all channels) in the stated unit."""
        if self._fault is not None:
            raise SettingsLost(self._fault)
        values, logarithmic = readings[..., self._mapped], self._logarithmic[self._mapped]
        if (np.abs(values) < self._plain_below).all() and not logarithmic.any():  # nearly always; not so for a NaN
            return values
        undefined = np.abs(values - NOT_A_NUMBER) <= SINGLE_PRECISION * NOT_A_NUMBER
        sentinel = np.abs(values) >= self._config.over_range
        none = sentinel & (values < 0.0)
        wrong = np.argwhere(undefined | (none & ~logarithmic))
        if len(wrong):
            raise BadReply(
                f"{self._wiring.name}, channel {self._wiring.channels[wrong[0][-1]]}: {values[tuple(wrong[0])]:.3g} is "
                f"no reading in {self._wiring.unit}; the reply was discarded"
            )
        if logarithmic.any():
            values = np.where(sentinel, 0.0, values)
            values = np.where(logarithmic, MILLIWATT_W * 10.0 ** (values / 10.0), values)
        return np.where(none, 0.0, np.where(sentinel, np.inf, values))

    def _look_after_recovery(self, connection: Connection) -> None:
        """Bring the settings back; what nothing brings back is raised with every reading."""
        self._prepare(connection)
        if connection.restarted and not self._config.prepare and self._config.unit_query is None:
            self._fault = (
                f"{self._wiring.name} was switched on anew: its units, ranges and averaging may be others now; set "
                "them and open the bench anew, or give what sets them (`prepare`) or tells the units (`unit_query`)"
            )

    def _prepare(self, connection: Connection) -> None:
        """Bring the instrument's settings to what is expected of it; a restart has reset them."""
        config = self._config
        if config.prepare:
            connection.command(config.prepare)
        if config.unit_query is not None:
            codes = connection.numbers(config.unit_query, len(self._wiring.all_channels), config.separator)
            self._logarithmic = codes == config.dbm_code
