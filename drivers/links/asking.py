"""Asks whoever is at an address who it is, without a bench file: ``ffzero-lab devices identify``."""

import re

from drivers.links.link import Link
from drivers.links.patience import Patience
from drivers.links.replies import Text
from drivers.links.serial_port import SerialTransport
from drivers.links.transport import Transport
from drivers.links.visa import VisaTransport
from ffzero_lab.device import WallClock

QUESTION = b"*IDN?\n"
LONGEST_REPLY = 1024
"""Bytes; IEEE 488.2-1992 (10.14.3) allows 72."""
_QUIET_SHARE = 0.05
_LONGEST_QUIET_S = 0.2


def identify(resource: str, wait_s: float) -> str:
    """Return what the instrument at *resource* answers to ``*IDN?``, asked once.

    Parameters
    ----------
    resource
        A VISA resource (``TCPIP::10.0.0.5::5025::SOCKET``, ``USB0::…::INSTR``, ``GPIB0::4::INSTR``,
        ``ASRL/dev/ttyUSB0::INSTR``), or a serial port (``/dev/ttyUSB0``), opened with 115,200 baud.
    wait_s
        Seconds for connecting and answering together. A vendor's library may take its own time to connect.

    Raises
    ------
    ConnectionLost, ExchangeTimeout, ReplyRefused
        When nothing can be reached there, nothing answers in time, or something else than one line comes.
    ValueError
        For a time that is not finite and above 0.
    """
    clock = WallClock()
    until_s = clock.now_s() + wait_s

    def ask(link: Link) -> str:
        left_s = until_s - clock.now_s()
        return link.query(QUESTION, Text(limit_bytes=LONGEST_REPLY), max(left_s, 1e-3))

    quiet_s = min(_LONGEST_QUIET_S, _QUIET_SHARE * wait_s)
    patience = Patience(deadline_s=wait_s, connect_s=wait_s, quiet_s=quiet_s, attempts=1)
    with Link(_way_to(resource), clock, owner="devices identify", identify=ask, patience=patience) as link:
        return link.identity or ""


def _way_to(resource: str) -> Transport:
    port = re.fullmatch(r"ASRL(/.+?)(::INSTR)?", resource, re.IGNORECASE)
    if port is not None:
        return SerialTransport(port[1])
    if "::" in resource or resource.upper().startswith("ASRL"):
        return VisaTransport(resource)
    return SerialTransport(resource)
