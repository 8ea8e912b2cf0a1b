"""The link to one SCPI instrument, as its ``[links.NAME]`` table describes it, and its error queue."""

import re
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from drivers.bench.roles import LinkTable
from drivers.links import Identity, Link, LinkFault, LogFile, Numbers, Patience, SerialTransport, VisaTransport
from drivers.scpi.commands import Plain, one_message, with_places
from drivers.scpi.replies import Answer, Complaint, Standing
from ffzero_lab.device import BadReply, Clock, DeviceError, FloatArray

LONGEST_QUEUE = 100
QUERY_ERRORS = range(-499, -399)
"""Of replies that nobody fetched (SCPI-99, 21.8.11): they tell of an earlier exchange, when this one was answered."""
POWER_ON = 128
"""Bit of the standard event status register (IEEE 488.2-1992, 11.5.1.1)."""
PARKING_SHARE = 0.2
"""Of the time for parking, what one exchange may take of it: a lost reply leaves time to say it again."""
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
    deadline_s: Seconds = 1.0
    """Longest exchange, from the first byte sent to the last received; in parking 0.2 of its time if shorter."""
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
        """Whether the instrument was switched on since all users looked after it."""
        self._told: list[Complaint] = []
        """What the error queue held when the link was last recovered."""
        self._parking = 0
        self._skipped = False
        """Whether a recovery while parking has looked after nothing."""
        self._counting = threading.Lock()
        self._users = 0
        self._recovered: list[Callable[[Connection], None]] = []
        self._log = None if config.log is None else LogFile(config.log)
        transport = (
            SerialTransport(config.port, baud=config.baud)
            if config.port is not None
            else VisaTransport(str(config.resource), config.visa_library)
        )
        self._patience = Patience(
            deadline_s=config.deadline_s,
            connect_s=config.connect_s,
            attempts=config.attempts,
            pause_s=config.pause_s,
        )
        self.link = Link(
            transport,
            clock,
            owner=table.name,
            identify=Identity(one_message([config.identity_query]), config.identity),
            patience=self._patience,
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
        """Count another user; the first opens the link, and clears away what the instrument tells of earlier users."""
        if self._users == 0:
            self.link.open()
            try:
                self._emptied_queue()
                self._look_for_a_restart()
                self.restarted = False  # nothing was given to it yet
            except BaseException:
                self.link.close()
                raise
        self._users += 1

    def leave(self) -> None:
        """Count a user less; the last closes the link."""
        self._users -= 1
        if self._users == 0:
            self.link.close()
            if self._log is not None:
                self._log.close()

    def command_blindly(self, commands: Sequence[str]) -> None:
        """Send *commands* whatever state the link is in, and wait for no answer: for switching off."""
        self.link.send_blindly(one_message(commands))

    def when_recovered(self, call: Callable[["Connection"], None]) -> None:
        """Let *call* look after the instrument each time the link was recovered, before anything else is sent."""
        self._recovered.append(call)

    @contextmanager
    def parking(self, within_s: float) -> Generator[None]:
        """Meanwhile exchanges are in a hurry, and a recovered link is looked after by nobody.

        The safe state is absolute: whatever the instrument holds or complains of, nothing may come before it. What was
        skipped is made good before the next exchange that parks nothing.
        """
        with self._counting:
            self._parking += 1
            self.link.patience = self._hurried(within_s)
        try:
            yield
        finally:
            with self._counting:
                self._parking -= 1
                if not self._parking:
                    self.link.patience = self._patience
                    if self._skipped:
                        self._skipped = False
                        self.link.distrust()

    def _hurried(self, within_s: float) -> Patience:
        most_s = PARKING_SHARE * within_s
        usual = self._patience
        return Patience(
            deadline_s=min(usual.deadline_s, most_s),
            connect_s=min(usual.connect_s, most_s),
            quiet_s=min(usual.quiet_s, PARKING_SHARE * most_s),
            attempts=1,
            pause_s=usual.pause_s,
        )

    def command(self, commands: Sequence[str]) -> None:
        """Send *commands* once, as one message.

        Raises Complained when the error queue says that something was not done, else the faults of the link.
        """
        if self._error_query is None:
            self.link.write(one_message(commands))
        else:
            self.command_and_read(commands, {}, ",")

    def command_and_read(self, commands: Sequence[str], queries: Mapping[str, int], separator: str) -> FloatArray:
        """Send *commands* once and return what *queries* ask for in the same message, so many numbers each.

        Raises Complained when the error queue says that something was not done, else the faults of the link.
        """
        asked = [*queries] if self._error_query is None else [*queries, self._error_query]
        answer = Answer((*queries.values(),), separator.encode(), complains=self._error_query is not None)
        return self._obeyed(one_message([*commands, *asked]), answer).values

    def numbers(self, query: str, count: int, separator: str = ",") -> FloatArray:
        """Ask for *count* numbers; asked again when the link fails."""
        return self.link.query(one_message([query]), Numbers(count, separator.encode()))

    def lists(self, queries: Mapping[str, int], separator: str) -> FloatArray:
        """Ask for several lists of so many numbers each, in one message; asked again when the link fails."""
        answer = Answer((*queries.values(),), separator.encode(), complains=False)
        return self.link.query(one_message([*queries]), answer).values

    def _obeyed(self, message: bytes, answer: Answer) -> Standing:
        try:
            standing = self.link.exchange(message, answer)
        except LinkFault as fault:
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
            answer = Answer((), b",", complains=True)
            entry = self.link.query(one_message([self._error_query]), answer).complaint
            if entry is None or entry.number == 0:
                break
            entries.append(entry)
        return entries

    def _note_complaints(self, fault: LinkFault) -> None:
        """Add to a fault what the instrument says of it: a message that it did not understand is not answered."""
        if fault.is_final or self._parking:
            return
        self._told = []
        try:
            rest = self._emptied_queue()  # recovers the link first, which has found the entries of this fault
        except DeviceError:
            rest = []  # the fault itself is what is raised
        entries = [entry for entry in (*self._told, *rest) if entry.number not in QUERY_ERRORS]
        if entries:
            fault.add_note(f"{self.link.resource} reports {', '.join(map(str, entries))}")

    def _after_recovery(self, link: Link) -> None:
        del link
        with self._counting:
            if self._parking:
                self._skipped = True
                return
        self._told = [*self._told, *self._emptied_queue()][-LONGEST_QUEUE:]
        self._look_for_a_restart()
        for call in self._recovered:
            call(self)
        self.restarted = False

    def _look_for_a_restart(self) -> None:
        """Ask whether the instrument was switched on since it was asked last.

        Asking clears what it tells: when the answer is lost, it has to be taken for a restart.
        """
        if self._events_query is not None:
            before, self.restarted = self.restarted, True
            self.restarted = before or bool(int(self.numbers(self._events_query, 1)[0]) & POWER_ON)
