"""``ffzero-lab dashboard``: shows the runs of a folder in a browser, as they go on."""

import json
import socket
from collections.abc import Sequence
from pathlib import Path

import typer

from ffzero_lab.cli.outcome import outcome
from ffzero_lab.errors import InputError

EXTRA = "dashboard"


def dashboard_command(run_dir: Path, *, host: str, port: int, names: Sequence[str], as_json: bool) -> None:
    """Serve until a signal comes; the token that control needs is shown once, here."""
    with outcome(as_json=as_json):
        try:
            from ffzero_lab.dashboard.access import Access, new_token
            from ffzero_lab.dashboard.serving import address_of, listening, serve
        except ModuleNotFoundError as error:
            raise InputError(
                f"the live view needs {error.name}, which is not installed: pip install 'ffzero-lab[{EXTRA}]'"
            ) from error
        if not run_dir.is_dir():
            raise InputError(f"--run-dir {run_dir} is no folder; name the folder that holds the runs")
        if not 0 <= port <= 65_535:
            raise InputError(f"--port {port}: allowed are 0 (any that is free) to 65535")
        access = Access.of(new_token(), host, names)
        with listening(host, port) as listener:
            address = address_of(listener, host)

            def tell() -> None:
                if as_json:
                    told = {"address": address, "token": access.token, "run_dir": str(run_dir)}
                    typer.echo(json.dumps(told))
                    return
                typer.echo(
                    f"the runs in {run_dir}: {address}\n"
                    f"with the right to control them: {address}#token={access.token}\n"
                    f"the token alone, shown this once: {access.token}"
                )
                if not access.reading_is_open:
                    elsewhere = f"http://{socket.gethostname()}:{listener.getsockname()[1]}/#token={access.token}"
                    typer.echo(f"from other machines, where reading needs the token as well: {elsewhere}")
                    typer.echo("it goes over the network unencrypted; a tunnel does not: ssh -L")
                typer.echo("Ctrl-C ends the view; the runs go on")

            serve(run_dir, listener, access, tell)
