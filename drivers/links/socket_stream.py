"""Bytes over a connected TCP socket."""

import os
import socket

from drivers.links.polled import readable, writable


class SocketStream:
    """Moves bytes over *connection*, which somebody else opened and will close.

    Raises OSError when the connection was refused after all (pyvisa-py takes that for success), and sets TCP_NODELAY: a
    write and a query in two messages cost 44 ms without it.
    """

    closing_discards = True

    def __init__(self, connection: socket.socket) -> None:
        error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        connection.getpeername()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        self._connection = connection
        self._readable = readable(connection.fileno())
        self._writable = writable(connection.fileno())

    def send(self, message: bytes, wait_s: float) -> int:
        """Send the beginning of *message*; see :class:`~drivers.links.Stream`."""
        try:
            return self._connection.send(message)
        except BlockingIOError:
            return self._connection.send(message) if self._writable(1e3 * wait_s) else 0

    def receive(self, most: int, wait_s: float) -> bytes:
        """Receive up to *most* bytes; see :class:`~drivers.links.Stream`."""
        if not self._readable(1e3 * wait_s):
            return b""
        received = self._connection.recv(most)
        if not received:
            raise ConnectionResetError("closed by the other side")
        return received
