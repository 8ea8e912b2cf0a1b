"""Interlocks: bounds that health readings must keep, the judge that remembers the first breach, and how a run asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from types import TracebackType
from typing import Annotated, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ffzero_lab.device.description import DeviceDescription, HealthChannel
from ffzero_lab.device.watched import WatchedReading, watched_readings
from ffzero_lab.errors import InputError, near_match

FiniteBound = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class InterlockBound(BaseModel):
    """A user's bound on one health channel, the table ``[interlocks.<channel>]``; the numbers are in its unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    lower: FiniteBound | None = None
    """Smallest reading that is allowed; None: no lower bound."""
    upper: FiniteBound | None = None
    """Largest reading that is allowed; None: no upper bound."""
    debounce: Annotated[int, Field(strict=True, ge=1)] = 1
    """Consecutive readings out of bounds before the interlock trips."""

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.lower is None and self.upper is None:
            raise ValueError("an interlock needs a lower or an upper bound; without one it would watch nothing")
        if self.lower is not None and self.upper is not None and not self.lower < self.upper:
            raise ValueError(f"lower {self.lower} must be below upper {self.upper}")
        return self


@dataclass(frozen=True)
class Interlock:
    """One bound on one health channel, as the judge applies it; a reading on a bound is still allowed."""

    channel: str
    unit: str
    lower: float | None
    upper: float | None
    debounce: int
    """Consecutive readings out of bounds before it trips."""
    origin: str
    """Whose bound it is, for messages."""

    def breach(self, value: float) -> str | None:
        """Return which bound *value* is beyond, with its unit, or None when it is within both."""
        if self.lower is not None and value < self.lower:
            return f"under the lower bound of {self.lower} {self.unit}"
        if self.upper is not None and value > self.upper:
            return f"over the upper bound of {self.upper} {self.unit}"
        return None


class InterlockJudge:
    """Judges health readings one after the other; knows no time and no device. The first breach is kept for good.

    Parameters
    ----------
    interlocks
        What to hold the readings against.
    device_name
        The device, for messages.
    """

    def __init__(self, interlocks: tuple[Interlock, ...], device_name: str) -> None:
        self._interlocks = interlocks
        self._device_name = device_name
        self._consecutive = [0] * len(interlocks)
        self._reason: str | None = None
        self._latest: Mapping[str, float] | None = None

    @property
    def reason(self) -> str | None:
        """Why an interlock tripped, or None while none has."""
        return self._reason

    @property
    def watched(self) -> tuple[WatchedReading, ...]:
        """The channels that have bounds, as they were last read; none before the first reading. Any thread may ask."""
        latest = self._latest
        return () if latest is None else watched_readings(self._interlocks, latest)

    @property
    def readings(self) -> Mapping[str, float]:
        """All health readings, as they were judged last; empty before the first. Any thread may ask."""
        return self._latest or {}

    def judge(self, readings: Mapping[str, float]) -> str | None:
        """Return why an interlock tripped, now or earlier, or None.

        A channel that is missing or not a finite number trips at once: debouncing is for noise, not for a sensor that
        is gone.
        """
        self._latest = readings
        if self._reason is None:
            self._reason = self._first_breach(readings)
        return self._reason

    def _first_breach(self, readings: Mapping[str, float]) -> str | None:
        for place, interlock in enumerate(self._interlocks):
            who = f"{self._device_name}, interlock {interlock.channel}"
            if interlock.channel not in readings:
                received = ", ".join(sorted(readings)) or "nothing"
                return f"{who}: the channel is missing from the health readings ({received}); check its sensor"
            value = float(readings[interlock.channel])
            if not isfinite(value):
                return f"{who}: the reading is {value} {interlock.unit}, not a finite number; check its sensor"
            breach = interlock.breach(value)
            self._consecutive[place] = 0 if breach is None else self._consecutive[place] + 1
            if breach is not None and self._consecutive[place] >= interlock.debounce:
                times = f"{interlock.debounce} consecutive readings" if interlock.debounce > 1 else "one reading"
                return (
                    f"{who}: {value} {interlock.unit} is {breach} ({interlock.origin}, trips after {times}); "
                    "find the cause and bring the reading back before going on"
                )
        return None


