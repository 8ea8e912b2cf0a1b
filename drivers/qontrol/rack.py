"""The link to one rack, what it reports by itself, and those who use its channels."""

import re
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from drivers.bench.roles import LinkTable
from drivers.links import Link, LinkFault, LogFile, Patience, WrongInstrument
from drivers.qontrol.commands import PER_MODULE, Form, Quantity, Question, batches
from drivers.qontrol.errors import TRIPS, UNASKED, ErrorLine, Interrupted, RackComplaint, refusal
from drivers.qontrol.finding import transport_to
from drivers.qontrol.link_config import RackLinkConfig
from drivers.qontrol.replies import Answers, Unasked, Words, errors_in, modules_of
from ffzero_lab.device import Clock, FloatArray

BITS_PER_BYTE = 10
LINE_BYTES = 16
"""Of a line of an answer, for the time that it takes on the wire."""
PARKING_SHARE = 0.2
"""Of the time for parking, what one exchange may take of it: a lost reply leaves time to say it again."""


class Rack:
    """One link, the modules behind it, its users, and what they do when it had to be recovered."""

    def __init__(self, table: LinkTable, clock: Clock) -> None:
        config = RackLinkConfig.model_validate(dict(table.settings))
        self._config, self._clock = config, clock
        self.form: Form = config.form
        self.modules: tuple[str, ...] = ()
        self.full: dict[Quantity, float] = {}
        """Full scale in V and in mA."""
        self._users: list[RackUser] = []
        self._count = 0
        self._parking, self._skipped = 0, False
        self._counting = threading.Lock()
        self._recovering = True
        """Whether what is heard is looked after later: the link is being opened or recovered."""
        self._log = None if config.log is None else LogFile(config.log)
        self._patience = Patience(
            deadline_s=config.deadline_s,
            connect_s=config.connect_s,
            quiet_s=config.quiet_s,
            attempts=config.attempts,
            pause_s=config.pause_s,
        )
        self.link = Link(
            transport_to(config.port, config.search, config.baud, clock),
            clock,
            owner=table.name,
            identify=self._identified,
            patience=self._patience,
            on_recovery=self._after_recovery,
            unasked=Unasked(self._hear_unasked),
            log=self._log,
            discarded=self._hear_all,
        )

    @classmethod
    def of(cls, table: LinkTable | None, clock: Clock, name: str) -> "Rack":
        """Return the rack that all instruments on the link *table* share, opened; *name* is for messages."""
        if table is None:
            raise ValueError(f"{name}: give the name of its link, and a table [links.NAME] with the port of the rack")
        rack = table.shared(lambda _: cls(table, clock))
        rack.join()
        return rack

    @property
    def n_channels(self) -> int:
        """Channels of the whole chain, numbered from 0."""
        return PER_MODULE * len(self.modules)

    def join(self) -> None:
        """Count another user; the first opens the link and asks what is there."""
        if self._count == 0:
            self._recovering = True
            self.link.open()
            self._recovering = False
            try:
                self.modules = self._enumerated()
                self._ask_what_they_are()
            except BaseException:
                self.link.close()
                raise
        self._count += 1

    def leave(self, user: "RackUser | None" = None) -> None:
        """Count a user less; the last closes the link."""
        if user in self._users:
            self._users.remove(user)
        self._count -= 1
        if self._count == 0:
            self.link.close()
            if self._log is not None:
                self._log.close()

    def add(self, user: "RackUser") -> None:
        """Let *user* look after its channels from now on."""
        self._users.append(user)

    def tell(self, questions: Sequence[Question]) -> FloatArray:
        """Send what may change something, each message once, and return the numbers (n,) that come back.

        Raises OverLimit, GarbledCommand or RackComplaint for an error line, Interrupted where the rack has reported
        something by itself before everything was sent, else the faults of the link.
        """
        values: list[FloatArray] = []
        for batch in batches(questions, self._config.buffer_bytes):
            message, answers = b"".join([question.message for question in batch]), Answers(batch, self._hear)
            try:
                answered = self.link.exchange(message, answers, self._deadline_s(len(message), answers.n_lines))
            except LinkFault as fault:
                self._hear_all(fault.received)
                raise
            if answered.errors:
                raise refusal([*answered.errors], self.link.resource, message, b"")
            values.append(answered.values)
        return values[0] if len(values) == 1 else np.concatenate(values)

    def ask(self, questions: Sequence[Question]) -> FloatArray:
        """Return the numbers (n,) that answer *questions*, which change nothing; asked again when the link fails."""
        for pause_s in self.link.patience.pauses():
            try:
                return self.tell(questions)
            except (LinkFault, Interrupted) as fault:
                is_final = isinstance(fault, LinkFault) and fault.is_final
                if pause_s is None or is_final or self._recovering:  # a link is not recovered while it is being
                    raise
            self._clock.sleep_s(pause_s)
        raise AssertionError("unreachable: the last attempt raises")

    def tell_blindly(self, questions: Sequence[Question]) -> None:
        """Send *questions* whatever state the link is in, and wait for no answer: for switching off."""
        message = b"".join(question.message for question in questions)
        n_lines = sum(len(question.answers) for question in questions)
        self.link.send_blindly(message, self._deadline_s(len(message), n_lines))

    @contextmanager
    def parking(self, within_s: float) -> Generator[None]:
        """Meanwhile exchanges are in a hurry, and a recovered link is looked after by nobody.

        The safe state is absolute: whatever the rack reports, nothing may come before it. What was skipped is made good
        before the next exchange that parks nothing.
        """
        most_s, usual = PARKING_SHARE * within_s, self._patience
        hurried = Patience(
            deadline_s=min(usual.deadline_s, most_s),
            connect_s=min(usual.connect_s, most_s),
            quiet_s=min(usual.quiet_s, PARKING_SHARE * most_s),
            attempts=1,
            pause_s=usual.pause_s,
        )
        with self._counting:
            self._parking += 1
            self.link.patience = hurried
        try:
            yield
        finally:
            with self._counting:
                self._parking -= 1
                if not self._parking:
                    self.link.patience = usual
                    if self._skipped:
                        self._skipped = False
                        self.link.distrust()

    def _deadline_s(self, n_bytes: int, n_lines: int) -> float:
        """Return the longest time for so much out and back: the deadline, and the time of all bytes on the wire."""
        n_bytes += LINE_BYTES * n_lines
        return self.link.patience.deadline_s + n_bytes * BITS_PER_BYTE / self._config.baud

    def _identified(self, link: Link) -> str:
        """Ask the first module who it is; an error line before its answer is heard."""
        self._recovering = True
        question = b"id?\n"
        identity = link.query(question, Words(bool, self._hear))[0]
        wanted = self._config.identity
        if re.fullmatch(wanted, identity) is None:
            what = f"{identity!r} answers, not {wanted!r}: check the port, or the identity in the bench file"
            raise WrongInstrument(what, resource=link.resource, command=question, received=identity.encode())
        return identity

    def _enumerated(self) -> tuple[str, ...]:
        """Let the chain be numbered from 0, and return its modules."""
        until_ok = Words(lambda line: line == "OK", self._hear)
        self.link.query(b"nup=0\n", until_ok)
        return modules_of(self.link.query(b"nupall?\n", until_ok)[:-1])

    def _ask_what_they_are(self) -> None:
        full_v, full_ma = self.ask([Question(b"vfull?\n", ("V",)), Question(b"ifull?\n", ("mA",))])
        self.full = {"v": float(full_v), "i": float(full_ma)}
        channels = self.link.query(b"nchan?\n", Words(bool, self._hear))[0]
        if channels != str(PER_MODULE):
            raise RackComplaint(
                f"{self.link.resource}: modules of {channels} channels; modules of {PER_MODULE} are known"
            )

    def _after_recovery(self, link: Link) -> None:
        with self._counting:
            if self._parking:
                self._skipped = True
                self._recovering = False
                return
        modules = self._enumerated()
        if self.modules and modules != self.modules:  # none are known while the first questions are asked
            what = f"the chain has become {', '.join(modules)}; it was {', '.join(self.modules)}: check the cables"
            raise WrongInstrument(what, resource=link.resource)
        for user in self._users:
            user.look_after_recovery()
        self._recovering = False

    def _hear(self, error: ErrorLine) -> None:
        for user in self._users:
            user.heard(error)

    def _hear_all(self, received: bytes) -> None:
        """Hear what was said unasked among what is thrown away.

        Over-voltage and over-current may have been answers. Nobody knows; that a channel may have tripped counts.
        """
        for error in errors_in(received):
            if error.code in UNASKED | TRIPS:
                self._hear(error)

    def _hear_unasked(self, error: ErrorLine) -> None:
        """Hear what was said between exchanges; raises Interrupted unless it is looked after later anyway."""
        self._hear(error)
        if not (self._recovering or self._parking):
            raise Interrupted(f"{self.link.resource} reports {error} by itself; nothing more was sent")


class RackUser(Protocol):
    """Who drives channels of a rack."""

    def heard(self, error: ErrorLine) -> None:
        """Take note of what the rack reports by itself, and speak to nobody now."""
        ...

    def look_after_recovery(self) -> None:
        """Find out what became of the channels while the link was out of order, before anything else is sent."""
        ...
