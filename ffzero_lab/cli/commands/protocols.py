"""Declares ``protocols list``, ``show`` and ``check``."""

from typing import Annotated

import typer

from ffzero_lab.cli.commands.options import Json

app = typer.Typer(help="List, show and check protocols.", no_args_is_help=True)

ProtocolName = Annotated[str, typer.Argument(help="A shipped protocol, or a file (.toml).")]


@app.command("list")
def protocols_list(json_: Json = False) -> None:
    """List the protocols that come with the package."""
    from ffzero_lab.cli.protocols import list_command

    list_command(as_json=json_)


@app.command("show")
def protocols_show(protocol: ProtocolName, json_: Json = False) -> None:
    """Print a protocol's text, to begin one of your own from."""
    from ffzero_lab.cli.protocols import show_command

    show_command(protocol, as_json=json_)


@app.command("check")
def protocols_check(
    protocol: ProtocolName,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="STEP.KEY=VALUE", help="As for run. Repeatable.")
    ] = None,
    json_: Json = False,
) -> None:
    """Explain every mistake of a protocol that can be found without a device; run --dry-run finds the others."""
    from ffzero_lab.cli.protocols import check_command

    check_command(protocol, set_ or [], as_json=json_)
