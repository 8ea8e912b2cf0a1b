"""An emulated instrument at a serial line: every byte takes its time on the wire, in both directions at once.

One thread does everything when it is due. A byte takes ten bits (8N1). The times are planned, each from the last and
not from when the thread woke up or the instrument was done, so that no delay of the computer adds up, and none counts
that fits beside the time of bytes. Nothing comes before its time.
"""

import heapq
import os
import select
from collections.abc import Callable
from itertools import count
from pathlib import Path
from threading import Thread
from time import monotonic

from drivers.emulator.delivery import Delivery
from drivers.emulator.pseudo_terminal import PseudoTerminal
from drivers.emulator.station import Station
from drivers.emulator.wire_time import BITS_PER_BYTE, Way

AHEAD_S = 150e-6
"""How long before something is due the thread stops sleeping, and looks at the clock instead."""
CHUNK_S = 4e-3
"""What is sent for longer comes in pieces of this length, as an adapter hands it over."""
VANISHED_S = 0.01
"""How long a port stays away that was pulled out."""
BOOT_S = 0.01
"""How long an instrument says nothing after it was switched on."""


class SerialLine:
    """Serves one station at *path* with *baud* bits per second from construction until ``close``."""

    def __init__(self, station: Station, path: Path, baud: int) -> None:
        self.path = path
        self._station = station
        self._instrument = station.instrument
        self._byte_s = BITS_PER_BYTE / baud
        self._port = PseudoTerminal(path)
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        """What happens when, the earliest first."""
        self._order = count()
        self._forget()
        self._port.plug_in()
        self._wakes, self._waker = os.pipe()
        self._is_open = True
        self._thread = Thread(target=self._serve, name=f"line {path.name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Pull the port out; returns when the thread has ended. Calling it again does nothing."""
        if not self._is_open:
            return
        self._is_open = False
        os.write(self._waker, b"!")
        self._thread.join()
        self._port.unplug()
        os.close(self._wakes)
        os.close(self._waker)

    def _serve(self) -> None:
        if self._instrument.tick_s is not None:
            self._plan(monotonic() + self._instrument.tick_s, self._tick)
        while not self._is_told_to_end():
            while self._due and self._due[0][0] <= monotonic():
                heapq.heappop(self._due)[2]()

    def _is_told_to_end(self) -> bool:
        """Wait until something is due, or nearly, and take in what comes meanwhile."""
        left_s = self._due[0][0] - monotonic() - AHEAD_S if self._due else None
        watched = [self._wakes, *([self._port.descriptor] if self._port.is_in else [])]
        ready, _, _ = select.select(watched, [], [], None if left_s is None else max(0.0, left_s))
        now_s = monotonic()
        if self._port.descriptor in ready:
            self._receive(self._port.receive(), now_s)
        return self._wakes in ready

    def _plan(self, when_s: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when_s, next(self._order), call))

    def _forget(self) -> None:
        """Lose everything that is on its way."""
        self._buffer = b""
        self._incoming, self._outgoing = Way(self._byte_s), Way(self._byte_s)
        self._plugging = object()
        """What belongs to another plugging in than this is out of date."""

    def _receive(self, chunk: bytes, now_s: float) -> None:
        """Take bytes that a client has sent, and plan what happens when the last byte of each message is through."""
        begin_s = self._incoming.send(now_s, len(chunk))
        until_s = begin_s + len(chunk) * self._byte_s
        before, self._buffer = len(self._buffer), self._buffer + chunk
        taken = 0
        while self._buffer and (end := self._instrument.message_end(self._buffer)) is not None:
            message, self._buffer = self._buffer[:end], self._buffer[end:]
            taken += end
            through_s = begin_s + (taken - before) * self._byte_s
            self._at(self._incoming.begun_s(through_s, end), through_s, self._answering(message))
        if len(self._buffer) > self._instrument.longest:
            self._buffer = b""
            self._at(until_s, until_s, self._station.overrun)
        elif self._buffer and self._instrument.gap_s is not None:
            rest = self._buffer
            self._plan(until_s + self._instrument.gap_s, lambda: self._break_off(rest))

    def _answering(self, message: bytes) -> Callable[[], Delivery]:
        return lambda: self._station.exchange(message)

    def _break_off(self, rest: bytes) -> None:
        if self._buffer is rest:  # nothing has come since
            self._buffer = b""
            self._deliver(self._station.broken_off(rest), monotonic())

    def _tick(self) -> None:
        began_s = monotonic()
        self._deliver(self._station.tick(), began_s)
        assert self._instrument.tick_s is not None  # noqa: S101 - planned only where there is one
        self._plan(began_s + self._instrument.tick_s, self._tick)

    def _at(self, when_s: float, through_s: float, call: Callable[[], Delivery]) -> None:
        """Plan a *call* of the station for a message that is *through_s*, behind which the reply goes out."""
        plugging = self._plugging
        self._plan(when_s, lambda: self._deliver(call(), through_s) if plugging is self._plugging else None)

    def _deliver(self, delivery: Delivery, from_s: float) -> None:
        for piece in delivery.pieces:
            self._send(piece, from_s, delivery.wait_s)
        if delivery.close:
            self._pull_out()
        elif delivery.close_all:
            self._restart()

    def _send(self, content: bytes, from_s: float, wait_s: float) -> None:
        """Plan the way of *content* to the client from *from_s* on, *wait_s* behind what is on its way already."""
        begin_s = self._outgoing.send(from_s, len(content), wait_s)
        size = max(1, int(CHUNK_S / self._byte_s))
        for first in range(0, len(content), size):
            chunk = content[first : first + size]
            self._plan(begin_s + (first + len(chunk)) * self._byte_s, self._handing_over(chunk))

    def _handing_over(self, chunk: bytes) -> Callable[[], None]:
        plugging = self._plugging

        def hand_over() -> None:
            if plugging is self._plugging and not self._port.send(chunk):
                self._station.undelivered()

        return hand_over

    def _pull_out(self) -> None:
        self._port.unplug()
        self._forget()
        self._plan(monotonic() + VANISHED_S, self._port.plug_in)

    def _restart(self) -> None:
        greeting = self._station.greeting()
        if greeting is None:
            self._pull_out()
            return
        self._forget()
        self._outgoing.send(monotonic(), 0, BOOT_S)
        if greeting:
            self._send(greeting, monotonic(), 0.0)
