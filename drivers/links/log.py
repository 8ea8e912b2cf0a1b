"""The record of every exchange on a link, for whoever has to find out what happened."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class Exchange:
    """One exchange: what went out, what came in, how long it took and, if it failed, why.

    ``began_s`` is on the clock of the link. What a link discards while it waits for silence stands there with nothing
    sent.
    """

    resource: str
    owner: str
    began_s: float
    elapsed_s: float
    sent: bytes
    received: bytes
    fault: str | None


class LogFile:
    """Appends exchanges to a file, one JSON object a line; bytes stand as the characters 0 to 255 (Latin-1).

    It raises OSError when it cannot write; the link then goes on without a log and warns, because a full disk must not
    keep anybody from parking.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def __call__(self, exchange: Exchange) -> None:
        """Append *exchange*."""
        line = asdict(exchange) | {
            "at": datetime.now().astimezone().isoformat(),
            "sent": exchange.sent.decode("latin-1"),
            "received": exchange.received.decode("latin-1"),
        }
        self._file.write(json.dumps(line) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
