"""Declares ``compare``."""

from pathlib import Path
from typing import Annotated

import typer

from ffzero_lab.cli.commands.options import DEVICES, DataDir, Json


def compare(
    device: Annotated[str | None, typer.Option(show_default="twin", help=DEVICES)] = None,
    dataset: Annotated[str | None, typer.Option(show_default="digits", help="As for train.")] = None,
    preset: Annotated[str | None, typer.Option(show_default="typical", help="Imperfections of the twin.")] = None,
    steps: Annotated[str | None, typer.Option(show_default="6000", help="Steps of each layer under ffzero.")] = None,
    batch: Annotated[str | None, typer.Option(show_default="512", help="Patterns of each reading.")] = None,
    rules: Annotated[
        str | None, typer.Option(show_default="all", help="Some of ffzero, bp-dd, ff-ad, bp-ad, with commas.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Runs of each rule, each with a seed of its own.")] = 1,
    seed: Annotated[str | None, typer.Option(show_default="0", help="The first of them.")] = None,
    run_dir: Annotated[
        Path | None, typer.Option(show_default="runs", help="Folder in which the comparison gets a folder.")
    ] = None,
    name: Annotated[str | None, typer.Option(show_default="from the data set", help="Name of that folder.")] = None,
    data_dir: DataDir = None,
    config: Annotated[Path | None, typer.Option(help="TOML file as for train; flags win.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other setting, as for train. Repeatable."),
    ] = None,
    json_: Json = False,
) -> None:
    """Train one task by several rules with the same number of loss evaluations, and draw accuracy against them."""
    from ffzero_lab.signals import Signals

    with Signals():
        from ffzero_lab.cli.compare import compare_command
        from ffzero_lab.cli.outcome import outcome
        from ffzero_lab.cli.request import Tables, read_request

        trained = {"dataset": dataset, "steps": steps, "batch": batch, "seed": seed, "data_dir": data_dir}
        flags = Tables(device={"name": device, "preset": preset}, train=trained, run={"run_dir": run_dir, "name": name})
        with outcome(as_json=json_):
            compare_command(read_request(config, flags, set_ or []), rules, seeds, as_json=json_)
