"""A link to one instrument: one owner, one exchange at a time, and no trust after an exchange that did not end well."""

import contextlib
import math
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from drivers.links.errors import ConnectionLost, ExchangeTimeout, LinkFault, WrongInstrument
from drivers.links.log import Exchange
from drivers.links.owners import claim, release
from drivers.links.patience import Patience
from drivers.links.replies import Nothing, Reply
from drivers.links.transport import Transport
from drivers.links.wire import Wire
from ffzero_lab.device import Clock, LinkTally

T = TypeVar("T")

DEFAULT_PATIENCE = Patience()
LATENCY_OVER = 100
"""Exchanges over which the latency is averaged, the newest weighing most."""


class Link:
    """Exchanges messages with the instrument at the other end of *transport*.

    An exchange that ends in any other way than with a complete, expected reply leaves the link tainted, whatever the
    reason (a timeout, a bad reply, Ctrl-C): a reply may still be on its way and would be taken for the next one. Before
    the next exchange the link then reopens the connection or waits for silence, verifies the identity and calls
    *on_recovery*, in this order, and the exchange is only sent if all of that went well.

    Parameters
    ----------
    transport
        The way to the instrument; the link opens and closes it.
    clock
        Deadlines and pauses are measured on it.
    owner
        Who uses the link, for messages.
    identify
        Asks the instrument who it is, through the link it is given, and returns it; raises WrongInstrument
        (see :class:`~drivers.links.Identity`). A recovered link must find the same identity again.
    patience
        Deadlines, attempts and pauses.
    on_recovery
        Called after every recovery, before anything else is exchanged: what was written in an exchange that failed, or
        before an instrument restarted, is unknown, so read the setpoints back here. While it raises, the link stays
        tainted; a driver that parks lets it return at once.
    unasked
        The form of what the instrument may send between replies, and its reader; None where it never does.
    log
        Told of every exchange.
    discarded
        Told of what came while the link waited for silence, which is thrown away: among it may be something unasked.
    """

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        *,
        owner: str,
        identify: Callable[["Link"], str],
        patience: Patience = DEFAULT_PATIENCE,
        on_recovery: Callable[["Link"], None] | None = None,
        unasked: Reply[object] | None = None,
        log: Callable[[Exchange], None] | None = None,
        discarded: Callable[[bytes], None] | None = None,
    ) -> None:
        self.owner = owner
        self._discarded = discarded
        self._transport = transport
        self._clock = clock
        self._identify = identify
        self.patience = patience
        """Counts from the next exchange on when it is replaced: parking is in a hurry."""
        self._on_recovery = on_recovery
        self._wire = Wire(transport.resource, clock, owner, unasked, log)
        self._lock = threading.RLock()
        self._is_open = False
        self._tainted = True
        self._distrusted = False
        self._restorer: int | None = None
        self._identity: str | None = None
        self._generation = 0
        self._exchanges = self._retries = 0
        self._latency_s = self._slowest_s = 0.0

    @property
    def resource(self) -> str:
        """The address of the instrument."""
        return self._transport.resource

    @property
    def identity(self) -> str | None:
        """What the instrument said it is, None before the link was opened."""
        return self._identity

    @property
    def generation(self) -> int:
        """How often the link was opened or recovered; what was written in an earlier generation has to be read back."""
        return self._generation

    @property
    def tally(self) -> LinkTally:
        """What the link has seen since it was made; any thread may ask."""
        return LinkTally(self._exchanges, self._retries, max(0, self._generation - 1), self._latency_s, self._slowest_s)

    @property
    def tainted(self) -> bool:
        """Whether the next exchange has to recover the link first."""
        return self._tainted or self._distrusted

    def distrust(self) -> None:
        """Let the next exchange recover the link first; may be called while another exchange is under way."""
        self._distrusted = True

    def open(self) -> None:
        """Connect and identify, in a bounded number of attempts; the link belongs to its owner until closed.

        Raises LinkInUse when somebody else in this process owns the resource, WrongInstrument, or what kept the last
        attempt from succeeding.
        """
        claim(self.resource, self.owner, self)
        try:
            with self._lock:
                self._is_open = True
                self._restore()
        except BaseException:
            self.close()
            raise

    def write(self, message: bytes, deadline_s: float | None = None) -> None:
        """Send *message*, once. Nothing tells whether the instrument obeyed; where it can, use :meth:`exchange`."""
        self.exchange(message, Nothing(), deadline_s)

    def exchange(self, message: bytes, reply: Reply[T], deadline_s: float | None = None) -> T:
        """Send *message*, once, and return what the reply says: for messages that change something.

        Raises ExchangeTimeout, ConnectionLost, ReplyRefused, or an error of the driver's own from *reply*.
        """
        deadline_s = self.patience.deadline_s if deadline_s is None else deadline_s
        if not 0.0 < deadline_s < math.inf:
            raise ValueError(f"deadline_s = {deadline_s}: give a finite number above 0")
        if not (self._lock.acquire(blocking=False) or self._lock.acquire(timeout=deadline_s)):
            what = f"the link was busy with another exchange of {self.owner} for the whole deadline"
            raise ExchangeTimeout(what, resource=self.resource, command=message, elapsed_s=deadline_s)
        try:
            if not self._is_open:
                fault = ConnectionLost("the link is not open; open it first", resource=self.resource, command=message)
                fault.is_final = True
                raise fault
            if self._restorer is not None:
                return self._wire.exchange(message, reply, deadline_s)
            if self.tainted:
                self._restore()
            self._tainted = True  # until it has ended well: no way out of here can forget it
            began_s = self._clock.now_s()
            value = self._wire.exchange(message, reply, deadline_s)
            self._tainted = False
            self._took(self._clock.now_s() - began_s)
            return value
        finally:
            self._lock.release()

    def query(self, message: bytes, reply: Reply[T], deadline_s: float | None = None) -> T:
        """Like :meth:`exchange`, for messages that change nothing: after a fault the link recovers and asks again."""
        for pause_s in self.patience.pauses():
            try:
                return self.exchange(message, reply, deadline_s)
            except LinkFault as fault:
                if pause_s is None or fault.is_final or self._restorer == threading.get_ident():
                    raise
            self._retries += 1
            self._clock.sleep_s(pause_s)
        raise AssertionError("unreachable: the last attempt raises")

    def send_blindly(self, message: bytes, deadline_s: float | None = None) -> None:
        """Send *message* whatever state the link is in, and wait for no answer; the link is tainted afterwards.

        For switching off, and nothing else: over a new connection where closing the old one discards what is on its
        way, without asking who listens there. Raises ConnectionLost or ExchangeTimeout when it cannot be sent.
        """
        deadline_s = self.patience.deadline_s if deadline_s is None else deadline_s
        if not self._lock.acquire(timeout=deadline_s):
            what = f"the link was busy with another exchange of {self.owner} for the whole deadline"
            raise ExchangeTimeout(what, resource=self.resource, command=message, elapsed_s=deadline_s)
        try:
            if not self._is_open:
                raise ConnectionLost("the link is not open; open it first", resource=self.resource, command=message)
            self._tainted = True
            self._connect()
            if not self._wire.stream.closing_discards:
                with contextlib.suppress(LinkFault):
                    self._wire.drain(self.patience.quiet_s)
            self._wire.exchange(message, Nothing(), deadline_s)
        finally:
            self._lock.release()

    def close(self) -> None:
        """Release the resource; calling it again does nothing. Outputs stay as they are: park before."""
        with self._lock:
            self._is_open = self._wire.is_connected = False
            self._tainted = True
            self._identity = None
            try:
                self._transport.close()
            finally:
                release(self.resource, self)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _took(self, elapsed_s: float) -> None:
        """Count an exchange that ended well."""
        self._exchanges += 1
        self._latency_s += (elapsed_s - self._latency_s) / min(LATENCY_OVER, self._exchanges)
        self._slowest_s = max(self._slowest_s, elapsed_s)

    def _restore(self) -> None:
        """Bring the link into a known state, in a bounded number of attempts."""
        self._restorer = threading.get_ident()
        self._tainted, self._distrusted = True, False
        try:
            for pause_s in self.patience.pauses():
                try:
                    self._connect()
                    self._verify()
                    if self._generation and self._on_recovery is not None:
                        self._on_recovery(self)
                    break
                except LinkFault as fault:
                    if pause_s is None:
                        fault.is_final = True
                        raise
                self._clock.sleep_s(pause_s)
        finally:
            self._restorer = None
        self._generation += 1
        self._tainted = False

    def _connect(self) -> None:
        """Make a connection on which nothing is on its way."""
        if self._wire.is_connected and not self._wire.stream.closing_discards:
            return
        self._wire.is_connected = False
        began_s = self._clock.now_s()
        try:
            self._transport.close()
            self._wire.connect(self._transport.open(self.patience.connect_s))
        except OSError as error:
            what = f"no connection: {error}; is the instrument on, and the address right?"
            elapsed_s = self._clock.now_s() - began_s
            raise ConnectionLost(what, resource=self.resource, elapsed_s=elapsed_s) from error

    def _verify(self) -> None:
        """Make sure that the expected instrument answers, and in step."""
        if not self._wire.stream.closing_discards:
            late = self._wire.drain(self.patience.quiet_s)
            if late and self._discarded is not None:
                self._discarded(late)
        identity = self._identify(self)
        if not self._wire.stream.closing_discards:
            self._wire.expect_silence(self.patience.quiet_s)
        if self._identity not in (None, identity):
            what = f"{identity!r} answers where {self._identity!r} did; connect that one again, or open the link anew"
            raise WrongInstrument(what, resource=self.resource, received=identity.encode())
        self._identity = identity
