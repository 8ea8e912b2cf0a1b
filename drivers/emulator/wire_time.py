"""When bytes are through on a serial line: counted from when they were sent, whatever the computer does meanwhile."""

BITS_PER_BYTE = 10
"""8N1: a start bit, eight of the byte, a stop bit."""
LEAD_S = 100e-6
"""How long before the last byte of a message is through the instrument may begin with it.

A real one takes a message apart while it arrives, with a processor of its own; what is emulated takes about so long.
"""


class Way:
    """One direction of a line, on which a byte takes *byte_s*; what is sent goes behind what is on its way."""

    def __init__(self, byte_s: float) -> None:
        self.byte_s = byte_s
        self._free_s = 0.0

    def send(self, now_s: float, n_bytes: int, pause_s: float = 0.0) -> float:
        """Send *n_bytes* at *now_s* or once the way is free, and *pause_s* later; returns when the first one begins."""
        begin_s = max(now_s, self._free_s) + pause_s
        self._free_s = begin_s + n_bytes * self.byte_s
        return begin_s

    def begun_s(self, through_s: float, n_bytes: int) -> float:
        """Return when the instrument begins with a message of *n_bytes*, the last of which is through at *through_s*.

        Never before its first byte has begun to arrive.
        """
        return through_s - min(LEAD_S, n_bytes * self.byte_s)
