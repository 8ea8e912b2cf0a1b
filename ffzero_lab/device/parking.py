"""Parks with a deadline: a driver that hangs must not keep a run from ending."""

import threading

from ffzero_lab.device.errors import LinkTimeout
from ffzero_lab.device.port import Device

PARK_DEADLINE_S = 5.0


def park_within(device: Device, deadline_s: float = PARK_DEADLINE_S) -> None:
    """Park *device*; raises what parking raised, or LinkTimeout when it did not end in *deadline_s* seconds."""
    failures: list[BaseException] = []

    def park() -> None:
        try:
            device.park()
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            failures.append(error)

    worker = threading.Thread(target=park, name="park", daemon=True)
    worker.start()
    worker.join(deadline_s)
    if worker.is_alive():
        raise LinkTimeout(
            f"{device.description.name}: parking did not end within {deadline_s:.3g} s; outputs may still be on: "
            "switch the bench off by hand"
        )
    if failures:
        raise failures[0]
