"""One exchange on an open connection: total deadline, nothing unasked, a complete reply and no more than that."""

import warnings
from collections.abc import Callable
from typing import TypeVar

from drivers.links.errors import ConnectionLost, ExchangeTimeout, LinkFault, ReplyRefused
from drivers.links.log import Exchange
from drivers.links.replies import Reply
from drivers.links.transport import Stream
from ffzero_lab.device import Clock

T = TypeVar("T")

_CHUNK_BYTES = 65_536
_SILENCE_WITHIN = 5
"""How many times the silence that is asked for is waited for."""


class _Overdue(Exception):
    """The total deadline has passed."""


class Wire:
    """Carries out exchanges, one after the other; knows neither locks nor recovery nor retries.

    Attributes
    ----------
    stream
        The connection.
    is_connected
        Whether there is one, as far as is known.
    """

    stream: Stream
    is_connected = False

    def __init__(
        self,
        resource: str,
        clock: Clock,
        owner: str,
        unasked: Reply[object] | None,
        log: Callable[[Exchange], None] | None,
    ) -> None:
        self._resource = resource
        self._clock = clock
        self._owner = owner
        self._unasked = unasked
        self._log = log

    def connect(self, stream: Stream) -> None:
        """Exchange over *stream* from now on."""
        self.stream = stream
        self.is_connected = True

    def exchange(self, message: bytes, reply: Reply[T], deadline_s: float) -> T:
        """Send *message* and return what the *reply* says.

        Raises
        ------
        ExchangeTimeout
            When not everything was sent and received within *deadline_s* seconds, however many bytes dribble in.
        ReplyRefused
            When bytes had come that nobody asked for, and when the reply is too long or not what *reply* reads.
        ConnectionLost
            When the connection broke.
        """
        began_s = self._clock.now_s()
        until_s = began_s + deadline_s
        received = b""
        fault: BaseException | None = None
        try:
            received = self.stream.receive(_CHUNK_BYTES, 0.0)
            if received:
                received = self._heed(received, until_s)
            rest = message
            while rest:
                rest = rest[self.stream.send(rest, self._left_s(until_s)) :]
            while (end := reply.end(received)) is None:
                room = reply.limit_bytes - len(received)
                if room <= 0:
                    raise ValueError(f"no end of the reply within {reply.limit_bytes} bytes")
                received += self.stream.receive(room, self._left_s(until_s))
            if end != len(received):
                self._heed(received[end:], until_s)
            return reply.read(received[:end])
        except BaseException as error:
            fault = self._explained(error, message, received, began_s, deadline_s)
            if fault is error:
                raise
            raise fault from error
        finally:
            if self._log is not None:
                self._note(message, received, began_s, fault)

    def drain(self, quiet_s: float) -> bytes:
        """Discard what comes until nothing came for *quiet_s* seconds, and return it.

        An instrument that speaks unasked may never be silent, least of all in trouble, when it has to be parked: what
        it says later is judged by its form. All others have to fall silent: raises ReplyRefused where they do not, and
        ConnectionLost when the connection broke.
        """
        began_s = self._clock.now_s()
        drained = b""
        try:
            while chunk := self.stream.receive(_CHUNK_BYTES, quiet_s):
                drained = (drained + chunk)[-_CHUNK_BYTES:]
                if not self._clock.now_s() - began_s < _SILENCE_WITHIN * quiet_s:
                    if self._unasked is not None:
                        break
                    raise ValueError("it does not fall silent; is something else sending on this line?")
        except (OSError, ValueError) as error:
            raise self._explained(error, b"", drained, began_s, quiet_s) from error
        if drained and self._log is not None:
            self._note(b"", drained, began_s, None)
        return drained

    def expect_silence(self, quiet_s: float) -> None:
        """Wait for *quiet_s* seconds of silence; raises ReplyRefused when something else comes than the unasked."""
        began_s = self._clock.now_s()
        late = self.drain(quiet_s)
        try:
            self._heed(late, self._clock.now_s() + quiet_s)
        except (OSError, ValueError, _Overdue) as error:
            raise self._explained(error, b"", late, began_s, quiet_s) from error

    def _heed(self, received: bytes, until_s: float) -> bytes:
        """Take in what came unasked, to its end; without a form for it, it can only be a late reply, or a second."""
        if not received:
            return received
        if self._unasked is None:
            raise ValueError(f"{len(received)} bytes came that nobody asked for: a late reply?")
        while received:
            while (end := self._unasked.end(received)) is None:
                if len(received) >= self._unasked.limit_bytes:
                    raise ValueError("something unasked that does not end")
                received += self.stream.receive(_CHUNK_BYTES, self._left_s(until_s))
            self._unasked.read(received[:end])
            received = received[end:]
        return received

    def _left_s(self, until_s: float) -> float:
        left_s = until_s - self._clock.now_s()
        if not left_s > 0.0:
            raise _Overdue
        return left_s

    def _explained(
        self, error: BaseException, message: bytes, received: bytes, began_s: float, deadline_s: float
    ) -> BaseException:
        """Return *error* as the fault of a link where it is one: with resource, command, elapsed time and bytes."""
        kind: type[LinkFault]
        if isinstance(error, _Overdue):
            kind, what = (
                ExchangeTimeout,
                f"not done within {deadline_s:.3f} s; is the instrument on, and the deadline enough?",
            )
        elif isinstance(error, OSError):
            self.is_connected = False
            kind, what = ConnectionLost, f"the connection broke: {error}"
        elif isinstance(error, ValueError):
            kind, what = ReplyRefused, f"reply refused: {error}"
        else:
            return error
        return kind(
            what,
            resource=self._resource,
            command=message,
            received=received,
            elapsed_s=self._clock.now_s() - began_s,
        )

    def _note(self, message: bytes, received: bytes, began_s: float, fault: BaseException | None) -> None:
        resource = self._resource
        elapsed_s = self._clock.now_s() - began_s
        told = None if fault is None else f"{type(fault).__name__}: {fault}"
        exchange = Exchange(resource, self._owner, began_s, elapsed_s, message, received, told)
        log, self._log = self._log, None
        try:
            if log is not None:
                log(exchange)
        except Exception as error:  # noqa: BLE001 - a log that fails must not keep anybody from parking
            warnings.warn(f"{resource}: exchanges are logged no more: {error}", RuntimeWarning, stacklevel=2)
        else:
            self._log = log
