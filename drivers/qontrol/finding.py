"""Finds the serial port of a rack by the serial number of its first module: USB numbers ports as they come."""

from collections.abc import Sequence
from pathlib import Path

from drivers.links import Link, LinkFault, LinkInUse, Patience, SerialTransport, Text, Transport
from drivers.links.serial_port import SerialStream
from ffzero_lab.device import Clock

PREFIX = "serial:"
QUESTION = b"id?\n"
ANSWER_S, QUIET_S = 0.1, 0.02
"""What one port is given to answer and to fall silent."""


class RackTransport:
    """The way to the rack *serial_number*, at whichever of the ports that match *patterns* it answers.

    All of them are asked who they are each time it is opened, that of the last time first. What is no rack is sent one
    line; ports that are in use are passed over.
    """

    def __init__(self, serial_number: str, patterns: Sequence[str], baud: int, clock: Clock) -> None:
        self.resource = f"{PREFIX}{serial_number}"
        self._ending = f"-{serial_number}".casefold()
        self._patterns, self._baud, self._clock = patterns, baud, clock
        self._last = ""
        self._open: SerialTransport | None = None

    def open(self, wait_s: float) -> SerialStream:
        """Find and open the port; raises OSError that tells who answers where instead."""
        until_s = self._clock.now_s() + wait_s
        found = sorted({port for pattern in self._patterns for port in _matching(pattern)}, key=self._order)
        answers: list[str] = []
        for port in found:
            if self._clock.now_s() >= until_s:
                answers.append("and no time was left to ask the others")
                break
            identity = self._asked(port)
            if identity.casefold().endswith(self._ending):
                self._last, self._open = port, SerialTransport(port, baud=self._baud)
                return self._open.open(wait_s)
            answers.append(f"{port}: {identity or 'no answer'}")
        where = "; ".join(answers) or "there is no such port"
        raise OSError(f"no rack {self.resource} among {', '.join(self._patterns)} ({where})")

    def close(self) -> None:
        """Release the port."""
        transport, self._open = self._open, None
        if transport is not None:
            transport.close()

    def _order(self, port: str) -> tuple[bool, str]:
        return port != self._last, port

    def _asked(self, port: str) -> str:
        """Return what answers at *port*; empty: nothing does, or somebody else uses it."""

        def ask(link: Link) -> str:
            return link.query(QUESTION, Text(limit_bytes=80), ANSWER_S)

        patience = Patience(deadline_s=ANSWER_S, connect_s=ANSWER_S, quiet_s=QUIET_S, attempts=1)
        transport = SerialTransport(port, baud=self._baud)
        link = Link(transport, self._clock, owner=self.resource, identify=ask, patience=patience)
        try:
            with link:
                return link.identity or ""
        except (LinkFault, LinkInUse):
            return ""


def transport_to(port: str, patterns: Sequence[str], baud: int, clock: Clock) -> Transport:
    """Return the way to a *port*, which is a path or ``serial:`` and the serial number of the first module."""
    if port.startswith(PREFIX):
        return RackTransport(port.removeprefix(PREFIX), patterns, baud, clock)
    return SerialTransport(port, baud=baud)


def _matching(pattern: str) -> list[str]:
    path = Path(pattern).absolute()
    return [str(port) for port in Path(path.anchor).glob(str(path.relative_to(path.anchor)))]
