"""Instruments that hold setpoints: heater drivers as actuators, modulators as inputs."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from drivers.bench.roles import Actuators, Instrument, Wiring
from drivers.links import LinkFault, WrongInstrument
from drivers.scpi.commands import NumberFormat, OfChannel, Plain, SetAll, SetOne, written
from drivers.scpi.connection import Connection
from ffzero_lab.device import BadReply, Clock, FloatArray, StagingLost

T = TypeVar("T")


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
    """Switches the outputs on; sent behind the setpoints. None: there is no switch."""
    output_off: Plain | None = None
    """Switches the outputs off, for parking."""
    prepare: tuple[Plain, ...] = ()
    """Sent when the instrument is opened, and after every recovery; must energise nothing."""
    number: NumberFormat | None = None
    """Format of a setpoint, such as ``.5f``; None: as many digits as it has."""
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """Between the numbers of a list."""
    read_back_within: Annotated[float, Field(ge=0.0, le=0.1, allow_inf_nan=False)] = 1e-6
    """Share of the range by which a setpoint that is read back may differ from what was written."""
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """How often setpoints are written, each time after the link was recovered and the setpoints were read back."""

    @model_validator(mode="after")
    def _can_be_set_and_believed(self) -> Self:
        if (self.set_list is None) == (self.set_one is None):
            raise ValueError("give set_list or set_one, one of them")
        if self.read_list is None and self.read_one is None:
            raise ValueError("give read_list or read_one: what cannot be read back is not known after a fault")
        return self


class Source(Instrument):
    """A source: every setting is one message that also reads the setpoints back.

    Nothing is written blindly a second time: after a fault the link is recovered and the setpoints are read back, and
    only what is known not to be as wanted is written again, as absolute setpoints.
    """

    Config: ClassVar[type[Any]] = SourceConfig
    remembers: ClassVar[bool] = False
    """Whether it is given more than setpoints, which a restart loses."""

    def __init__(self, config: SourceConfig, wiring: Wiring, connection: Connection) -> None:
        self._config, self._wiring, self._connection = config, wiring, connection
        self._mapped = np.searchsorted(wiring.all_channels, wiring.channels)
        self._tolerance = config.read_back_within * (wiring.upper - wiring.lower)
        self._known: list[FloatArray] = []
        """Setpoints (all channels,) that the instrument may have: the last confirmed ones, and those on their way."""
        self._restarted: str | None = None
        self._parking = False
        connection.when_recovered(self._look_after_recovery)

    @classmethod
    def open(cls, config: Any, wiring: Wiring, clock: Clock) -> Self:
        """Connect to the instrument and recognise it; its outputs stay as they are."""
        if list(wiring.all_channels) != sorted(wiring.all_channels):
            raise ValueError(f"{wiring.name}: list channels in rising order")
        connection = Connection.of(wiring.link, clock, wiring.name)
        try:
            if config.prepare:
                connection.command(config.prepare)
            return cls(config, wiring, connection)
        except BaseException:
            connection.leave()
            raise

    def identify(self) -> str:
        """Return what the instrument answered when it was connected."""
        return self._connection.link.identity or ""

    def park(self) -> None:
        """Switch the outputs off, and bring the setpoints of all channels, mapped or not, to the safe value.

        An instrument of which nobody knows what it last understood is told so at once, before it is asked anything, and
        one that does not confirm it is told once more at the end: whatever is wrong with its answers keeps no light on.
        """
        safe = np.full(len(self._wiring.all_channels), self._wiring.safe)
        off = [self._config.output_off] if self._config.output_off else []
        self._parking = True
        try:
            with self._connection.parking(self._wiring.name):
                if self._connection.link.tainted:
                    with contextlib.suppress(LinkFault):
                        self._connection.command_blindly([*off, *self._setting(safe)])
                self._bring_to(safe, off, [])
            if not self.remembers:
                self._restarted = None  # nothing was lost that is not written anew
        except WrongInstrument:
            raise
        except (LinkFault, BadReply) as fault:
            try:
                self._connection.command_blindly([*off, *self._setting(safe)])
                fault.add_note(f"{self._wiring.name} was told to go to its safe state, and did not confirm it")
            except LinkFault as second:
                fault.add_note(f"{self._wiring.name} could not be told either: {second}")
            raise
        finally:
            self._parking = False

    def close(self) -> None:
        """Let the link go."""
        self._connection.leave()

    def write(self, values: FloatArray) -> None:
        """Set the mapped channels (n,), those that are not mapped to the safe value, and switch on."""
        self._bring_to(self._of_all_channels(values), [], self._switching_on)

    def read_back(self) -> FloatArray:
        """Return the setpoints (n,) of the mapped channels as the instrument reports them."""
        standing = self._asked()
        self._raise_if_restarted()
        return standing[self._mapped]

    @property
    def _switching_on(self) -> list[str]:
        return [self._config.output_on] if self._config.output_on else []

    def _of_all_channels(self, values: FloatArray) -> FloatArray:
        """Return *values* (n,) of the mapped channels among the safe values of the others, (all channels,)."""
        setpoints = np.full(len(self._wiring.all_channels), self._wiring.safe)
        setpoints[self._mapped] = values
        return setpoints

    def _bring_to(self, wanted: FloatArray, before: Sequence[str], behind: Sequence[str]) -> None:
        """Write *wanted* (all channels,) between other commands until it is read back, in a bounded number of tries."""
        commands = [*before, *self._setting(wanted), *behind]
        seen = self._confirmed(commands, wanted)
        for _ in range(self._config.attempts - 1):
            if not self._differing(seen, wanted).size:
                break
            seen = self._confirmed(commands, wanted)
        wrong = self._differing(seen, wanted)
        if wrong.size:
            index, unit = int(wrong[0]), self._wiring.unit
            raise BadReply(
                f"{self._wiring.name}, channel {self._wiring.all_channels[index]}: {wanted[index]:.6g} {unit} was "
                f"written {self._config.attempts} times, {seen[index]:.6g} is read back ({wrong.size} such channels)"
            )

    def _confirmed(self, commands: Sequence[str], wanted: FloatArray) -> FloatArray:
        """Send *commands* that bring the setpoints to *wanted*, and return those (all channels,) that are read back."""
        self._raise_if_restarted()
        self._known = [*self._known[-1:], wanted]
        seen = self._insistent(lambda: self._sent(commands))
        if not self._differing(seen, wanted).size:
            self._known = [wanted]
        return seen

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
                if not self._parking:
                    self._asked()
                    self._raise_if_restarted()
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

    def _sent(self, commands: Sequence[str]) -> FloatArray:
        read_list = self._config.read_list
        if read_list is None:
            self._connection.command(commands)
            return self._asked()
        return self._connection.command_and_read(
            commands, read_list, len(self._wiring.all_channels), self._config.separator
        )

    def _asked(self) -> FloatArray:
        """Return the setpoints (all channels,) as the instrument reports them."""
        config, channels = self._config, self._wiring.all_channels
        if config.read_list is not None:
            return self._connection.numbers(config.read_list, len(channels), config.separator)
        query = str(config.read_one)
        return np.array([self._connection.numbers(query.format(channel=n), 1)[0] for n in channels])

    def _look_after_recovery(self, connection: Connection) -> None:
        """Find out whether the instrument still holds what it was given; what it lost is raised by the next call."""
        if self._config.prepare:
            connection.command(self._config.prepare)
        standing = self._asked()
        held = any(not self._differing(standing, known).size for known in self._known)
        if connection.restarted:
            self._restarted = f"{self._wiring.name} has restarted, and lost what it was given"
        elif self._known and not held:
            self._restarted = (
                f"{self._wiring.name} does not hold its setpoints any more (channel {self._wiring.all_channels[0]} "
                f"reads {standing[0]:.6g} {self._wiring.unit}): somebody else has set it, or a list was cut short"
            )

    def _raise_if_restarted(self) -> None:
        """Raise StagingLost, once, when the instrument has lost what it was given; parking is told nothing."""
        if self._parking:
            return
        lost, self._restarted = self._restarted, None
        if lost is not None:
            self._known = []
            self._forget()
            raise StagingLost(lost)

    def _forget(self) -> None:
        """Forget what else the instrument was given."""


class ScpiActuators(Source, Actuators):
    """Heaters, servos: setpoints that are parameters."""
