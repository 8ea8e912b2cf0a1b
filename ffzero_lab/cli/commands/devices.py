"""Declares ``devices list``, ``check`` and ``identify``."""

from typing import Annotated

import typer

from ffzero_lab.cli.commands.options import DEVICES, Json

app = typer.Typer(help="List what can be reached, and look over a bench.", no_args_is_help=True)


@app.command("list")
def devices_list(json_: Json = False) -> None:
    """List installed drivers and instruments, VISA resources and serial ports."""
    from ffzero_lab.cli.devices import list_command

    list_command(as_json=json_)


@app.command("check")
def devices_check(
    device: Annotated[str, typer.Argument(metavar="BENCH", help=DEVICES)],
    energise: Annotated[
        bool, typer.Option("--energise", help="Also switch on and move every parameter a little, all inputs on.")
    ] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Option of the device. Repeatable.")
    ] = None,
    json_: Json = False,
) -> None:
    """Open a bench, identify and park it, read it back and in the dark, time every exchange; switches nothing on."""
    from ffzero_lab.signals import Signals

    with Signals():
        from ffzero_lab.cli.devices import check_command

        check_command(device, set_ or [], energise=energise, as_json=json_)


@app.command("identify")
def devices_identify(
    resource: Annotated[str, typer.Argument(help="A VISA resource, such as TCPIP::10.0.0.5::5025::SOCKET, or a port.")],
    wait: Annotated[float, typer.Option(help="Seconds for connecting and answering together.")] = 5.0,
    json_: Json = False,
) -> None:
    """Ask the instrument at an address who it is (*IDN?)."""
    from ffzero_lab.signals import Signals

    with Signals():
        from ffzero_lab.cli.devices import identify_command

        identify_command(resource, wait_s=wait, as_json=json_)
