"""What a calibration shows in a terminal: what it takes, what it took, what was found, what differs."""

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from calibration.comparison import Comparison
from calibration.runner import Planned, Runner, spent_by
from ffzero_lab.cli.layout import say
from ffzero_lab.cli.outcome import print_json
from ffzero_lab.cli.wording import spell_duration
from ffzero_lab.device import Counts
from ffzero_lab.device.record import CalibrationRecord, Finding, Spent

WHOLE = 100
"""Columns in which names of quantities are told whole; a narrower terminal, or none, breaks the line."""


def show_findings(findings: Sequence[Finding]) -> None:
    """Print what a person should know, the worst first."""
    for finding in findings:
        say(f"{finding.severity}: {finding.where}: {finding.what}")
    if not findings:
        say("nothing is out of family")


def show_plan(runner: Runner, planned: Sequence[Planned], *, as_json: bool) -> None:
    """Print what a calibration will about take, or why a procedure says nothing."""
    timing = runner.device.description.timing
    total, seconds = sum((each.counts for each in planned), Counts()), sum(each.seconds(timing) for each in planned)
    if as_json:
        rows = [{**asdict(each), "seconds": each.seconds(timing)} for each in planned]
        print_json({"procedures": rows, "total": {**asdict(total), "seconds": seconds}})
        return
    table = _cost_table(("writes", "readings", "shots", "device time"))
    for each in planned:
        cells = ["", "", "", each.why_not] if each.why_not else _cells(each.counts, each.seconds(timing))
        table.add_row(str(each.layer), each.procedure, *cells, style="dim" if each.why_not else None)
    table.add_section()
    table.add_row("", "all", *_cells(total, seconds))
    description = runner.device.description
    say(f"{description.name} ({description.serial_number}), about to measure:")
    Console().print(table)


def show_spent(runner: Runner, planned: Sequence[Planned], record: CalibrationRecord) -> None:
    """Print what a calibration took beside what was planned."""
    timing = runner.device.description.timing
    table = _cost_table(("writes", "planned", "shots", "planned", "device time", "planned"))
    for each in planned:
        spent = runner.spent.get((each.layer, each.procedure))
        if spent is not None:
            expected = spent_by(each.counts, each.seconds(timing))
            table.add_row(str(each.layer), each.procedure, *_side_by_side(spent, expected))
    table.add_section()
    table.add_row("", "all", *_side_by_side(record.spent, record.planned))
    Console().print(table)


def _cost_table(headings: Sequence[str]) -> Table:
    table = Table(box=None)
    table.add_column("layer", justify="right")
    table.add_column("procedure")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _side_by_side(spent: Spent, planned: Spent) -> list[str]:
    both = ((f"{each.writes:,}", f"{each.shots:,}", spell_duration(each.seconds)) for each in (spent, planned))
    return [cell for pair in zip(*both, strict=True) for cell in pair]


def _cells(counts: Counts, seconds: float) -> list[str]:
    return [f"{counts.writes:,}", f"{counts.readings:,}", f"{counts.shots:,}", spell_duration(seconds)]


def show_comparison(comparison: Comparison) -> None:
    """Print what differs first, and what does not in numbers."""
    table = Table(box=None)
    for heading in ("layer", "quantity", "values", "beyond", "worst", "difference", "uncertainty", "unit"):
        table.add_column(heading, justify="left" if heading in {"quantity", "unit"} else "right")
    for each in sorted(comparison.quantities, key=lambda one: -abs(one.difference) / one.uncertainty):
        table.add_row(
            str(each.layer),
            each.name,
            str(each.values),
            str(each.beyond),
            str(each.worst),
            f"{each.difference:+.3g}",
            f"{each.uncertainty:.2g}",
            each.unit,
            style="bold red" if each.beyond else None,
        )
    Console(width=max(Console().width, WHOLE)).print(table)
    for changed in comparison.changed:
        say(f"changed: {changed}")
    for missing in comparison.not_compared:
        say(f"not compared: {missing}")
    if not comparison.quantities:
        say("nothing was compared: whether they agree cannot be told")
        return
    verdict = "agrees" if comparison.agrees else "does NOT agree"
    say(f"{verdict} within {comparison.sigmas:.2g} joint standard uncertainties")
