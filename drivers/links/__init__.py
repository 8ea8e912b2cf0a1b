"""Links to instruments that cannot lie: a reply is complete, expected and in time, or an error says what happened.

A driver makes a :class:`Link` from a transport (:class:`VisaTransport`, :class:`SerialTransport`), says how the
instrument is recognised (:class:`Identity`) and describes each reply (:class:`Text`, :class:`Numbers`, :class:`Block`,
:class:`Lines`, or a class of its own with the members of :class:`Reply`).
"""

from drivers.links.asking import identify
from drivers.links.errors import ConnectionLost, ExchangeTimeout, LinkFault, LinkInUse, ReplyRefused, WrongInstrument
from drivers.links.identity import Identity
from drivers.links.link import Link
from drivers.links.log import Exchange, LogFile
from drivers.links.parsers import quantity
from drivers.links.patience import Patience
from drivers.links.replies import Block, Lines, Numbers, Reply, Text, printable
from drivers.links.serial_port import SerialTransport
from drivers.links.transport import Stream, Transport
from drivers.links.visa import VisaTransport

__all__ = [
    "Block",
    "ConnectionLost",
    "Exchange",
    "ExchangeTimeout",
    "Identity",
    "Lines",
    "Link",
    "LinkFault",
    "LinkInUse",
    "LogFile",
    "Numbers",
    "Patience",
    "Reply",
    "ReplyRefused",
    "SerialTransport",
    "Stream",
    "Text",
    "Transport",
    "VisaTransport",
    "WrongInstrument",
    "identify",
    "printable",
    "quantity",
]
