"""Instruments that hold setpoints: heater drivers as actuators, modulators as inputs."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from drivers.bench.roles import Actuators, Instrument, Wiring
from drivers.links import LinkFault, WrongInstrument
from drivers.scpi.commands import written
from drivers.scpi.connection import Connection, LinkConfig
from drivers.scpi.source_config import SourceConfig
from ffzero_lab.device import (
    BadReply,
    Clock,
    DeviceError,
    FloatArray,
    InterlockTripped,
    LimitViolation,
    LinkTally,
    StagingLost,
)

T = TypeVar("T")
AGAIN_UNTIL = 0.85
"""Share of the time for parking until which what failed is done again."""
PAUSE = 0.05
"""Share of the time for parking that passes before."""


class OutputsOff(InterlockTripped):
    """Outputs are off that nobody here switched off; only parking ends it, nothing switches them on by itself."""


class Reported(NamedTuple):
    """What a source reports."""

    setpoints: FloatArray
    """(all channels,)"""
    on: bool | None
    """Whether its outputs are on; None: it is not asked."""


class Source(Instrument):
    """A source: every setting is one message that also reads the setpoints back.

    Nothing is written blindly a second time: after a fault the link is recovered and the setpoints are read back, and
    only what is known not to be as wanted is written again, as absolute setpoints.
    """

    Config: ClassVar[type[Any]] = SourceConfig
    LinkConfig: ClassVar[type[Any] | None] = LinkConfig

    def __init__(self, config: SourceConfig, wiring: Wiring, connection: Connection, clock: Clock) -> None:
        self._config, self._wiring, self._connection = config, wiring, connection
        self._mapped = np.searchsorted(wiring.all_channels, wiring.channels)
        self._tolerance = max(config.read_back_within * (wiring.upper - wiring.lower), wiring.resolution)
        self._clock = clock
        self._known: list[FloatArray] = []
        """Setpoints (all channels,) that the instrument may have: the last confirmed ones, and those on their way."""
        self._given = False
        """Whether setpoints were confirmed since opening or parking, that a restart would lose."""
        self._on = False
        """Whether the outputs were switched on here."""
        self._fault: DeviceError | None = None
        """What the next call has to raise: it was found out while the link was recovered."""
        self._as_sent(np.full(len(wiring.all_channels), wiring.safe))  # parking must not be the first to be refused
        connection.when_recovered(self._look_after_recovery)

    @classmethod
    def open(cls, config: Any, wiring: Wiring, clock: Clock) -> Self:
        """Connect to the instrument and recognise it; its outputs stay as they are."""
        if list(wiring.all_channels) != sorted(wiring.all_channels):
            raise ValueError(f"{wiring.name}: list channels in rising order")
        connection = Connection.of(wiring.link, clock, wiring.name)
        try:
            source = cls(config, wiring, connection, clock)
            source._prepare()
        except BaseException:
            connection.leave()
            raise
        return source

    def health(self) -> Mapping[str, float]:
        """Return the readings that the file asks for."""
        return {name: float(self._connection.numbers(query, 1)[0]) for name, query in self._config.health.items()}

    def link_tallies(self) -> Mapping[str, LinkTally]:
        """Return what the link has seen."""
        return {self._connection.link.owner: self._connection.link.tally}

    def identify(self) -> str:
        """Return what the instrument answered when it was connected."""
        return self._connection.link.identity or ""

    def park(self) -> None:
        """Switch the outputs off, and bring the setpoints of all channels, mapped or not, to the safe value.

        Neither waits for the other to succeed; what fails is tried again within the time for parking.
        """
        steps: list[Callable[[], None]] = [self._set_safe]
        if self._config.output_off is not None:
            steps.insert(0, partial(self._switch_off, self._config.output_off))
        within_s = self._wiring.park_s
        until_s = self._clock.now_s() + AGAIN_UNTIL * within_s
        told: list[str] = []
        with self._connection.parking(within_s):
            failed = _failures(steps)
            if failed and not isinstance(failed[0][1], WrongInstrument):
                told = self._told_blindly()  # at once: there may be no time left when everything else has failed
            while failed and self._clock.now_s() < until_s:
                self._clock.sleep_s(PAUSE * within_s)
                failed = _failures([step for step, _ in failed])
        if failed:
            first, *others = [error for _, error in failed]
            for note in (*told, *(f"as well: {second}" for second in others)):
                first.add_note(note)
            raise first
        self._on = False
        if isinstance(self._fault, OutputsOff):
            self._fault = None

    def _told_blindly(self) -> list[str]:
        """Say once more, without asking anything, that outputs go off: bad answers must keep no light on.

        Return what is to be known of it when parking fails.
        """
        off = [] if self._config.output_off is None else [self._config.output_off]
        safe = self._setting(self._as_sent(np.full(len(self._wiring.all_channels), self._wiring.safe)))
        notes: list[str] = []
        for commands in filter(None, (off, safe)):
            try:
                self._connection.command_blindly(commands)
            except DeviceError as error:
                notes.append(f"{self._wiring.name} could not be told {commands[0][:40]!r} either: {error}")
        return [*notes, f"{self._wiring.name} was told once more to go to its safe state; whether it did is not known"]

    def close(self) -> None:
        """Let the link go."""
        self._connection.leave()

    def write(self, values: FloatArray) -> None:
        """Set the mapped channels (n,), those that are not mapped to the safe value, and switch on."""
        wanted = self._as_sent(self._of_all_channels(values))
        seen = self._brought(self._setting(wanted), wanted)
        if self._differing(seen, wanted).size:
            raise self._disobeyed(seen, wanted, f"{self._config.attempts} times")

    def confirm(self) -> None:
        """Read back; raises StagingLost unless the setpoints are those written last, OutputsOff when they are off."""
        if not self._known:
            return  # nothing was written yet
        standing = self._asked()
        self._raise_fault()
        self._refuse_off(standing)
        if len(self._known) == 1 and self._differing(standing.setpoints, self._known[0]).size:
            self._fault = StagingLost(f"{self._wiring.name} does not hold the setpoints any more that it was given")
            self._raise_fault()

    def read_back(self) -> FloatArray:
        """Return the setpoints (n,) of the mapped channels as the instrument reports them."""
        standing = self._asked()
        self._raise_fault()
        return standing.setpoints[self._mapped]

    def _switch_off(self, output_off: str) -> None:
        query = self._config.output_query
        if query is None:
            self._connection.command([output_off])
        elif self._connection.command_and_read([output_off], {query: 1}, self._config.separator)[0]:
            raise BadReply(f"{self._wiring.name}: its outputs are still on behind {output_off}; switch it off by hand")
        self._on = False

    def _set_safe(self) -> None:
        wanted = self._as_sent(np.full(len(self._wiring.all_channels), self._wiring.safe))
        self._known = [*self._known, wanted]
        seen = self._sent(self._setting(wanted)).setpoints
        if self._differing(seen, wanted).size:
            raise self._disobeyed(seen, wanted, "to park")
        self._known, self._given = [wanted], False

    def _disobeyed(self, seen: FloatArray, wanted: FloatArray, how: str) -> BadReply:
        wrong = self._differing(seen, wanted)
        index, wiring = int(wrong[0]), self._wiring
        return BadReply(
            f"{wiring.name}, channel {wiring.all_channels[index]}: {wanted[index]:.12g} {wiring.unit} "
            f"was written {how}, {seen[index]:.12g} is read back ({wrong.size} such channels; {self._tolerance:.3g} "
            "may they differ, by read_back_within and resolution)"
        )

    def _of_all_channels(self, values: FloatArray) -> FloatArray:
        """Return *values* (n,) of the mapped channels among the safe values of the others, (all channels,)."""
        setpoints = np.full(len(self._wiring.all_channels), self._wiring.safe)
        setpoints[self._mapped] = values
        return setpoints

    def _as_sent(self, values: FloatArray) -> FloatArray:
        """Return *values* (all channels,) as the instrument reads them; raises LimitViolation for one out of limits."""
        spec, wiring = self._config.number, self._wiring
        sent = values if spec is None else np.array([float(format(value, spec)) for value in values])
        wrong = np.flatnonzero(~((wiring.lower <= sent) & (sent <= wiring.upper)))
        if wrong.size:
            index = int(wrong[0])
            raise LimitViolation(
                f"{wiring.name}, channel {wiring.all_channels[index]}: {values[index]:.12g} {wiring.unit} would be "
                f"sent as {sent[index]:.12g}, limits {wiring.lower:.12g} to {wiring.upper:.12g}; nothing was sent "
                "(give `number` more digits)"
            )
        return sent

    def _brought(self, commands: Sequence[str], wanted: FloatArray) -> FloatArray:
        """Send *commands* until *wanted* (all channels,) is read back, in a bounded number of tries; returns that."""
        seen = self._confirmed(commands, wanted)
        for _ in range(self._config.attempts - 1):
            if not self._differing(seen, wanted).size:
                break
            seen = self._confirmed(commands, wanted)
        return seen

    def _confirmed(self, commands: Sequence[str], wanted: FloatArray) -> FloatArray:
        """Send *commands* that bring the setpoints to *wanted*, and return those (all channels,) that are read back."""
        if not self._known:
            self._known = [self._asked().setpoints]
        self._raise_fault()
        self._known = [*self._known, wanted]
        switching = [self._config.output_on] if self._config.output_on is not None and not self._on else []
        standing = self._insistent(lambda: self._sent([*commands, *switching]))
        self._on = self._on or bool(switching)
        self._refuse_off(standing)
        if not self._differing(standing.setpoints, wanted).size:
            self._known, self._given = [wanted], True
        return standing.setpoints

    def _refuse_off(self, standing: Reported) -> None:
        """Raise what it means that outputs are off that were switched on: a restart, or somebody else's doing."""
        if not self._on or standing.on is not False:
            return
        self._connection.link.distrust()
        self._asked()  # recovers the link first, which finds out
        self._fault = self._fault or self._off()
        self._raise_fault()

    def _off(self) -> OutputsOff:
        return OutputsOff(
            f"{self._wiring.name}: its outputs are off, and nobody here switched them off: its own protection, its "
            "front panel, or another program; find the cause, park the bench, then go on"
        )

    def _insistent(self, act: Callable[[], T]) -> T:
        """Return what *act* does; after a fault the link is recovered and the setpoints read back before it acts again.

        Only for what may be done twice: absolute setpoints, patterns at a given address, sequences from their start.
        """
        for _ in range(self._config.attempts - 1):
            try:
                return act()
            except LinkFault as fault:
                if fault.is_final:
                    raise
                self._asked()
                self._raise_fault()
        return act()

    def _differing(self, seen: FloatArray, wanted: FloatArray) -> NDArray[np.intp]:
        """Return the places of all channels where *seen* is not as *wanted*."""
        return np.flatnonzero(~(np.abs(seen - wanted) <= self._tolerance))

    def _setting(self, wanted: FloatArray) -> list[str]:
        config, spec = self._config, self._config.number or ""
        if config.set_list is not None:
            return [config.set_list.format(values=written(wanted, spec, config.separator))]
        texts = [written([value], spec, "") for value in wanted]
        return [
            str(config.set_one).format(channel=channel, value=text)
            for channel, text in zip(self._wiring.all_channels, texts, strict=True)
        ]

    def _sent(self, commands: Sequence[str]) -> Reported:
        config, queries = self._config, self._queries
        if config.read_list is not None:
            return self._standing(self._connection.command_and_read(commands, queries, config.separator))
        if queries:
            self._connection.command_and_read(commands, queries, config.separator)
        else:
            self._connection.command(commands)
        return self._asked()

    def _asked(self) -> Reported:
        """Return what the instrument reports."""
        config, channels = self._config, self._wiring.all_channels
        values = self._connection.lists(self._queries, config.separator) if self._queries else np.empty(0)
        if config.read_list is None:
            query = str(config.read_one)
            each = [self._connection.numbers(query.format(channel=channel), 1) for channel in channels]
            values = np.concatenate([*each, values])
        return self._standing(values)

    @property
    def _queries(self) -> dict[str, int]:
        """What is asked for in one message, with the count of its numbers."""
        config = self._config
        queries = {} if config.read_list is None else {config.read_list: len(self._wiring.all_channels)}
        return queries if config.output_query is None else {**queries, config.output_query: 1}

    def _standing(self, values: FloatArray) -> Reported:
        count = len(self._wiring.all_channels)
        return Reported(values[:count], None if self._config.output_query is None else bool(values[count]))

    def _prepare(self) -> None:
        """Send what the file says to be sent first; when it is refused, park: whoever was here left its outputs on."""
        try:
            if self._config.prepare:
                self._connection.command(self._config.prepare)
        except DeviceError as error:
            try:
                self.park()
            except DeviceError as second:
                error.add_note(f"parking {self._wiring.name} failed as well: {second}")
            raise

    def _look_after_recovery(self, connection: Connection) -> None:
        """Find out whether the instrument still holds what it was given; what it lost is raised by the next call."""
        if self._config.prepare:
            connection.command(self._config.prepare)
        standing = self._asked()
        held = any(not self._differing(standing.setpoints, known).size for known in self._known)
        name, unit, channel = self._wiring.name, self._wiring.unit, self._wiring.all_channels[0]
        if isinstance(self._fault, OutputsOff):
            return  # until it is parked
        if connection.restarted:
            if self._was_given:
                self._fault = StagingLost(f"{name} has restarted, and lost what it was given")
        elif self._on and standing.on is False:
            self._fault = self._off()
        elif self._known and not held:
            self._fault = StagingLost(
                f"{name} does not hold its setpoints any more (channel {channel} reads "
                f"{standing.setpoints[0]:.6g} {unit}): somebody else has set it, or a list was cut short"
            )

    def _raise_fault(self) -> None:
        """Raise what was found out: once that staging is lost, until it is parked that the outputs are off."""
        fault = self._fault
        if isinstance(fault, OutputsOff):
            raise OutputsOff(str(fault))
        if fault is not None:
            self._fault, self._known, self._given, self._on = None, [], False, False
            self._forget()
            raise fault

    @property
    def _was_given(self) -> bool:
        """Whether there is anything to lose."""
        return self._given

    def _forget(self) -> None:
        """Forget what else the instrument was given."""


def _failures(steps: Sequence[Callable[[], None]]) -> list[tuple[Callable[[], None], Exception]]:
    """Do every one of *steps*, and return those that failed, each with its error."""
    failed: list[tuple[Callable[[], None], Exception]] = []
    for step in steps:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - raised when everything was tried
            failed.append((step, error))
    return failed


class ScpiActuators(Source, Actuators):
    """Heaters, servos: setpoints that are parameters."""

    def measure(self) -> tuple[FloatArray, FloatArray] | None:
        """Return what the mapped channels measure, volts (n,) and amperes (n,), asked for in one message."""
        volts, amperes = self._config.measure_volts, self._config.measure_amperes
        if volts is None or amperes is None:
            return None
        count = len(self._wiring.all_channels)
        values = self._connection.lists({volts: count, amperes: count}, self._config.separator)
        return values[:count][self._mapped], values[count:][self._mapped]
