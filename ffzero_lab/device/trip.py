"""Why going on is refused, kept from the first moment on: what interlocks raise at every check after it."""

from dataclasses import dataclass

from ffzero_lab.device.errors import InterlockTripped
from ffzero_lab.device.port import Device


@dataclass(frozen=True)
class Trip:
    """The reason, and the error behind it."""

    reason: str
    cause: BaseException | None = None

    def error(self) -> InterlockTripped:
        """Return it as an error of its own."""
        tripped = InterlockTripped(self.reason)
        tripped.__cause__ = self.cause
        return tripped


def unreadable(device: Device, error: BaseException) -> str:
    """Return what to say when the health of *device* could not be read."""
    return (
        f"{device.description.name}, interlocks: the health could not be read ({type(error).__name__}: {error}); "
        "nothing watches the device until it can"
    )
