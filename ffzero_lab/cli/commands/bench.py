"""Declares ``bench check`` and ``schema``."""

from pathlib import Path
from typing import Annotated

import typer

from ffzero_lab.cli.commands.options import Json

app = typer.Typer(help="Check bench files.", no_args_is_help=True)


@app.command("check")
def bench_check(file: Annotated[Path, typer.Argument(help="A bench file (.toml).")], json_: Json = False) -> None:
    """Explain every mistake of a bench file, or show which channel is what; no instrument is touched."""
    from ffzero_lab.cli.bench import check_command

    check_command(file, as_json=json_)


@app.command("schema")
def bench_schema(
    driver: Annotated[
        str, typer.Argument(help="Driver that the file names; bench: composed of instruments.")
    ] = "bench",
) -> None:
    """Print the JSON schema of bench files, for editors."""
    from ffzero_lab.cli.bench import schema_command

    schema_command(driver)
