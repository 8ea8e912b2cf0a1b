"""Declares ``pause``, ``continue``, ``stop``, ``status`` and ``park``."""

from typing import Annotated

import typer

from ffzero_lab.cli.commands.options import Json, RunFolder

Wait = Annotated[float, typer.Option(help="Seconds to wait for the answer.")]


def pause(
    run: RunFolder,
    hold: Annotated[bool, typer.Option("--hold", help="Leave the outputs on instead of parking.")] = False,
    wait: Wait = 10.0,
    json_: Json = False,
) -> None:
    """Pause a running run; it parks meanwhile."""
    from ffzero_lab.cli.control import control_command
    from ffzero_lab.runs import ControlRequest

    control_command(run, ControlRequest("pause", park=not hold), wait_s=wait, as_json=json_)


def continue_(run: RunFolder, wait: Wait = 10.0, json_: Json = False) -> None:
    """Let a paused run go on."""
    from ffzero_lab.cli.control import control_command
    from ffzero_lab.runs import ControlRequest

    control_command(run, ControlRequest("continue"), wait_s=wait, as_json=json_)


def stop(run: RunFolder, wait: Wait = 10.0, json_: Json = False) -> None:
    """Stop a running run: it parks, saves, and can be resumed."""
    from ffzero_lab.cli.control import control_command
    from ffzero_lab.runs import ControlRequest

    control_command(run, ControlRequest("stop"), wait_s=wait, as_json=json_)


def status(run: RunFolder, json_: Json = False) -> None:
    """Tell how a run stands."""
    from ffzero_lab.cli.control import status_command

    status_command(run, as_json=json_)


def park(
    device: Annotated[str, typer.Argument(help="twin, an installed driver, module:Class, or a bench file (.toml).")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Option of the device. Repeatable.")
    ] = None,
    wait: Wait = 10.0,
    json_: Json = False,
) -> None:
    """Bring a bench into its safe state: a live owner is asked to stop first; works after a crash."""
    from ffzero_lab.cli.park import park_command

    park_command(device, set_ or [], wait_s=wait, as_json=json_)
