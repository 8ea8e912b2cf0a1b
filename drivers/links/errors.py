"""The faults of a link: each names the resource, the command, the time that passed and the bytes that came."""

from ffzero_lab.device import BadReply, DeviceError, LinkLost, LinkTimeout

_SHOWN_BYTES = 80


class LinkInUse(DeviceError):
    """Somebody else in this process owns the resource.

    Outputs: not moved.

    Remedy: let instruments that stand at the same address share one link in the bench file.
    """


class LinkFault(DeviceError):
    """An exchange failed; whether the instrument obeyed is unknown until its setpoints are read back.

    Attributes
    ----------
    resource, command, received, elapsed_s
        Where, what was sent, what came, and the seconds since the exchange began.
    is_final
        Whether the link has already tried to recover as often as it may, so that asking again is of no use.
    """

    def __init__(
        self, what: str, *, resource: str, command: bytes = b"", received: bytes = b"", elapsed_s: float = 0.0
    ) -> None:
        came = f"{len(received)} bytes came: {shown(received)}" if received else "nothing came"
        sent = f" {shown(command)}:" if command else ""
        super().__init__(f"{resource}:{sent} {what} ({elapsed_s:.3f} s elapsed, {came})")
        self.resource = resource
        self.command = command
        self.received = received
        self.elapsed_s = elapsed_s
        self.is_final = False


class ExchangeTimeout(LinkFault, LinkTimeout):
    """No complete reply came within the total deadline of the exchange."""


class ConnectionLost(LinkFault, LinkLost):
    """The connection could not be made, or broke."""


class ReplyRefused(LinkFault, BadReply):
    """The reply is too long, unasked, or not what was expected."""


class WrongInstrument(ReplyRefused):
    """Another instrument than expected answers at this address."""


def shown(message: bytes) -> str:
    """Return the beginning of *message* as it appears in errors."""
    return repr(message) if len(message) <= _SHOWN_BYTES else f"{message[:_SHOWN_BYTES]!r}…"
