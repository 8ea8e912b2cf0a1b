"""Parks every instrument whatever the others do: one that fails or hangs keeps no other from its safe state."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from ffzero_lab.device import PARK_DEADLINE_S, LinkTimeout

STAGE_SHARE = 0.3
"""Of the time for parking: how long one stage may keep the next from beginning, so that all three fit into it."""
STAGE_S = STAGE_SHARE * PARK_DEADLINE_S
"""The same in seconds where the bench file does not state another time."""


@dataclass(frozen=True)
class Ending:
    """Something to be done at one instrument: its name, for messages, the call, and what it is."""

    name: str
    carry_out: Callable[[], None]
    what: str = "parking"


def end_in_stages(stages: Sequence[Sequence[Ending]], stage_s: float = STAGE_S) -> None:
    """Carry out every ending of a stage at the same time, then those of the next, however the stage went.

    Raises the first error, with the others as notes, after everything was tried. An ending that takes longer than
    *stage_s* is left to itself and counts as LinkTimeout.
    """
    errors: list[BaseException] = []
    for stage in stages:
        for ending, error in _failures(stage, stage_s):
            error.add_note(f"that was {ending.what} {ending.name!r}; every other instrument was tried as well")
            errors.append(error)
    if errors:
        raise first_of(errors)


def first_of(errors: Sequence[BaseException]) -> BaseException:
    """Return the first of *errors*, with the others and what they tell as its notes."""
    for second in errors[1:]:
        errors[0].add_note("\n".join([f"as well: {second}", *getattr(second, "__notes__", [])]))
    return errors[0]


def _failures(stage: Sequence[Ending], stage_s: float) -> list[tuple[Ending, BaseException]]:
    failed: dict[int, BaseException] = {}

    def carry_out(number: int, ending: Ending) -> None:
        try:
            ending.carry_out()
        except BaseException as error:  # noqa: BLE001 - raised when everything was tried
            failed[number] = error

    workers = [
        threading.Thread(target=carry_out, args=(number, ending), name=f"{ending.what} {ending.name}", daemon=True)
        for number, ending in enumerate(stage)
    ]
    for worker in workers:
        worker.start()
    until_s = monotonic() + stage_s
    for number, (worker, ending) in enumerate(zip(workers, stage, strict=True)):
        worker.join(max(0.0, until_s - monotonic()))
        if worker.is_alive():
            failed[number] = LinkTimeout(
                f"{ending.what} {ending.name!r} did not end within {stage_s:.3g} s; its outputs may still be on: "
                "switch it off by hand"
            )
    return [(stage[number], failed[number]) for number in sorted(failed)]
