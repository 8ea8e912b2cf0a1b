"""Declares ``doctor`` and ``emulate``."""

from pathlib import Path
from typing import Annotated

import typer

from ffzero_lab.cli.commands.options import Json, RunDir


def doctor(run_dir: RunDir = Path("runs"), json_: Json = False) -> None:
    """Look at this computer: versions, back ends, permissions, ports, disk and clocks."""
    from ffzero_lab.cli.doctor import doctor_command

    doctor_command(run_dir, as_json=json_)


def emulate(
    bench: Annotated[Path, typer.Argument(help=r"A bench file (.toml) with a table \[emulation].")],
    output: Annotated[
        Path | None, typer.Option(show_default="standard output", help="Write the bench file that connects to it here.")
    ] = None,
    faults: Annotated[Path | None, typer.Option(help="What goes wrong, and when (JSON or TOML).")] = None,
    witness: Annotated[Path | None, typer.Option(help="Append everything that reaches an output to this file.")] = None,
    json_: Json = False,
) -> None:
    """Serve the instruments of a bench file on loopback ports, with a twin behind them, until Ctrl-C."""
    from ffzero_lab.cli.emulate import emulate_command

    emulate_command(bench, output=output, faults=faults, witness=witness, as_json=json_)
