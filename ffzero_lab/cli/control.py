"""``ffzero-lab pause``, ``continue``, ``stop`` and ``status``: speaks to a running process through its run folder."""

import time
from pathlib import Path
from typing import Any

import typer

from ffzero_lab.cli.outcome import outcome, print_json
from ffzero_lab.errors import InputError
from ffzero_lab.runs import ControlRequest, RunReader
from ffzero_lab.runs.liveness import is_written
from ffzero_lab.runs.standing import ENDED, ask_running, describe_state

ANSWER_POLL_S = 0.05
EXPECTED = {"pause": {"paused"}, "continue": {"running"}, "stop": {"stopped"}}


def control_command(run: Path, request: ControlRequest, *, wait_s: float, as_json: bool) -> None:
    """Ask a running process for something and wait for its answer in ``status.json``."""
    with outcome(as_json=as_json):
        reader = RunReader(run)
        before = ask_running(run, request)
        deadline = time.monotonic() + wait_s
        status = before
        while time.monotonic() < deadline:
            status = reader.status or before
            if status["state"] in EXPECTED[request.name] | ENDED or not is_written(status):
                break
            time.sleep(ANSWER_POLL_S)
        else:
            raise TimeoutError(
                f"{run} did not answer within {wait_s:.3g} s; the request stands and is heard at the next exchange"
            )
        _print(run, status, as_json)


def status_command(run: Path, *, as_json: bool) -> None:
    """Tell how a run stands."""
    with outcome(as_json=as_json):
        reader = RunReader(run)
        status = reader.status
        if status is None:
            raise InputError(f"{run} has told no status yet")
        _print(run, status, as_json)


def _print(run: Path, status: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json({"run": str(run), **status, "alive": is_written(status)})
        return
    last = status.get("last_event")
    where = "" if last is None or "layer" not in last else f", layer {last['layer']}"
    step = "" if last is None or "step" not in last else f", step {last['step']} of {status.get('steps', '?')}"
    reason = f": {status['reason']}" if "reason" in status else ""
    typer.echo(f"{run}: {describe_state(status)}{where}{step}{reason}")
