"""``ffzero-lab park``: brings a bench into its safe state, through its owner when it has one."""

import time
from pathlib import Path

import typer

from ffzero_lab.bench_lock import BenchBusy
from ffzero_lab.cli.outcome import outcome, print_json
from ffzero_lab.cli.request import device_options
from ffzero_lab.device import park_within
from ffzero_lab.holding import lock_of
from ffzero_lab.opening import open_device
from ffzero_lab.runs import ControlRequest, ask

POLL_S = 0.05


def park_command(device: str, assignments: list[str], *, wait_s: float, as_json: bool) -> None:
    """Ask a live owner to stop, wait until it has let the bench go, then park it whatever its state."""
    with outcome(as_json=as_json), open_device(device, **device_options(assignments)) as opened:
        asked = None
        if opened.description.exclusive:
            lock = lock_of(opened)
            asked = _ask_owner(lock.owner.run if lock.owner is not None else None)
            deadline = time.monotonic() + wait_s
            while True:
                try:
                    lock.acquire(None)
                    break
                except BenchBusy:
                    if time.monotonic() >= deadline:
                        raise
                    time.sleep(POLL_S)
            with lock:
                park_within(opened)
        else:
            park_within(opened)
        result = {"device": opened.description.name, "parked": True, "stopped_run": asked}
        if as_json:
            print_json(result)
        else:
            typer.echo(f"{opened.description.name} is parked" + (f"; {asked} was stopped" if asked else ""))


def _ask_owner(run: str | None) -> str | None:
    if run is None or not Path(run).is_dir():
        return None
    ask(Path(run), ControlRequest("stop"))
    return run
