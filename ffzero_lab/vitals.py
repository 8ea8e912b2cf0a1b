"""What a run tells of its bench beside its results: health as the interlocks last read it, and what links have seen."""

import time
from dataclasses import asdict
from math import isfinite
from typing import Any

from ffzero_lab.device import InterlockGuard, Protected


def vitals_of(device: Protected, interlocks: InterlockGuard) -> dict[str, Any]:
    """Return it as plain values for ``status.json``; nothing is exchanged with the device for it.

    A reading that is no finite number is None: that it trips an interlock must not keep anybody from telling so.
    """
    readings = interlocks.readings
    health = {name: float(value) if isfinite(value) else None for name, value in readings.items()}
    return {
        "health": {"at_s": round(time.time(), 3), "readings": health} if health else None,
        "links": {name: asdict(tally) for name, tally in device.link_tallies().items()},
    }
