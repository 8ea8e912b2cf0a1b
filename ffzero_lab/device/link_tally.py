"""What a link to hardware has seen so far: how long exchanges take, and how often one had to be helped."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LinkTally:
    """Counts of one link since it was opened; telling them exchanges nothing."""

    exchanges: int = 0
    """Those that ended well."""
    retries: int = 0
    """Readings that were asked for again after a fault."""
    recoveries: int = 0
    """How often the link had to be brought back into a known state."""
    latency_s: float = 0.0
    """Mean time of an exchange, of about the last hundred; what the instrument measures meanwhile is in it."""
    slowest_s: float = 0.0
    """Longest exchange that ended well."""
