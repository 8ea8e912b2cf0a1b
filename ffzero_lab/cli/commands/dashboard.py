"""``ffzero-lab dashboard``: its options."""

from pathlib import Path
from typing import Annotated

import typer

from ffzero_lab.cli.commands.options import Json, RunDir


def dashboard(
    run_dir: RunDir = Path("runs"),
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; one that other machines reach makes reading need the token too."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0: any that is free.")] = 8730,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A further name the server is asked for by. Repeatable.")
    ] = None,
    json_: Json = False,
) -> None:
    """Show runs in a browser while they go on, and pause, continue or stop them there, until Ctrl-C."""
    from ffzero_lab.cli.dashboard import dashboard_command

    dashboard_command(run_dir, host=host, port=port, names=allow_host or (), as_json=json_)
