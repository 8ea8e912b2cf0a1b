"""Bytes through the read and write of a VISA library, for what has no socket within reach."""

import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pyvisa.constants import ResourceAttribute
    from pyvisa.resources import MessageBasedResource

T = TypeVar("T")


class MessageStream:
    """Moves bytes through *session*, which somebody else opened and will close.

    The time-out of each call is set to what is left of the deadline. USB, GPIB and LAN instruments are not read before
    they were asked: they would report an error.
    """

    def __init__(self, session: "MessageBasedResource") -> None:
        from pyvisa.constants import ResourceAttribute

        self._session = session
        self._is_socket = session.resource_name.upper().endswith("::SOCKET")
        if self._is_socket:
            self._set(ResourceAttribute.suppress_end_enabled, False, "short replies may wait for the deadline")
            self._set(ResourceAttribute.termchar, ord("\n"), "replies may wait for the deadline")
            self._set(ResourceAttribute.termchar_enabled, True, "replies may wait for the deadline")
            self._set(ResourceAttribute.tcpip_nodelay, True, "a write and a query may cost 40 ms")
        self.closing_discards = self._is_socket or self._clear()

    def send(self, message: bytes, wait_s: float) -> int:
        """Write *message*; see :class:`~drivers.links.Stream`."""
        return self._within(wait_s, lambda: self._session.visalib.write(self._session.session, message)[0], 0)

    def receive(self, most: int, wait_s: float) -> bytes:
        """Read up to *most* bytes; see :class:`~drivers.links.Stream`."""
        if not wait_s > 0.0 and not self._is_socket:
            return b""
        return self._within(wait_s, lambda: bytes(self._session.visalib.read(self._session.session, most)[0]), b"")

    def _within(self, wait_s: float, call: Callable[[], T], nothing: T) -> T:
        """Return what *call* returns, or *nothing* when it timed out; raises OSError for everything else."""
        from pyvisa.constants import StatusCode
        from pyvisa.errors import VisaIOError

        try:
            self._session.timeout = math.ceil(wait_s * 1e3)
            return call()
        except VisaIOError as error:
            if error.error_code == StatusCode.error_timeout:
                return nothing
            raise ConnectionError(str(error)) from error
        except OSError:
            raise
        except Exception as error:  # the protocols of pyvisa-py raise whatever they meet
            raise ConnectionError(f"{type(error).__name__}: {error}") from error

    def _clear(self) -> bool:
        """Clear the device and return whether it could be: then no reply is on its way."""
        from pyvisa.constants import StatusCode
        from pyvisa.errors import VisaIOError

        try:
            self._session.clear()
        except VisaIOError as error:
            if error.error_code == StatusCode.error_nonsupported_operation:
                return False
            raise ConnectionError(str(error)) from error
        return True

    def _set(self, attribute: "ResourceAttribute", value: int, otherwise: str) -> None:
        try:
            self._session.set_visa_attribute(attribute, value)
        except Exception as error:  # noqa: BLE001 - libraries differ in how they say that they cannot
            name = self._session.resource_name
            warnings.warn(f"{name}: cannot set {attribute.name}, {otherwise}: {error}", RuntimeWarning, stacklevel=2)
