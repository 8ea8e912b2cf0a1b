"""How a run stands, as another process can tell: what its status says, and whether its process still exists."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ffzero_lab.errors import InputError
from ffzero_lab.runs.control import ControlRequest, ask
from ffzero_lab.runs.liveness import is_elsewhere, is_written
from ffzero_lab.runs.reader import RunReader

ENDED = frozenset({"stopped", "tripped", "failed", "complete"})
"""States after which no process writes the run."""
INTERRUPTED = "interrupted"


def state_of(status: Mapping[str, Any]) -> str:
    """Return the state that *status* tells; a process that died without saying so is ``interrupted``."""
    state = str(status["state"])
    return INTERRUPTED if state not in ENDED and not is_written(status) else state


def state_told(run: Path) -> str:
    """Return the state of a run without a summary: ``incomplete`` where nothing tells more."""
    try:
        status = RunReader(run).status
        return "incomplete" if status is None else state_of(status)
    except (InputError, KeyError, TypeError, ValueError, OverflowError):
        return "unreadable"


def ask_running(run: Path, request: ControlRequest) -> dict[str, Any]:
    """Put *request* in front of the process that writes *run*; returns the status it had told before.

    Raises InputError when no process does.
    """
    before = RunReader(run).status
    if before is None or state_of(before) in ENDED | {INTERRUPTED}:
        raise InputError(f"{run} cannot be asked to {request.name}: it is {describe_state(before)}")
    ask(run, request)
    return before


def refuse_after_trip(reader: RunReader, *, after_trip: bool) -> None:
    """Raise InputError where an interlock ended the run, or nobody can tell, unless the operator says *after_trip*.

    The status is not waited for when it is written, so that a power cut may leave none that can be read.
    """
    if after_trip:
        return
    try:
        status = reader.status or {}
    except InputError as error:
        raise InputError(
            f"{error}: nobody can tell whether an interlock ended the run. Look at the bench, then say --after-trip"
        ) from None
    if status.get("state") == "tripped":
        raise InputError(
            f"{reader.path} was ended by an interlock: {status.get('reason')}. Remove the cause, then say --after-trip"
        )


def describe_state(status: Mapping[str, Any] | None) -> str:
    """Return the state in words."""
    if status is None:
        return "not running"
    state = state_of(status)
    if state == INTERRUPTED:
        return "interrupted (its process is gone)"
    return f"{state} on {status['host']}" if is_elsewhere(status) and state not in ENDED else state
