"""Every exchange of every link, looked at: how many there were, and which took longer than their deadline allows."""

import contextlib
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

from drivers.links.wire import Wire

SLACK = 1.1
"""An exchange may take so many times its deadline."""


class Watch:
    """Looks at every exchange of every link while it stands: how many there were, and which took too long."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self.late: list[tuple[str, float]] = []
        """What was late, and by how many times its deadline without the time that its thread waited for a processor."""

    def __enter__(self) -> "Watch":
        self._exchange = exchange = Wire.exchange

        def watched(wire: Wire, message: bytes, reply: Any, deadline_s: float) -> Any:
            stolen_before_s, before, began_s = taken_away_s(), waited_for_a_processor_s(), time.monotonic()
            try:
                return exchange(wire, message, reply, deadline_s)
            finally:
                taken_s = time.monotonic() - began_s
                self.counted[wire._resource] += len(getattr(reply, "questions", "1"))  # a rack counts messages
                if taken_s > SLACK * deadline_s:
                    waited_s = max(
                        (now - before.get(thread, 0.0) for thread, now in waited_for_a_processor_s().items()),
                        default=0.0,
                    )
                    stolen_s = taken_away_s() - stolen_before_s
                    what = (
                        f"{wire._resource} {message[:40]!r}: {taken_s:.4f} s, {waited_s:.4f} s without a processor, "
                        f"{stolen_s:.2f} s without the machine"
                    )
                    self.late.append((what, (taken_s - waited_s - stolen_s) / deadline_s))

        Wire.exchange = watched  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Wire.exchange = self._exchange  # type: ignore[method-assign]


def waited_for_a_processor_s() -> dict[str, float]:
    """Return how long each thread could have run so far, and did not; empty where the system does not tell.

    Emulator and driver share an interpreter: one that has it and gets no processor keeps all others waiting.
    """
    waited: dict[str, float] = {}
    for thread in Path("/proc/self/task").glob("*"):
        with contextlib.suppress(OSError):  # it may have ended meanwhile
            waited[thread.name] = 1e-9 * int((thread / "schedstat").read_text(encoding="ascii").split()[1])
    return waited


def taken_away_s() -> float:
    """Return for how long a processor of this virtual machine was given to another one, the longest of them."""
    rows = [row.split() for row in Path("/proc/stat").read_text(encoding="ascii").splitlines()]
    ticks = max((int(row[8]) for row in rows if row[0].startswith("cpu") and row[0] != "cpu"), default=0)
    return ticks / os.sysconf("SC_CLK_TCK")
