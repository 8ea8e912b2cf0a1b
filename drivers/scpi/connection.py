"""The link to one SCPI instrument, as its ``[links.NAME]`` table describes it, and its error queue."""

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from drivers.bench.roles import LinkTable
from drivers.links import Identity, Link, LinkFault, LogFile, Numbers, Patience, SerialTransport, Text, VisaTransport
from drivers.scpi.commands import Plain, one_message, with_places
from drivers.scpi.replies import Answer, Complaint, Standing, complaint
from ffzero_lab.device import BadReply, Clock, DeviceError, FloatArray

LONGEST_QUEUE = 100
QUERY_ERRORS = range(-499, -399)
"""Of replies that nobody fetched (SCPI-99, 21.8.11): they tell of an earlier exchange, when this one was answered."""
POWER_ON = 128
"""Bit of the standard event status register (IEEE 488.2-1992, 11.5.1.1)."""
OrNone = Annotated[str, with_places()]
"""A query, or nothing."""
Seconds = Annotated[float, Field(gt=0.0, le=3600.0, allow_inf_nan=False)]


class Complained(BadReply):
    """The instrument did not do as it was told, and says why."""


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"it is no regular expression: {error}") from None
    return text


class LinkConfig(BaseModel):
    """Keys of ``[links.NAME]``."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    resource: str | None = None
    """VISA resource, such as ``TCPIP::10.0.0.5::5025::SOCKET`` or ``USB0::0x2A8D::0x0101::MY1::INSTR``."""
    visa_library: str = "@py"
    """``@py`` for pyvisa-py, empty for the vendor's library, or the path of one."""
    port: str | None = None
    """Serial port, such as ``/dev/ttyUSB0``, instead of a resource."""
    baud: Annotated[int, Field(ge=300, le=20_000_000)] = 115_200
    """Speed of the serial port, bits per second."""
    identity: Annotated[str, AfterValidator(_pattern)]
    """Regular expression that the whole answer to ``identity_query`` must match; another instrument is refused."""
    identity_query: Plain = "*IDN?"
    """How it is asked who it is."""
    error_query: OrNone = ":SYSTem:ERRor?"
    """How the oldest entry of its error queue is asked for; empty: it has none."""
    events_query: OrNone = "*ESR?"
    """How its event register is asked for, of which bit 128 says that it was switched on; empty: it has none."""
    deadline_s: Seconds = 2.0
    """Longest exchange, from the first byte sent to the last received."""
    connect_s: Seconds = 5.0
    """Longest time to connect."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """How often a reading or a connection is tried."""
    pause_s: Seconds = 0.1
    """Before the second attempt; doubles."""
    log: Path | None = None
    """File to which every exchange is appended."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.resource is None) == (self.port is None):
            raise ValueError("give resource (VISA) or port (serial), one of them")
        return self


