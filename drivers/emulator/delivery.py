"""How a reply comes to the client: whole and at once, or as the faults on the wire have it."""

from dataclasses import dataclass

from drivers.emulator.faults import ON_THE_WIRE, Fault
from drivers.emulator.troubles import Troubles


@dataclass(frozen=True)
class Delivery:
    """What a server does with a reply.

    Attributes
    ----------
    pieces
        Bytes to send one after the other.
    wait_s
        Time before each piece.
    close
        Whether the client's connection is closed after them.
    close_all
        Whether all connections to the instrument are closed: it has restarted.
    """

    pieces: tuple[bytes, ...] = ()
    wait_s: float = 0.0
    close: bool = False
    close_all: bool = False


NOTHING = Delivery()
CONNECTION_CLOSED = Delivery(close=True)
RESTARTED = Delivery(close_all=True)


def deliver(reply: bytes, troubles: Troubles) -> Delivery:
    """Return how *reply* (empty: none) reaches the client; at most one fault on the wire strikes."""
    for kind in ON_THE_WIRE:
        if (reply or kind == "close") and (faults := troubles.strikes(kind)):
            return _spoilt(reply, faults[0], troubles)
    return Delivery((reply,)) if reply else NOTHING


def _spoilt(reply: bytes, fault: Fault, troubles: Troubles) -> Delivery:
    match fault.kind:
        case "close":
            return CONNECTION_CLOSED
        case "delay":
            return Delivery((reply,), fault.delay_s)
        case "garbage":
            return Delivery((_garbage(len(reply), troubles),))
        case "half-line":
            return Delivery((reply[: len(reply) // 2],))
        case "dribble":
            pieces = tuple(reply[i : i + 1] for i in range(len(reply)))
            return Delivery(pieces, fault.delay_s / len(pieces))
        case _:
            return NOTHING


def _garbage(length: int, troubles: Troubles) -> bytes:
    """Return a line of *length* bytes that no one takes for an answer: none of them is ASCII."""
    noise = troubles.dice().integers(0x80, 0x100, length - 1, dtype="uint8")
    return noise.tobytes() + b"\n"
