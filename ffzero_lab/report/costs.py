"""What a run cost, against what was predicted before it began."""

# Much of what matplotlib takes is of unknown type.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from ffzero_lab.device.counts import PURPOSES
from ffzero_lab.figures.page import Table
from ffzero_lab.figures.palette import BLUE, INK, ORANGE
from ffzero_lab.report.account import Account
from ffzero_lab.report.thinning import thinned
from ffzero_lab.report.wording import readings_label, spelled

KINDS = ("writes", "readings", "shots")


def spent_of(account: Account) -> Mapping[str, Mapping[str, int]] | None:
    """Return what was counted, by purpose; None: the run is not complete, and only totals are known."""
    return None if account.summary is None else account.summary["counts"]


def counts_table(account: Account) -> Table:
    """Return writes, readings and shots by purpose, predicted and actual, with device time."""
    planned: Mapping[str, Mapping[str, int]] = account.manifest["plan"]["counts"]
    spent, last = spent_of(account), account.rows.last
    rows: list[tuple[str, ...]] = []
    for purpose in PURPOSES:
        own, theirs = planned.get(purpose, {}), {} if spent is None else spent.get(purpose, {})
        if any(own.get(kind) or theirs.get(kind) for kind in KINDS):
            actual = ["" if spent is None else f"{theirs.get(kind, 0):,}" for kind in KINDS]
            rows.append((purpose, *_paired([f"{own.get(kind, 0):,}" for kind in KINDS], actual), "", ""))
    totals = {kind: sum(own.get(kind, 0) for own in planned.values()) for kind in KINDS}
    told: Mapping[str, Any] = account.summary or last or {}
    seconds = told.get("device_seconds")
    so_far = "all" if account.summary is not None else "all, as far as it came"
    actual = [f"{told[kind]:,}" if kind in told else "" for kind in KINDS]
    cells = _paired([f"{totals[kind]:,}" for kind in KINDS], actual)
    took = "" if seconds is None else spelled(float(seconds))
    rows.append((so_far, *cells, spelled(float(account.manifest["plan"]["seconds"])), took))
    headings = [heading for kind in (*KINDS, "device time") for heading in (f"{kind}, plan", "spent")]
    return Table(("on", *headings), tuple(rows))


def device_time(account: Account) -> Figure:
    """Draw device time over the run beside what τp and τx say for the same writes and shots."""
    columns = [rows.columns for rows in account.rows.layers.values() if len(rows.columns["readings"])]
    names = ("readings", "writes", "shots", "device_seconds")
    readings, writes, shots, seconds = (np.concatenate([[0.0], *(own[name] for own in columns)]) for name in names)
    timing = account.description.timing
    predicted = writes * timing.write_s + shots * timing.shot_s
    figure = Figure(figsize=(9.6, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for values, style, colour, label in (
        (seconds, "-", BLUE, "the device's own clock"),
        (predicted, "--", INK, "predicted: writes · τp + shots · τx"),
    ):
        kept = thinned(values)
        axes.plot(readings[kept], values[kept], style, color=colour, label=label)
    total, plan = account.summary, float(account.manifest["plan"]["seconds"])
    if total is not None:
        axes.plot(total["readings"], total["device_seconds"], marker="o", color=BLUE, linestyle="none")
    counts: Mapping[str, Mapping[str, int]] = account.manifest["plan"]["counts"]
    readings_planned = sum(own["readings"] for own in counts.values())
    axes.plot(readings_planned, plan, marker="D", color=ORANGE, linestyle="none", label="predicted before the run")
    axes.set_xlabel(readings_label(account))
    axes.set_ylabel("device time / s")
    axes.set_xlim(left=0.0)
    axes.set_ylim(bottom=0.0)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.legend(loc="upper left")
    return figure


def _paired(planned: list[str], actual: list[str]) -> list[str]:
    return [cell for pair in zip(planned, actual, strict=True) for cell in pair]
