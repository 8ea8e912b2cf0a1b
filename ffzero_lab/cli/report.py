"""``ffzero-lab report``: writes the page of a training run; the same page ends ``train``."""

import shlex
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import typer

from ffzero_lab.cli.layout import say
from ffzero_lab.cli.outcome import outcome, print_json
from ffzero_lab.runs.layout import FIGURES
from ffzero_lab.signals import Interruption, Signals


def report_command(run: Path, *, as_json: bool) -> None:
    """Write the report of a run, complete or not, into its folder; of a protocol, those of its training runs."""
    with outcome(as_json=as_json):
        from ffzero_lab.report import write_reports

        pages = write_reports(run)
        if as_json:
            told = [{"page": str(page), "figures": str(page.with_name(FIGURES))} for page in pages]
            print_json({"run": str(run), "reports": told})
        else:
            say("\n".join(f"report: {page}" for page in pages))


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
    except (Exception, Interruption) as error:  # noqa: BLE001 - a failure to draw changes nothing of the run
        again = f"the run is complete; for its report: ffzero-lab report {shlex.quote(str(run))}"
        with suppress(OSError):
            typer.echo(f"ffzero-lab: the report was not written ({_told(error)}); {again}", err=True)
    finally:
        signals.parking()  # nothing is left that could be interrupted, and the exit code is that of the run


def _tell(line: str, *, as_json: bool) -> None:
    if not as_json:
        say(line)


def _told(error: BaseException) -> str:
    return str(error) if isinstance(error, Interruption) else f"{type(error).__name__}: {error}"