class SameReading(dict[str, float]):
    """Health readings that were judged before and are told again: a debounce must not count them twice."""


class InterlockGuard(Protocol):
    """What a run asks of its interlocks: start, check between two exchanges, check after the last one, stop."""

    def start(self) -> None:
        """Begin to watch; raises InterlockTripped when an interlock is tripped already."""
        ...

    def check(self) -> None:
        """Return when everything is watched and within its bounds; raises InterlockTripped, then and ever after."""
        ...

    def stop(self) -> None:
        """End the watch; calling it again does nothing."""
        ...

    @property
    def watched(self) -> tuple[WatchedReading, ...]:
        """The channels that have bounds, as they were last read; reads nothing, and may be called from any thread."""
        return ()

    @property
    def readings(self) -> Mapping[str, float]:
        """All health readings as they were judged last; reads nothing, and may be called from any thread."""
        return {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class NoInterlocks(InterlockGuard):
    """For a device without any bound on its health: there is nothing to watch."""

    def start(self) -> None:
        """Do nothing."""

    def check(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""


def interlocks_for(description: DeviceDescription, extra: Mapping[str, InterlockBound]) -> tuple[Interlock, ...]:
    """Return the device's own interlocks, followed by those of *extra*.

    Both are watched side by side: a device's own bound trips at its first breach, however long a bound of *extra* is
    debounced.

    Raises
    ------
    InputError
        When *extra* names an unknown channel, has a bound outside of the device's own.
    ValueError
        When the description itself cannot be watched: a channel named twice, or a bound that is no finite number.
    """
    channels = {channel.name: channel for channel in description.health}
    if len(channels) < len(description.health):
        names = ", ".join(channel.name for channel in description.health)
        raise ValueError(f"{description.name}: health channels must have names of their own, not {names}")
    own = tuple(_own_interlock(channel, description.name) for channel in description.health if _is_bounded(channel))
    return own + tuple(_extra_interlock(name, bound, channels, description.name) for name, bound in extra.items())


def _is_bounded(channel: HealthChannel) -> bool:
    return channel.lower is not None or channel.upper is not None


def _own_interlock(channel: HealthChannel, device_name: str) -> Interlock:
    for bound in (channel.lower, channel.upper):
        if bound is not None and not isfinite(bound):
            raise ValueError(
                f"{device_name}, health channel {channel.name}: the bound {bound} {channel.unit} is not a finite "
                "number and would watch nothing; a channel without a bound leaves it out"
            )
    if channel.lower is not None and channel.upper is not None and not channel.lower < channel.upper:
        raise ValueError(
            f"{device_name}, health channel {channel.name}: lower {channel.lower} {channel.unit} must be below "
            f"upper {channel.upper} {channel.unit}"
        )
    return Interlock(channel.name, channel.unit, channel.lower, channel.upper, 1, "the device's own bound")


def _extra_interlock(
    name: str, bound: InterlockBound, channels: Mapping[str, HealthChannel], device_name: str
) -> Interlock:
    if name not in channels:
        allowed = f"allowed: {', '.join(sorted(channels))}" if channels else "the device reports none"
        raise InputError(
            f"[interlocks.{name}]: {device_name} has no health channel {name!r}{near_match(name, channels)}; {allowed}"
        )
    own = channels[name]
    if _is_bounded(own):
        limits = _own_interlock(own, device_name)
        for side, wanted in (("lower", bound.lower), ("upper", bound.upper)):
            breach = None if wanted is None else limits.breach(wanted)
            if breach is not None:
                raise InputError(
                    f"[interlocks.{name}]: {side} = {wanted} {own.unit} is {breach} that {device_name} itself sets; "
                    "a bound given here may tighten the device's own, never widen it"
                )
    return Interlock(name, own.unit, bound.lower, bound.upper, bound.debounce, f"[interlocks.{name}]")
