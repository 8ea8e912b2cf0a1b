"""The command line, and the one place where engine, drivers, calibration and protocols come together.

Every command loads what it needs when it is called, so that ``--help`` stays quick.
"""

import io
import os
import sys
from typing import Annotated

import typer

from ffzero_lab._version import __version__
from ffzero_lab.cli.commands import (
    bench,
    calibrate,
    calibrations,
    compare,
    computer,
    control,
    dashboard,
    datasets,
    devices,
    measure,
    protocols,
    report,
    run,
    runs,
    sweep,
    train,
)

app = typer.Typer(
    name="ffzero-lab",
    help="Train physical neural networks where they stand, from forward measurements alone.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


# --help tells them in this order: what learns and measures, what speaks to a run or a bench, what looks around.
app.command()(train.train)
app.command()(measure.evaluate)
app.command()(measure.predict)
app.command()(report.report)
app.command()(calibrate.calibrate)
app.command()(run.run)
app.command()(compare.compare)
app.command()(sweep.sweep)
app.command()(control.status)
app.command()(control.pause)
app.command("continue")(control.continue_)
app.command()(control.stop)
app.command()(control.park)
app.command()(dashboard.dashboard)
app.command()(computer.emulate)
app.command()(computer.doctor)
app.add_typer(runs.app, name="runs")
app.add_typer(calibrations.app, name="calibrations")
app.add_typer(protocols.app, name="protocols")
app.add_typer(datasets.app, name="datasets")
app.add_typer(bench.app, name="bench")
app.add_typer(devices.app, name="devices")


def main() -> None:
    """Run the command line. A sign that standard output cannot show becomes a question mark, and ends nothing.

    The engine multiplies small matrices, for which a linear-algebra library's own threads cost more than they give;
    whoever wants them sets these variables.
    """
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()
