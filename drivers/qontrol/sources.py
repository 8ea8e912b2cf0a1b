"""Heaters and inputs on a rack: setpoints that are written, measured, lost by restarts, and brought to zero."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from drivers.bench.roles import Actuators, Inputs, Instrument, Wiring
from drivers.links import LinkFault, WrongInstrument
from drivers.qontrol.channels import Drive, RackChannels
from drivers.qontrol.commands import PER_MODULE, Question
from drivers.qontrol.config import RackChannelsConfig, RackInputsConfig
from drivers.qontrol.driving import drive_of
from drivers.qontrol.errors import (
    RESTARTS,
    TRIPS,
    ChannelTripped,
    ErrorLine,
    Interrupted,
    ModuleRestarted,
    RackComplaint,
)
from drivers.qontrol.health import readings
from drivers.qontrol.link_config import RackLinkConfig
from drivers.qontrol.rack import Rack
from drivers.qontrol.returning import Return, steps_back
from ffzero_lab.device import BadReply, Clock, DeviceError, FloatArray, LinkTally

T = TypeVar("T")
AGAIN_UNTIL = 0.85
"""Share of the time for parking until which what failed is done again."""
PAUSE = 0.05
"""Share of the time for parking that passes before."""


class RackSource(Instrument):
    """Channels of a rack. A rack reports no setpoints: what is written is compared with what is measured.

    Nothing is written blindly a second time: after a fault the link is recovered and the outputs are measured, and only
    what is known not to be as wanted is written again, as absolute setpoints.
    """

    Config: ClassVar[type[Any]] = RackChannelsConfig
    LinkConfig: ClassVar[type[Any] | None] = RackLinkConfig

    def __init__(self, config: RackChannelsConfig, wiring: Wiring, drive: Drive, rack: Rack, clock: Clock) -> None:
        self._config, self._wiring, self._rack, self._clock = config, wiring, rack, clock
        self._channels = RackChannels(wiring.name, rack, wiring.all_channels, drive)
        self._mapped = np.searchsorted(wiring.all_channels, wiring.channels)
        self._maps_all = [*wiring.channels] == [*wiring.all_channels]
        self._tolerance = config.measured_within * self._channels.full
        self._safe = self._channels.stepped(np.full(len(wiring.all_channels), wiring.safe))
        self._known: list[FloatArray] = []
        """Setpoints (all channels,) that may stand: the last confirmed ones, and those on their way."""
        self._given = False
        """Whether setpoints were confirmed since opening or parking, that a restart would lose."""
        self._return: Return | None = None
        """How setpoints come back that a restart has lost, until they are."""
        self._heard: list[ErrorLine] = []
        """What the rack has reported by itself about these channels, until it was looked into."""
        self._fault: DeviceError | None = None
        """What the next call has to raise."""
        self._is_open = True
        rack.add(self)

    @classmethod
    def open(cls, config: Any, wiring: Wiring, clock: Clock) -> Self:
        """Find the rack and its chain, program the limits and read them back; the outputs stay as they are."""
        drive = drive_of(config, wiring)
        rack = Rack.of(wiring.link, clock, wiring.name)
        source: Self | None = None
        try:
            source = cls(config, wiring, drive, rack, clock)
            source._limit_or_park()
        except BaseException:
            rack.leave(source)
            raise
        return source

    def identify(self) -> str:
        """Return the modules of the chain, in their order."""
        return ", ".join(self._rack.modules)

    def link_tallies(self) -> Mapping[str, LinkTally]:
        """Return what the link to the rack has seen."""
        return {self._rack.link.owner: self._rack.link.tally}

    def health(self) -> Mapping[str, float]:
        """Return the readings that the file asks for, measured by the rack."""
        return readings(self._config.health, self._channels)

    def write(self, values: FloatArray) -> None:
        """Set the mapped channels (n,), in the file's unit, those that are not mapped to the safe value."""
        wanted = self._channels.stepped(values)
        if not self._maps_all:
            mapped, wanted = wanted, self._safe.copy()
            wanted[self._mapped] = mapped
        messages = self._channels.writing(wanted)
        measured = self._written(wanted, messages)
        for _ in range(self._config.attempts - 1):
            if measured is None or not self._differing(measured, wanted).size:
                return
            measured = self._written(wanted, messages)
        if measured is not None and self._differing(measured, wanted).size:
            raise self._disobeyed(measured, wanted, f"{self._config.attempts} times")

    def confirm(self) -> None:
        """Measure; raises ModuleRestarted unless what was written last stands there, ChannelTripped after a trip."""
        if not self._known:  # nothing was written yet
            self._look_into()
            self._raise_fault()
            return
        measured = self._measured()
        if len(self._known) == 1 and self._differing(measured, self._known[0]).size:
            measured = self._measured_again()
        if len(self._known) == 1 and self._differing(measured, self._known[0]).size:
            self._lost("does not hold the setpoints any more that it was given")
            self._raise_fault()

    def park(self) -> None:
        """Bring all channels of the table, mapped or not, to the safe value, and measure that they are there.

        What fails is tried again within the time for parking.
        """
        within_s = self._wiring.park_s
        until_s = self._clock.now_s() + AGAIN_UNTIL * within_s
        told: list[str] = []
        with self._rack.parking(within_s):
            failed = self._failure_to_park()
            if failed is not None and not isinstance(failed, WrongInstrument):
                told = self._told_blindly()  # at once: there may be no time left when everything else has failed
            while failed is not None and self._clock.now_s() < until_s:
                self._clock.sleep_s(PAUSE * within_s)
                failed = self._failure_to_park()
        if failed is not None:
            for note in told:
                failed.add_note(note)
            raise failed
        self._known, self._given, self._return = [self._safe], False, None
        if isinstance(self._fault, ChannelTripped):
            self._fault = None
        self._heard = [error for error in self._heard if error.code in RESTARTS]  # their limits are still to be set

    def close(self) -> None:
        """Let the rack go; its own end of the line leaves outputs on, so park before."""
        if self._is_open:
            self._is_open = False
            self._rack.leave(self)

    def heard(self, error: ErrorLine) -> None:
        """Take note of what the rack reports by itself: of a restart or a trip if it concerns one of these modules."""
        of_these = error.channel // PER_MODULE in self._channels.modules
        if of_these or error.code not in RESTARTS | TRIPS:
            self._heard.append(error)

    def look_after_recovery(self) -> None:
        """Find out whether the modules restarted, and whether the outputs are as they were written."""
        if not any(error.code in RESTARTS for error in self._heard) and not self._channels.are_limited():
            self._heard.append(ErrorLine(90, self._channels.channels[0]))
        self._look_into()
        if self._fault is None and self._known:
            measured = self._channels.measured()
            if all(self._differing(measured, known).size for known in self._known):
                self._lost("does not hold its setpoints any more: somebody else has set it, or a vector was cut short")

    def _limit_or_park(self) -> None:
        """Program the limits; when they are refused, park: whoever was here may have left outputs on."""
        try:
            self._insistent(self._channels.limit)
        except DeviceError as error:
            try:
                self.park()
            except DeviceError as second:
                error.add_note(f"parking {self._wiring.name} failed as well: {second}")
            raise

    def _written(self, wanted: FloatArray, messages: list[Question]) -> FloatArray | None:
        """Bring the outputs to *wanted* (all channels,) and return what they measure; None where that comes later.

        *messages* say it to the rack.
        """
        self._look_into()
        self._raise_fault()
        if not self._known:
            self._known = [self._measured()]
        self._known = [*self._known, wanted]
        for setpoints, pause_s in steps_back(self._return, wanted, self._measured, self._channels.drive.upper):
            self._insistent(partial(self._rack.tell, self._channels.writing(setpoints)))
            self._clock.sleep_s(pause_s)
        measured = self._insistent(partial(self._sent, messages))
        if measured is not None and self._differing(measured, wanted).size:
            measured = self._measured_again()
        if measured is None or not self._differing(measured, wanted).size:
            self._known, self._given, self._return = [wanted], True, None
        return measured

    def _sent(self, messages: list[Question]) -> FloatArray | None:
        """Send *messages*, and with them the questions for what is measured then."""
        if self._config.read_back == "reading" and self._return is None:
            self._rack.tell(messages)
            self._look_into()
            self._raise_fault()
            return None
        measured = self._rack.tell([*messages, *self._channels.measuring(self._channels.drive.quantity)])
        self._look_into()
        self._raise_fault()
        return measured

    def _insistent(self, act: Callable[[], T]) -> T:
        """Return what *act* does; after a fault the link is recovered and outputs are measured before it acts again.

        Only for what may be done twice: absolute setpoints and limits.
        """
        for _ in range(self._config.attempts - 1):
            try:
                return act()
            except (LinkFault, Interrupted) as fault:
                if isinstance(fault, LinkFault) and fault.is_final:
                    raise
                self._measured()
        return act()

    def _measured(self) -> FloatArray:
        """Return what all channels measure; raises what was found out meanwhile."""
        measured = self._channels.measured()
        self._look_into()
        self._raise_fault()
        return measured

    def _measured_again(self) -> FloatArray:
        """Measure after a pause: a converter may lag behind."""
        self._clock.sleep_s(self._config.settle_s)
        return self._measured()

    def _differing(self, measured: FloatArray, wanted: FloatArray) -> NDArray[np.intp]:
        """Return the places of all channels where *measured* is not as *wanted*."""
        return np.flatnonzero(~(np.abs(measured - wanted) <= self._tolerance))

    def _disobeyed(self, measured: FloatArray, wanted: FloatArray, how: str) -> BadReply:
        wrong = self._differing(measured, wanted)
        place, unit = int(wrong[0]), self._channels.drive.unit
        return BadReply(
            f"{self._wiring.name}, channel {self._wiring.all_channels[place]}: {wanted[place]:.6f} {unit} was written "
            f"{how}, {measured[place]:.6f} {unit} is measured ({wrong.size} such channels; {self._tolerance:.3g} "
            f"{unit} may they differ, by measured_within); is something connected that draws too much?"
        )

    def _failure_to_park(self) -> Exception | None:
        try:
            self._known = [*self._known, self._safe]
            self._rack.tell(self._channels.writing(self._safe))
            measured = self._channels.measured()
            if self._differing(measured, self._safe).size:
                self._clock.sleep_s(min(self._config.settle_s, PAUSE * self._wiring.park_s))
                measured = self._channels.measured()
            if self._differing(measured, self._safe).size:
                return self._disobeyed(measured, self._safe, "to park")
        except Exception as error:  # noqa: BLE001 - raised when everything was tried
            return error
        return None

    def _told_blindly(self) -> list[str]:
        """Say once more, without asking anything, that outputs go to their safe value; returns what became of it."""
        name = self._wiring.name
        try:
            self._rack.tell_blindly(self._channels.writing(self._safe))
        except DeviceError as error:
            return [f"{name} could not be told blindly to go to its safe state either: {error}"]
        return [f"{name} was told once more to go to its safe state; whether it did is not known"]

    def _look_into(self) -> None:
        """Turn what the rack has reported by itself into what the next call raises."""
        heard, self._heard = self._heard, []
        if not heard:
            return
        told = ", ".join(map(str, heard))
        codes = {error.code for error in heard}
        name = self._wiring.name
        if codes & RESTARTS:
            try:
                self._channels.limit()
            except BaseException:
                self._heard = [*heard, *self._heard]
                raise
            if self._given:
                self._lost(f"has restarted ({told}) and lost its setpoints")
        if codes & TRIPS:
            self._fault = ChannelTripped(f"{name}: {told}; find the cause, park the bench, then go on")
        elif codes - RESTARTS and self._fault is None:
            self._fault = RackComplaint(f"{name}: the rack reports {told}")

    def _lost(self, what: str) -> None:
        """Note that setpoints were lost; what comes of it is the file's to say."""
        if isinstance(self._fault, ChannelTripped):
            return  # until it is parked
        text = f"{self._wiring.name} {what}"
        if self._config.after_restart == "park":
            self._fault = ChannelTripped(f'{text}; after_restart = "park": park the bench, then go on')
            return
        self._return = Return(self._slew)
        fault = ModuleRestarted(text)
        fault.returns_slowly = self._slew is not None
        self._fault = fault

    @property
    def _slew(self) -> float | None:
        """V or mA per second."""
        slew = self._wiring.slew_per_s
        return None if slew is None else slew * self._channels.drive.per_unit

    def _raise_fault(self) -> None:
        """Raise what was found out: once, or until it is parked where a channel has tripped."""
        fault = self._fault
        if isinstance(fault, ChannelTripped):
            raise ChannelTripped(str(fault))
        if fault is not None:
            self._fault = None
            if isinstance(fault, ModuleRestarted):
                self._known, self._given = [], False
            raise fault


class QontrolActuators(RackSource, Actuators):
    """Heaters: setpoints that are parameters."""

    def read_back(self) -> FloatArray:
        """Return the setpoints (n,) of the mapped channels, in the file's unit; where another is measured, that."""
        measured = self._measured()
        if len(self._known) == 1:
            agree = np.abs(measured - self._known[0]) <= self._tolerance
            measured = np.where(agree, self._known[0], measured)
        return measured[self._mapped] / self._channels.drive.per_unit

    def measure(self) -> tuple[FloatArray, FloatArray]:
        """Return what the mapped channels measure, volts (n,) and amperes (n,)."""
        volts, milliamperes = self._channels.measured("v"), self._channels.measured("i")
        self._look_into()
        self._raise_fault()
        return volts[self._mapped], 1e-3 * milliamperes[self._mapped]


class QontrolInputs(RackSource, Inputs):
    """Modulators: setpoints that are patterns."""

    Config: ClassVar[type[Any]] = RackInputsConfig

    def present(self, values: FloatArray) -> None:
        """Present *values* (n,) and leave them on."""
        self.write(values)
