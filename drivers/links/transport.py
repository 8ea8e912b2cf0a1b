"""What a link asks of the wire below it: bytes out, bytes in, and never longer than told."""

from typing import Protocol


class Transport(Protocol):
    """Moves bytes and knows no message. Raises OSError, at once, when the connection broke or the other side closed it.

    Attributes
    ----------
    resource
        The address, as in the bench file and in messages.
    closing_discards
        Whether closing and opening again throws away what is still on its way (a TCP connection, a device clear); where
        it does not (a serial port), the link waits for silence instead.
    """

    @property
    def resource(self) -> str: ...  # noqa: D102

    @property
    def closing_discards(self) -> bool: ...  # noqa: D102

    def open(self, wait_s: float) -> None:
        """Connect within about *wait_s* seconds."""
        ...

    def send(self, message: bytes, wait_s: float) -> int:
        """Hand over the beginning of *message* and return its length; 0 when none was taken in *wait_s* seconds."""
        ...

    def receive(self, most: int, wait_s: float) -> bytes:
        """Return 1 to *most* bytes as soon as there are any; none when nothing came in *wait_s* seconds."""
        ...

    def close(self) -> None:
        """Release the resource, from any state; calling it again does nothing."""
        ...
