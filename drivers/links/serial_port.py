"""Serial ports through pyserial, in chunks: what is there is taken, nobody waits for a length."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportMissingModuleSource=false

import os
from typing import TYPE_CHECKING, Literal

from drivers.links.polled import readable, writable

if TYPE_CHECKING:
    from serial import Serial


class SerialTransport:
    """The serial port *port*, such as ``/dev/ttyUSB0``, taken exclusively."""

    def __init__(
        self,
        port: str,
        *,
        baud: int = 115_200,
        parity: Literal["none", "even", "odd"] = "none",
        stop_bits: Literal[1, 2] = 1,
    ) -> None:
        self.resource = port
        self._baud = baud
        self._parity = parity[0].upper()
        self._stop_bits = stop_bits
        self._port: Serial | None = None

    def open(self, wait_s: float) -> "SerialStream":
        """Open the port, without waiting; raises OSError when it is not there or in use."""
        from serial import Serial  # importing the drivers must not import it

        del wait_s
        # no time-outs: to change them sets up the port again, and a read would wait for its whole length
        self._port = Serial(
            self.resource,
            baudrate=self._baud,
            parity=self._parity,
            stopbits=self._stop_bits,
            timeout=0,
            write_timeout=0,
            exclusive=True,
        )
        return SerialStream(self._port)

    def close(self) -> None:
        """Release the port."""
        port, self._port = self._port, None
        if port is not None:
            port.close()


class SerialStream:
    """Moves bytes over *port*, which somebody else opened and will close.

    Past pyserial's own reading and writing, which wait and count as well, and cost more than the system's. Closing and
    opening would not discard a reply on its way (and resets some boards, by their DTR line).
    """

    closing_discards = False

    def __init__(self, port: "Serial") -> None:
        self._port = port
        self._readable = readable(port.fileno())
        self._writable = writable(port.fileno())

    def send(self, message: bytes, wait_s: float) -> int:
        """Send the beginning of *message*; see :class:`~drivers.links.Stream`."""
        if not self._writable(1e3 * wait_s):
            return 0
        try:
            return os.write(self._port.fileno(), message)  # asked for each time: raises once the port is closed
        except BlockingIOError:
            return 0

    def receive(self, most: int, wait_s: float) -> bytes:
        """Receive up to *most* bytes; see :class:`~drivers.links.Stream`."""
        if not self._readable(1e3 * wait_s):
            return b""
        try:
            chunk = os.read(self._port.fileno(), most)
        except BlockingIOError:
            return b""
        if not chunk:
            raise OSError("the port hung up and holds no data; is its adapter still plugged in?")
        return chunk
