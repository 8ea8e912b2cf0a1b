"""Declares ``sweep``."""

from pathlib import Path
from typing import Annotated

import typer

from ffzero_lab.cli.commands.options import Json


def sweep(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help=r"TOML file as for train --config, with a table \[sweep].")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1000, show_default="the file's, else 2", help="Processes of this computer.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(show_default="a local one", help="An existing Dask scheduler: tcp://HOST:PORT.")
    ] = None,
    run_dir: Annotated[Path, typer.Option(help="Folder in which the sweep gets a folder.")] = Path("runs"),
    name: Annotated[str | None, typer.Option(show_default="from the file", help="Name of that folder.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the sweep in this folder.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and what it costs, and end.")
    ] = False,
    json_: Json = False,
) -> None:
    """Train under each of many settings, a grid or drawn at random, with several processes."""
    from ffzero_lab.signals import Signals

    with Signals() as signals:
        from ffzero_lab.cli.outcome import Exit, outcome
        from ffzero_lab.cli.request import check_beside_resume
        from ffzero_lab.cli.sweep import resume_sweep
        from ffzero_lab.cli.sweep import sweep as carry_out
        from ffzero_lab.errors import InputError

        complete = False
        with outcome(as_json=json_):
            check_beside_resume(context, allowed=["json_", "workers", "scheduler"], only=[])
            if resume is not None:
                complete = resume_sweep(resume, signals, workers=workers, scheduler=scheduler, as_json=json_)
            elif file is None:
                raise InputError("name the sweep's FILE, or a folder to go on with: --resume SWEEP")
            else:
                complete = carry_out(
                    file,
                    signals,
                    workers=workers,
                    scheduler=scheduler,
                    run_dir=run_dir,
                    name=name,
                    dry_run=dry_run,
                    as_json=json_,
                )
        if not complete:
            raise typer.Exit(Exit.FAILED)
