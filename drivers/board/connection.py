"""The link to a board: requests with numbers that may be repeated, recovery, restarts, and who parks meanwhile."""

import contextlib
import secrets
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from drivers.board import requests
from drivers.board.config import BoardConfig
from drivers.board.frames import LAST_SEQUENCE, Type, encoded, size_of
from drivers.board.messages import Codes, Entry, ErrorCode, Hello, LogPart, Refusal, What
from drivers.board.replies import Answer, Events, Greeting, Readings
from drivers.links import Link, LinkFault, LogFile, Patience, Reply, SerialTransport, WrongInstrument
from ffzero_lab.device import BadReply, Clock, DeviceError, LimitViolation, LinkLost, StagingLost

T = TypeVar("T")

BITS_PER_BYTE = 10
WIRE_SLACK = 1.5
"""How many times its bare time on the line an exchange is given beside its deadline."""
PARKING_SHARE = 0.1
"""Of the time for parking, what one exchange may take of it."""
PARKING_ATTEMPTS = 3


class Refused(BadReply):
    """The board did not carry out a request, and says why."""


class Connection:
    """Asks one board.

    A request that got lost is sent again with its number: the board does not carry it out twice. *lost* is called when
    the board has lost what it was given, before StagingLost is raised; on recovery before others can speak to it.
    *standing* is called when a link was recovered, to hold the setpoints against what was written.
    """

    def __init__(
        self,
        config: BoardConfig,
        clock: Clock,
        *,
        lost: Callable[[], None],
        standing: Callable[["Connection"], None],
    ) -> None:
        self._config = config
        self._clock = clock
        self._lost = lost
        self._standing = standing
        self._sequence = secrets.randbelow(LAST_SEQUENCE)
        self._acted_sequence = 0
        """Of the last request that acted: the board would answer it once more, so no other has its number."""
        self._counting = threading.Lock()
        self._turn = threading.RLock()
        """Held for one attempt of any request, so that nobody's deadline passes while others recover the link, and for
        parking: nothing is repeated behind it."""
        self._parkings = 0
        self._is_parking = False
        self._is_recovering = False
        self._skipped = False
        """Whether a recovery while parking has looked after nothing."""
        self._log = None if config.log is None else LogFile(config.log)
        self._known: Hello | None = None
        self._is_used = False
        """Whether the board may have been given something that it can lose."""
        self._greeting: Hello | None = None
        self.used_s = clock.now_s()
        """When the board was last spoken to."""
        self._patience = Patience(
            deadline_s=config.deadline_s, quiet_s=config.quiet_s, attempts=config.attempts, pause_s=config.pause_s
        )
        self.link = Link(
            SerialTransport(config.port, baud=config.baud),
            clock,
            owner=config.name,
            identify=self._identify,
            patience=self._patience,
            on_recovery=self._after_recovery,
            unasked=Events(self._heard),
            log=self._log,
        )

    @property
    def hello(self) -> Hello:
        """What the board said of itself when it was last known to be as it was left."""
        if self._known is None:
            raise LinkLost(f"{self._config.name} is not open; open it first")
        return self._known

    def open(self) -> None:
        """Connect and greet; moves nothing. Raises WrongInstrument for another board, or the faults of the link."""
        self.link.open()
        self._known = self._greeting

    def watch_for_restarts(self) -> None:
        """Raise StagingLost from now on when the board loses what it was given."""
        self._is_used = True

    def close(self) -> None:
        """Let the port go; the board stands as it is."""
        self.link.close()
        if self._log is not None:
            self._log.close()

    def ask(self, kind: Type, payload: bytes = b"", length: int | None = None) -> bytes:
        """Ask what changes nothing; returns the payload of the answer, of *length* bytes if given."""
        sequence = self._next()
        answer_bytes = size_of(self.hello.payload_max if length is None else length)
        deadline_s = self._deadline_s(len(payload), answer_bytes)
        reply = partial(Answer, kind, sequence, length, self._heard)  # a new one for each attempt
        return self._granted(kind, self._asked(encoded(kind, sequence, payload), reply, deadline_s))

    def act(self, kind: Type, payload: bytes, takes_s: float = 0.0) -> None:
        """Let the board do something that takes *takes_s* seconds, once, however often it has to be asked."""
        sequence = self._next(acts=True)
        deadline_s = self._deadline_s(len(payload), size_of(0)) + WIRE_SLACK * takes_s
        reply = partial(Answer, kind, sequence, 0, self._heard)
        self._granted(kind, self._acted(encoded(kind, sequence, payload), reply, deadline_s))

    def measure(self, kind: Type, payload: bytes, count: int, takes_s: float) -> Codes:
        """Let the board measure *count* readings, which takes *takes_s* seconds beside the time on the line."""
        sequence = self._next(acts=True)
        reply = partial(Readings, kind, sequence, count, self._heard)
        deadline_s = self._deadline_s(len(payload), 2 * count + size_of(4)) + WIRE_SLACK * takes_s
        return self._granted(kind, self._acted(encoded(kind, sequence, payload), reply, deadline_s))

    def log_from(self, first: int) -> LogPart:
        """Read the board's log from entry *first* on, as much as one answer holds."""
        return LogPart.decoded(self.ask(Type.LOG, requests.log(first)))

    def beat(self) -> None:
        """Tell the board that its host is alive; raises StagingLost when it has lost what it was given."""
        self.ask(Type.HEARTBEAT, length=0)

    @contextmanager
    def parking(self) -> Generator[None]:
        """Meanwhile nothing is repeated or looked after, and every exchange is in a hurry."""
        usual, most_s = self._patience, PARKING_SHARE * self._config.park_s
        self._parkings += 1
        self.link.patience = Patience(  # what is under way is in a hurry as well
            deadline_s=min(usual.deadline_s, most_s),
            quiet_s=usual.quiet_s,
            attempts=PARKING_ATTEMPTS,
            pause_s=min(usual.pause_s, most_s / PARKING_ATTEMPTS),
        )
        with self._turn:
            self._is_parking = True
            try:
                yield
            finally:
                self._is_parking, self.link.patience = False, usual
                if self._skipped:
                    self._skipped = False
                    self.link.distrust()

    def park(self) -> None:
        """Have everything brought to its safe code; only while `parking`. The last attempt asks for no answer."""
        sequence, within_s = self._next(), self.link.patience.deadline_s
        message = encoded(Type.PARK, sequence)
        reply = partial(Answer, Type.PARK, sequence, 0, self._heard)
        try:
            self._granted(Type.PARK, self._asked(message, reply, within_s))
        except DeviceError:
            with contextlib.suppress(DeviceError):  # the first error is what is raised
                self.link.send_blindly(message)
            raise

    def _next(self, *, acts: bool = False) -> int:
        with self._counting:
            self._sequence = self._sequence % LAST_SEQUENCE + 1
            if self._sequence == self._acted_sequence:
                self._sequence = self._sequence % LAST_SEQUENCE + 1
            if acts:
                self._acted_sequence = self._sequence
            return self._sequence

    def _deadline_s(self, request_bytes: int, answer_bytes: int) -> float:
        on_the_line_s = BITS_PER_BYTE * (size_of(request_bytes) + answer_bytes) / self._config.baud
        return self.link.patience.deadline_s + WIRE_SLACK * on_the_line_s

    def _asked(self, message: bytes, reply: Callable[[], Reply[T]], deadline_s: float) -> T:
        for pause_s in self.link.patience.pauses():
            with self._turn:
                try:
                    return self._exchanged(message, reply(), deadline_s)
                except LinkFault as fault:
                    if pause_s is None or fault.is_final:
                        raise
            self._clock.sleep_s(pause_s)
        raise AssertionError("unreachable: the last attempt raises")

    def _acted(self, message: bytes, reply: Callable[[], Reply[T]], deadline_s: float) -> T:
        before = self._parkings
        for pause_s in self._patience.pauses():
            with self._turn:
                if self._parkings != before:
                    raise LinkLost(f"{self._config.name} was parked meanwhile; what was asked for is not done again")
                try:
                    return self._exchanged(message, reply(), deadline_s)
                except LinkFault as fault:
                    if pause_s is None or fault.is_final:
                        raise
            self._clock.sleep_s(pause_s)
        raise AssertionError("unreachable: the last attempt raises")

    def _exchanged(self, message: bytes, reply: Reply[T], deadline_s: float) -> T:
        value = self.link.exchange(message, reply, deadline_s)
        self.used_s = self._clock.now_s()
        return value

    def _granted(self, kind: Type, answer: T | Refusal) -> T:
        """Return what was answered; raises an error of the device for a refusal."""
        if not isinstance(answer, Refusal):
            return answer
        says = f"{self.link.resource}: {self._config.name} refuses {kind.name}: {answer}"
        match answer.code:
            case ErrorCode.NOT_GREETED | ErrorCode.WATCHDOG:
                self.link.distrust()
                if not (self._is_parking or self._is_recovering or kind is Type.HEARTBEAT):
                    self.beat()  # recovers the link first, which raises StagingLost and says why
                self._lost()
                raise StagingLost(says)
            case ErrorCode.NOT_STAGED:
                raise StagingLost(says)
            case ErrorCode.OUT_OF_LIMITS | ErrorCode.POWER:
                raise LimitViolation(f"{says}; nothing was moved: let the bench file say what the board allows")
            case _:
                raise Refused(says)

    def _identify(self, link: Link) -> str:
        nonce = secrets.randbits(32)
        sequence = self._next()
        message = encoded(Type.HELLO, sequence, requests.hello(nonce))
        hello = link.query(message, Greeting(sequence, nonce), self._deadline_s(8, 2_048))
        if isinstance(hello, Refusal):
            what = f"a board answers that speaks version {hello.lowest} to {hello.highest} of the protocol"
            raise WrongInstrument(what, resource=link.resource, command=message)
        if hello.serial_number != self._config.serial_number:
            what = f"{hello.serial_number} answers, not {self._config.serial_number}: check port and bench file"
            raise WrongInstrument(what, resource=link.resource, command=message)
        self._greeting = hello
        return f"board {hello.serial_number}, firmware {hello.firmware_version}"

    def _after_recovery(self, link: Link) -> None:
        """Raise StagingLost when the board is not as it was left."""
        before, now = self.hello, self._greeting
        if self._is_parking or now is None:
            self._skipped = True
            return
        self._known = now
        if not self._is_used:
            return
        if now.first_nonce != before.first_nonce:
            self._lost()
            what = "has restarted: its setpoints and patterns are lost"
        elif now.watchdog_parks != before.watchdog_parks:
            self._lost()
            what = f"heard nothing for {now.watchdog_ms} ms and has parked itself: its setpoints are safe"
        else:
            self._is_recovering = True
            try:
                self._standing(self)
            finally:
                self._is_recovering = False
            return
        raise StagingLost(f"{link.resource}: {self._config.name} {what}")

    def _heard(self, entry: Entry) -> None:
        if entry.what in (What.BOOT, What.WATCHDOG_PARKED):
            self.link.distrust()
