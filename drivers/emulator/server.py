"""An emulated instrument at a TCP port of the loopback interface, one thread per client."""

import socket
from collections.abc import Iterator
from io import BufferedIOBase
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Event, Lock, Thread
from typing import Any

from drivers.emulator.delivery import Delivery
from drivers.emulator.station import Station

HOST = "127.0.0.1"
LONGEST_MESSAGE = 4 * 2**20
"""Bytes of the input buffer: a few thousand patterns of 64 values."""
POLL_S = 0.005
"""How often the thread that accepts clients looks whether it shall end."""


class TcpServer:
    """Serves one station from construction until ``close``."""

    def __init__(self, station: Station, port: int = 0) -> None:
        self._server = _Server(station, port)
        self._thread = Thread(target=self._server.serve_forever, args=(POLL_S,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port at which it listens."""
        return HOST, int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening and close all connections; returns when all threads have ended."""
        self._server.ending.set()
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 64
    daemon_threads = False  # so that closing waits for them

    def __init__(self, station: Station, port: int) -> None:
        self.station = station
        self.ending = Event()
        self._connections: set[socket.socket] = set()
        self._connections_lock = Lock()
        super().__init__((HOST, port), _Client)

    def opened(self, connection: socket.socket) -> None:
        with self._connections_lock:
            self._connections.add(connection)
        if self.ending.is_set():
            _shut(connection)

    def ended(self, connection: socket.socket) -> None:
        with self._connections_lock:
            self._connections.discard(connection)

    def close_connections(self) -> None:
        with self._connections_lock:
            for connection in self._connections:
                _shut(connection)


class _Client(StreamRequestHandler):
    disable_nagle_algorithm = True

    server: Any
    connection: socket.socket

    def setup(self) -> None:
        super().setup()
        self._server: _Server = self.server
        self._server.opened(self.connection)

    def handle(self) -> None:
        station = self._server.station
        try:
            for message in _messages(self.rfile):
                delivery = station.overrun() if message is None else station.exchange(message)
                if not self._send(delivery):
                    return
        except ConnectionError:
            return

    def finish(self) -> None:
        self._server.ended(self.connection)
        super().finish()

    def _send(self, delivery: Delivery) -> bool:
        """Do what *delivery* says; returns whether the client may go on."""
        try:
            for piece in delivery.pieces:
                if delivery.wait_s > 0.0 and self._server.ending.wait(delivery.wait_s):
                    return False
                self.connection.sendall(piece)
        except ConnectionError:
            self._server.station.undelivered()
            return False
        if delivery.close_all:
            self._server.close_connections()
        return not (delivery.close or delivery.close_all)


def _messages(stream: BufferedIOBase) -> Iterator[bytes | None]:
    """Yield messages without their terminators, None for one that is too long; one that breaks off is lost."""
    while line := stream.readline(LONGEST_MESSAGE):
        if line.endswith(b"\n"):
            yield line[:-1]
        elif len(line) == LONGEST_MESSAGE:
            while line and not line.endswith(b"\n"):
                line = stream.readline(LONGEST_MESSAGE)
            yield None


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other end was faster
