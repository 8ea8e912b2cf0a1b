"""An instrument on a virtual clock: what it answers and when is told by the test; nobody waits."""

import heapq
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from drivers.links import Identity, Link, Patience
from ffzero_lab.device import VirtualClock

IDENTITY = b"Acme,M1,7,1.0\n"
END = b""
"""As bytes to come: the other side closes the connection."""

Answer = list[tuple[float, bytes]]
"""What comes, each with its seconds after the question."""


class Instrument:
    """A transport and its stream, with an instrument at its other end.

    It answers the identity by itself; *answer* says what comes upon any other message. A ``stalled`` one takes nothing.
    """

    resource = "fake::1"

    def __init__(self, clock: VirtualClock, *, closing_discards: bool) -> None:
        self.clock = clock
        self.closing_discards = closing_discards
        self.answer: Callable[[bytes], Answer] = lambda message: []
        self.identity = IDENTITY
        self.sent: list[bytes] = []
        self.opened = self.closed = 0
        self.refusals = 0
        self.stalled = False
        self.most_at_once = 1 << 20
        self.interrupted = False
        self._coming: list[tuple[float, int, bytes]] = []
        self._count = 0

    def questions(self) -> list[bytes]:
        """Return what was sent without the identity questions."""
        return [message for message in self.sent if message != b"*IDN?\n"]

    def come(self, *arrivals: tuple[float, bytes]) -> None:
        """Let bytes come unasked, each so many seconds from now."""
        for delay_s, content in arrivals:
            self._count += 1
            heapq.heappush(self._coming, (self.clock.now_s() + delay_s, self._count, content))

    def plug_in(self) -> None:
        """End an end of the line."""
        self._coming = [arrival for arrival in self._coming if arrival[2] != END]
        heapq.heapify(self._coming)

    def open(self, wait_s: float) -> "Instrument":
        self.opened += 1
        if self.refusals:
            self.refusals -= 1
            raise ConnectionRefusedError("nobody listens")
        if self.closing_discards:
            self._coming.clear()
        return self

    def send(self, message: bytes, wait_s: float) -> int:
        if self.stalled:
            self.clock.sleep_s(wait_s)
            return 0
        taken = message[: self.most_at_once]
        if len(taken) < len(message):
            return len(taken)
        self.sent.append(message)
        self.come(*([(0.0, self.identity)] if message == b"*IDN?\n" else self.answer(message)))
        return len(message)

    def receive(self, most: int, wait_s: float) -> bytes:
        if self.interrupted and wait_s:
            self.interrupted = False
            raise KeyboardInterrupt
        until_s = self.clock.now_s() + wait_s
        if not self._coming or self._coming[0][0] > until_s:
            self.clock.sleep_s(wait_s)
            return b""
        when_s, count, content = heapq.heappop(self._coming)
        self.clock.sleep_s(max(0.0, when_s - self.clock.now_s()))
        if content == END:
            heapq.heappush(self._coming, (when_s, count, content))
            raise ConnectionResetError("closed by the other side")
        if len(content) > most:
            heapq.heappush(self._coming, (when_s, count, content[most:]))
        return content[:most]

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def over_tcp(clock: VirtualClock) -> Instrument:
    """An instrument whose connection forgets what was on its way."""
    return Instrument(clock, closing_discards=True)


@pytest.fixture
def over_serial(clock: VirtualClock) -> Instrument:
    """An instrument whose line does not."""
    return Instrument(clock, closing_discards=False)


@pytest.fixture
def link_to(clock: VirtualClock) -> Iterator[Callable[..., Link]]:
    """Return an open link to an instrument; keywords go to the link."""
    links: list[Link] = []

    def opened(instrument: Instrument, **keywords: Any) -> Link:
        keywords = {"owner": "test", "identify": Identity(b"*IDN?\n", "Acme,M1,.*"), "patience": Patience()} | keywords
        link = Link(instrument, clock, **keywords)
        links.append(link)
        link.open()
        return link

    yield opened
    for link in links:
        link.close()
