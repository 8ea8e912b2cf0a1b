"""How long a link waits and how often it tries."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Patience:
    """The times of a link. A read or a connection costs at most ``attempts`` times its own time, and the pauses.

    Attributes
    ----------
    deadline_s
        Of one exchange, from the first byte sent to the last byte received.
    connect_s
        Of making the connection.
    quiet_s
        A serial line that is silent for so long has no late reply on the way any more.
    attempts
        How often a read or a connection is tried in all; writes are sent once.
    pause_s
        Before the second attempt; doubles from one to the next.
    """

    deadline_s: float = 2.0
    connect_s: float = 2.0
    quiet_s: float = 0.2
    attempts: int = 3
    pause_s: float = 0.1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0.0 < value < math.inf:
                raise ValueError(f"{field.name} = {value}: give a finite number above 0")

        if self.attempts != int(self.attempts):
            raise ValueError(f"attempts = {self.attempts}: give a whole number")

    def pauses(self) -> Iterator[float | None]:
        """Yield for each attempt the seconds to wait before the next, None with the last."""
        for attempt in range(self.attempts - 1):
            yield self.pause_s * 2.0**attempt
        yield None
