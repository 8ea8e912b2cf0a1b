"""What a link asks of the wire below it: bytes out, bytes in, and never longer than told."""

from typing import Protocol


class Stream(Protocol):
    """An open connection. It moves bytes and knows no message; raises OSError, at once, when the connection broke."""

    @property
    def closing_discards(self) -> bool:
        """Whether closing and opening again throws away what is on its way (a TCP connection, a device clear).

        Where it does not (a serial port), the link waits for silence instead.
        """
        ...

    def send(self, message: bytes, wait_s: float) -> int:
        """Hand over the beginning of *message* and return its length; 0 when none was taken in *wait_s* seconds."""
        ...

    def receive(self, most: int, wait_s: float) -> bytes:
        """Return 1 to *most* bytes as soon as there are any; none when nothing came in *wait_s* seconds."""
        ...


class Transport(Protocol):
    """Opens and closes the way to one resource."""

    @property
    def resource(self) -> str:
        """Return the address, as in the bench file and in messages."""
        ...

    def open(self, wait_s: float) -> Stream:
        """Connect within about *wait_s* seconds; raises OSError where it cannot."""
        ...

    def close(self) -> None:
        """Release the resource, from any state; calling it again does nothing."""
        ...
