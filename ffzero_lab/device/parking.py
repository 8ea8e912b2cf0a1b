"""Gives parking and closing a deadline: a driver that hangs must not keep a run from ending."""

import threading
from collections.abc import Callable

from ffzero_lab.device.errors import LinkTimeout

PARK_DEADLINE_S = 5.0


def within_deadline(call: Callable[[], None], deadline_s: float, device: str, what: str) -> None:
    """Carry out *call* in a thread of its own.

    Raises what it raised, or LinkTimeout when it did not end in *deadline_s* seconds; it is then left behind.
    """
    failures: list[BaseException] = []

    def carry_out() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            failures.append(error)

    worker = threading.Thread(target=carry_out, name=what, daemon=True)
    worker.start()
    worker.join(deadline_s)
    if worker.is_alive():
        raise LinkTimeout(
            f"{device}: {what} did not end within {deadline_s:.3g} s; outputs may still be on: "
            "switch the bench off by hand"
        )
    if failures:
        raise failures[0]
