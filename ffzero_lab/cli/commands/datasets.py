"""Declares ``datasets list`` and ``fetch``."""

from pathlib import Path
from typing import Annotated

import typer

from ffzero_lab.cli.commands.options import DataDir, Json

app = typer.Typer(help="List data sets, and fetch those that do not come with the package.", no_args_is_help=True)


@app.command("list")
def datasets_list(data_dir: DataDir = None, json_: Json = False) -> None:
    """List the data sets that go by a name, with size, classes and where they stand."""
    from ffzero_lab.cli.datasets import list_command

    list_command(data_dir, as_json=json_)


@app.command("fetch")
def datasets_fetch(
    name: Annotated[str, typer.Argument(help="mnist or fashion-mnist.")],
    data_dir: Annotated[
        Path | None,
        typer.Option(show_default="FFZERO_DATA", help="Folder of data sets; the set gets one of its own in it."),
    ] = None,
    url: Annotated[
        str | None, typer.Option(show_default="the set's own", help="Folder on the web with the four gzipped files.")
    ] = None,
    json_: Json = False,
) -> None:
    """Download an image set and check it; files that are there already are kept."""
    from ffzero_lab.cli.datasets import fetch_command

    fetch_command(name, data_dir, url, as_json=json_)