class Connection:
    """One link, its users, and what they do when it had to be recovered."""

    def __init__(self, table: LinkTable, clock: Clock) -> None:
        config = LinkConfig.model_validate(dict(table.settings))
        self._error_query = config.error_query or None
        self._events_query = config.events_query or None
        self.restarted = False
        """Whether the instrument was switched on since it was last looked at; new at every recovery."""
        self._users = 0
        self._parking: list[str] = []
        """Names of the instruments that are being parked."""
        self._recovered: list[Callable[[Connection], None]] = []
        self._log = None if config.log is None else LogFile(config.log)
        transport = (
            SerialTransport(config.port, baud=config.baud)
            if config.port is not None
            else VisaTransport(str(config.resource), config.visa_library)
        )
        self.link = Link(
            transport,
            clock,
            owner=table.name,
            identify=Identity(one_message([config.identity_query]), config.identity),
            patience=Patience(
                deadline_s=config.deadline_s,
                connect_s=config.connect_s,
                attempts=config.attempts,
                pause_s=config.pause_s,
            ),
            on_recovery=self._after_recovery,
            log=self._log,
        )

    @classmethod
    def of(cls, table: LinkTable | None, clock: Clock, name: str) -> "Connection":
        """Return the connection that all instruments on the link *table* share, opened; *name* is for messages."""
        if table is None:
            raise ValueError(f"{name}: give the name of its link, and a table [links.NAME]")
        connection = table.shared(lambda _: cls(table, clock))
        connection.join()
        return connection

    def join(self) -> None:
        """Count another user; the first opens the link."""
        if self._users == 0:
            self.link.open()
            self._look_for_a_restart()
        self._users += 1

    def leave(self) -> None:
        """Count a user less; the last closes the link."""
        self._users -= 1
        if self._users == 0:
            self.link.close()
            if self._log is not None:
                self._log.close()

    @contextmanager
    def parking(self, name: str) -> Generator[None]:
        """Let nothing but its identity stand between the instrument *name* and its safe state.

        A link that is recovered meanwhile is looked after later, before the first exchange that comes behind.
        """
        generation = self.link.generation
        self._parking.append(name)
        try:
            yield
        finally:
            self._parking.remove(name)
            if self.link.generation != generation:
                self.link.distrust()

    def command_blindly(self, commands: Sequence[str]) -> None:
        """Send *commands* whatever state the link is in, and wait for no answer: for switching off."""
        self.link.send_blindly(one_message(commands))

    def when_recovered(self, call: Callable[["Connection"], None]) -> None:
        """Let *call* look after the instrument each time the link was recovered, before anything else is sent."""
        self._recovered.append(call)

    def command(self, commands: Sequence[str]) -> None:
        """Send *commands* once, as one message.

        Raises Complained when the error queue says that something was not done, else the faults of the link.
        """
        if self._error_query is None:
            self.link.write(one_message(commands))
        else:
            self._obeyed(one_message([*commands, self._error_query]), Answer(0, b",", complains=True))

    def command_and_read(self, commands: Sequence[str], query: str, count: int, separator: str) -> FloatArray:
        """Send *commands* once and return the *count* numbers that *query* asks for in the same message.

        Raises Complained when the error queue says that something was not done, else the faults of the link.
        """
        queries = [query] if self._error_query is None else [query, self._error_query]
        answer = Answer(count, separator.encode(), complains=self._error_query is not None)
        return self._obeyed(one_message([*commands, *queries]), answer).values

    def numbers(self, query: str, count: int, separator: str = ",") -> FloatArray:
        """Ask for *count* numbers; asked again when the link fails."""
        return self.link.query(one_message([query]), Numbers(count, separator.encode()))

    def text(self, query: str) -> str:
        """Ask for one line; asked again when the link fails."""
        return self.link.query(one_message([query]), Text())

    def _obeyed(self, message: bytes, answer: Answer) -> Standing:
        try:
            standing = self.link.exchange(message, answer)
        except LinkFault as fault:
            if not self._parking:
                self._note_complaints(fault)
            raise
        self._refuse_complaint(standing, message)
        return standing

    def _refuse_complaint(self, standing: Standing, message: bytes) -> None:
        first = standing.complaint
        if first is None or first.number == 0:
            return
        entries = [entry for entry in (first, *self._emptied_queue()) if entry.number not in QUERY_ERRORS]
        if entries:
            raise Complained(
                f"{self.link.resource}: after {message[:80]!r} the instrument reports {', '.join(map(str, entries))}"
            )

    def _emptied_queue(self) -> list[Complaint]:
        entries: list[Complaint] = []
        while self._error_query is not None and len(entries) < LONGEST_QUEUE:
            entry = complaint(self.text(self._error_query))
            if entry.number == 0:
                break
            entries.append(entry)
        return entries

    def _note_complaints(self, fault: LinkFault) -> None:
        """Add to a fault what the instrument says of it: a message that it did not understand is not answered."""
        if fault.is_final:
            return
        try:
            entries = self._emptied_queue()
        except (DeviceError, ValueError):
            return  # the fault itself is what is raised
        if entries:
            fault.add_note(f"{self.link.resource} reports {', '.join(map(str, entries))}")

    def _after_recovery(self, link: Link) -> None:
        del link
        if self._parking:
            return
        self._emptied_queue()  # what it says is of the exchange that failed, whose outcome is read back
        self._look_for_a_restart()
        for call in self._recovered:
            call(self)

    def _look_for_a_restart(self) -> None:
        """Ask whether the instrument was switched on since it was asked last."""
        if self._events_query is not None:
            self.restarted = bool(int(self.numbers(self._events_query, 1)[0]) & POWER_ON)


def link_settings(table: Mapping[str, Any]) -> LinkConfig:
    """Return the checked keys of a link's table."""
    return LinkConfig.model_validate(dict(table))
