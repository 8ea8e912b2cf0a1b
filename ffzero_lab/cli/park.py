"""``ffzero-lab park``: brings a bench into its safe state, through its owner when it has one."""

from pathlib import Path

import typer

from ffzero_lab.bench_lock import BenchBusy
from ffzero_lab.cli.outcome import outcome, print_json
from ffzero_lab.cli.request import device_options
from ffzero_lab.opening import bench_lock_of, open_configured
from ffzero_lab.runs import ControlRequest, ask


def park_command(device: str, assignments: list[str], *, wait_s: float, as_json: bool) -> None:
    """Ask a live owner to stop, wait until it has let the bench go, then park it whatever its state."""
    with outcome(as_json=as_json):
        options = device_options(assignments)
        lock = bench_lock_of(device, options)
        owner = None if lock is None else lock.owner
        stopped = None if owner is None else _ask(owner.run)
        try:
            opened = open_configured(device, options, wait_s=wait_s)
        except BenchBusy as busy:
            busy.add_note(f"it did not let go within {wait_s:.3g} s of being asked: end that process, then park again")
            raise
        with opened:
            opened.park()
            name = opened.description.name
        if as_json:
            print_json({"device": name, "parked": True, "stopped_run": stopped})
        else:
            typer.echo(f"{name} is parked" + (f"; {stopped} was asked to stop" if stopped else ""))


def _ask(run: str | None) -> str | None:
    """Ask the process that writes *run* to stop; return the run when it could be asked."""
    if run is None or not Path(run).is_dir():
        return None
    ask(Path(run), ControlRequest("stop"))
    return run
