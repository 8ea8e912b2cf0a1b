"""``ffzero-lab report``: writes the page of a training run; the same page ends ``train``."""

import shlex
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import typer

from ffzero_lab.cli.outcome import outcome, print_json
from ffzero_lab.runs.layout import FIGURES
from ffzero_lab.signals import Interruption, Signals


def report_command(run: Path, *, as_json: bool) -> None:
    """Write the report of a run, complete or not, into its folder."""
    with outcome(as_json=as_json):
        from ffzero_lab.report import write_report

        page = write_report(run)
        if as_json:
            print_json({"run": str(run), "page": str(page), "figures": str(run / FIGURES)})
        else:
            typer.echo(f"report: {page}")


def report_at_the_end(run: Path, signals: Signals, *, as_json: bool) -> None:
    """Write the report of a run that is complete, its device parked and closed; whatever fails is only told.

    A signal ends the drawing, and nothing else: the run has its result already.
    """
    if signals.received:
        return
    try:
        signals.at_once()
        if find_spec("matplotlib") is None:
            _tell('no report: it is drawn with matplotlib, pip install "ffzero-lab[report]"', as_json=as_json)
            return
        from ffzero_lab.report import write_report

        _tell(f"report: {write_report(run)}", as_json=as_json)
    except (Exception, Interruption) as error:
        again = f"the run is complete; for its report: ffzero-lab report {shlex.quote(str(run))}"
        with suppress(OSError):
            typer.echo(f"ffzero-lab: the report was not written ({_told(error)}); {again}", err=True)


def _tell(line: str, *, as_json: bool) -> None:
    if not as_json:
        typer.echo(line)


def _told(error: BaseException) -> str:
    return str(error) if isinstance(error, Interruption) else f"{type(error).__name__}: {error}"
