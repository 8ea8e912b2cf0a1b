"""Instruments through pyvisa: TCP sockets, LAN, USB and GPIB, with pyvisa-py or a vendor's VISA library."""

import math
import socket
import warnings
from typing import TYPE_CHECKING

from drivers.links.message_stream import MessageStream
from drivers.links.socket_stream import SocketStream

if TYPE_CHECKING:
    from pyvisa.resources import MessageBasedResource


class VisaTransport:
    """The VISA resource *resource*, such as ``TCPIP::10.0.0.5::5025::SOCKET`` or ``USB0::0x2A8D::0x0101::MY1::INSTR``.

    pyvisa opens, owns and closes the session. Where the session is a socket that Python can reach (pyvisa-py), bytes go
    over that socket (decision record 6); everywhere else through the library's read and write.

    Parameters
    ----------
    resource
        The VISA resource name.
    visa_library
        As pyvisa takes it: ``@py`` for pyvisa-py, empty for the vendor's library it finds, or the path of one.
    """

    def __init__(self, resource: str, visa_library: str = "@py") -> None:
        self.resource = resource
        self._visa_library = visa_library
        self._session: MessageBasedResource | None = None

    def open(self, wait_s: float) -> SocketStream | MessageStream:
        """Open the session; raises OSError when nothing answers there, or there is no such resource."""
        import pyvisa  # importing the drivers must not import it
        from pyvisa.resources import MessageBasedResource

        try:
            manager = pyvisa.ResourceManager(self._visa_library)
            session = manager.open_resource(self.resource, open_timeout=math.ceil(wait_s * 1e3))
        except OSError:
            raise
        except Exception as error:  # pyvisa-py raises bare Exception
            raise ConnectionError(str(error)) from error
        if not isinstance(session, MessageBasedResource):
            session.close()
            raise ConnectionError("this resource exchanges no messages")
        self._session = session
        try:
            connection = raw_socket(session)
            return MessageStream(session) if connection is None else SocketStream(connection)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the session."""
        session, self._session = self._session, None
        if session is None:
            return
        try:
            session.close()
        except Exception as error:  # noqa: BLE001 - the session is given up whatever its library says
            warnings.warn(f"{self.resource}: closing failed: {error}", RuntimeWarning, stacklevel=2)


def raw_socket(session: "MessageBasedResource") -> socket.socket | None:
    """Return the TCP socket below a SOCKET session of pyvisa-py, None for all other sessions."""
    sessions = getattr(session.visalib, "sessions", {})
    connection = getattr(sessions.get(session.session), "interface", None)
    return connection if isinstance(connection, socket.socket) else None
