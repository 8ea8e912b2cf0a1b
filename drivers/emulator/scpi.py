"""An instrument that speaks SCPI: a table of commands, the common ones of IEEE 488.2, and an error queue."""

import inspect
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from drivers.emulator.errors import OPERATION_COMPLETE, POWER_ON, ErrorQueue, ScpiError
from drivers.emulator.grammar import Pattern, Unit, units_of
from drivers.emulator.instrument import Instrument
from ffzero_lab.device import DeviceError

Handler = Callable[..., str | bytes | None]
"""Takes the numeric suffixes of the header (int), then the parameters (str); returns the reply of a query."""
Commands = Mapping[str, Handler]
"""Handlers by command as the manual prints it."""
END = b"\n"


class ScpiInstrument(Instrument):
    """Finds the handler of each command and keeps what IEEE 488.2 asks for; the commands are the subclass's."""

    def __init__(self, identity: str) -> None:
        self._identity = identity
        self._errors = ErrorQueue()
        self._events = POWER_ON
        entries = [_Entry.of(pattern, handler) for pattern, handler in self.commands().items()]

        @lru_cache(maxsize=4096)
        def find(header: str) -> tuple[_Entry, tuple[int, ...]] | None:
            for entry in entries:
                suffixes = entry.pattern.match(header)
                if suffixes is not None:
                    return entry, suffixes
            return None

        self._find = find

    @abstractmethod
    def reset(self) -> None:
        """Put all settings to their defaults, outputs off (``*RST``)."""

    def commands(self) -> Commands:
        """Return the instrument's manual: each command with what it does."""
        return {
            "*IDN?": lambda: self._identity,
            "*RST": self.reset,
            "*CLS": self._clear,
            "*OPC": self._operation_complete,
            "*OPC?": lambda: "1",
            "*ESR?": self._take_events,
            "*WAI": lambda: None,
            ":SYSTem:ERRor[:NEXT]?": self._errors.take,
            ":SYSTem:ERRor:COUNt?": lambda: str(len(self._errors)),
            ":SYSTem:VERSion?": lambda: "1999.0",
        }

    def answer(self, message: bytes) -> bytes:
        """Obey all commands of a message; returns the replies of its queries with semicolons between them.

        After one that is not understood the rest is thrown away; after one that cannot be obeyed it goes on.
        """
        replies: list[bytes] = []
        try:
            for unit in units_of(message.decode("latin-1")):
                try:
                    reply = self._obey(unit)
                except ScpiError as error:
                    if error.is_command_error:
                        raise
                    self._report(error)
                else:
                    if reply is not None:
                        replies.append(reply)
        except ScpiError as error:
            self._report(error)
        return b";".join(replies) + END if replies else b""

    def overrun(self) -> bytes:
        """Report -363 in the error queue."""
        self._report(ScpiError(-363))
        return b""

    def undelivered(self) -> None:
        """Report -410."""
        self._report(ScpiError(-410))

    def power_up(self) -> None:
        """Reset, with no error and the power-on event."""
        self._errors.clear()
        self._events = POWER_ON
        self.reset()

    def _obey(self, unit: Unit) -> bytes | None:
        found = self._find(unit.header)
        if found is None:
            raise ScpiError(-113, unit.header)
        entry, suffixes = found
        given = len(unit.parameters)
        if given < entry.least:
            raise ScpiError(-109, f"{unit.header} takes {entry.least} or more")
        if given > entry.most:
            raise ScpiError(-108, f"{unit.header} takes at most {entry.most}")
        try:
            reply = entry.handler(*suffixes, *unit.parameters)
        except DeviceError as error:
            raise ScpiError(-240, str(error)) from error
        return reply.encode() if isinstance(reply, str) else reply

    def _report(self, error: ScpiError) -> None:
        queued = self._errors.put(error)
        self._events |= error.event_bit | queued.event_bit

    def _clear(self) -> None:
        self._errors.clear()
        self._events = 0

    def _operation_complete(self) -> None:
        self._events |= OPERATION_COMPLETE

    def _take_events(self) -> str:
        events, self._events = self._events, 0
        return str(events)


@dataclass(frozen=True)
class _Entry:
    """A line of the manual, with the least and the most parameters that its handler takes."""

    pattern: Pattern
    handler: Handler
    least: int
    most: float

    @classmethod
    def of(cls, text: str, handler: Handler) -> "_Entry":
        pattern = Pattern(text)
        arguments = list(inspect.signature(handler).parameters.values())
        endless = any(argument.kind is argument.VAR_POSITIONAL for argument in arguments)
        single = [argument for argument in arguments if argument.kind is not argument.VAR_POSITIONAL]
        needed = [argument for argument in single if argument.default is argument.empty]
        return cls(
            pattern,
            handler,
            least=len(needed) - pattern.n_suffixes,
            most=float("inf") if endless else len(single) - pattern.n_suffixes,
        )


def channel_index(number: int, n_channels: int) -> int:
    """Return the index of channel *number* (from 1); raises ScpiError for one that the instrument has not."""
    if not 1 <= number <= n_channels:
        raise ScpiError(-114, f"channel {number}; there are 1 to {n_channels}")
    return number - 1
