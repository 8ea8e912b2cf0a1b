"""Curves over the run: score and loss, slopes with their noise, against measurements with device time above."""

# Much of what matplotlib takes is of unknown type.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, StrMethodFormatter
from numpy.typing import ArrayLike, NDArray

from ffzero_lab.figures.palette import CYCLE, GREY, INK, VERMILLION
from ffzero_lab.report.account import Account
from ffzero_lab.report.rows import LayerRows
from ffzero_lab.report.thinning import smoothed, thinned
from ffzero_lab.report.wording import MEASURES, readings_label

FloatArray = NDArray[np.float64]
SMOOTH_FROM = 60
"""Logged steps of a layer above which a running mean is drawn over them."""
SQUARES_FROM, LEAST_SQUARES = 12, 7
"""The same for what is told by its mean square, and the fewest squares of a mean: single ones say little."""
SMOOTH_SHARE = 40
"""The running mean takes a fortieth of them."""
LEAST_RATIO = 0.05
"""Of slope and noise, under which nothing is drawn."""
CROWDED = 8
"""Layers above which they are not named in a legend, but coloured one after the other."""


def learning(account: Account) -> Figure:
    """Draw score and loss of every layer, with the scores of the test part and what they stand beside."""
    figure, (scores, losses) = _stacked((1.25, 1.0))
    for number, rows in account.rows.layers.items():
        colour, label = layer_colour(number), account.name_of(number)
        _course(scores, rows, "score", colour, label)
        _course(losses, rows, "loss", colour, label)
        if rows.checks:
            seen = [(row["readings"], row["validation_score"]) for row in rows.checks]
            at, found = np.array(seen, dtype=np.float64).T
            kept = thinned(found)
            scores.plot(at[kept], found[kept], linestyle="none", marker=".", markersize=4, color=INK, zorder=4)
        if rows.done is not None:
            for axes, value in ((scores, rows.done["sum_train_score"]), (losses, rows.done["loss"])):
                axes.plot(
                    rows.done["readings"],
                    value,
                    marker="D",
                    markersize=5,
                    color=colour,
                    markeredgecolor=INK,
                    markeredgewidth=0.7,
                    zorder=5,
                    clip_on=False,
                )
    _levels(scores, account)
    scores.set_ylabel(MEASURES[account.measure])
    if account.measure == "accuracy":
        scores.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        scores.set_ylim(-0.02, 1.02)
    else:
        scores.set_ylim(max(scores.get_ylim()[0], _lowest_shown(account)), 1.02)
    losses.set_ylabel("loss")
    losses.set_ylim(bottom=0.0)
    _over_measurements(account, scores, losses)
    return figure


def _lowest_shown(account: Account) -> float:
    """Return the R² down to which there is room: a layer that begins at minus a hundred may not flatten all the rest.

    Whatever is a result is within it.
    """
    ends = [float(rows.done["sum_train_score"]) for rows in account.rows.layers.values() if rows.done is not None]
    results = [
        score for score in (account.test_score, account.untrained_score, account.linear_score) if score is not None
    ]
    return min(-1.0, *(1.05 * score for score in (*ends, *results) if score < 0.0), 0.0)


def slopes(account: Account) -> Figure:
    """Draw the slopes that were measured, and how far they stand above their noise."""
    told = noise_told(account)
    figure, panels = _stacked((1.0, 1.0) if told else (1.0,))
    sizes = panels[0]
    for number, rows in account.rows.layers.items():
        colour, label = layer_colour(number), account.name_of(number)
        _course(sizes, rows, "slope_rms", colour, label, of_squares=True)
        if told == "both":
            _course(panels[1], rows, "slope_over_error", colour, label, of_squares=True)
        chosen = _ratios(rows)
        if told and chosen:
            at, seen = [row["readings"] for row in chosen], [row["signal_to_noise"] for row in chosen]
            panels[1].plot(
                at, seen, linestyle="none", marker="s", markersize=5, color=colour, markeredgecolor=INK, zorder=5
            )
    _on_a_logarithm(sizes)
    sizes.set_ylabel("RMS slope / loss\nper typical change")
    if told:
        _on_a_logarithm(panels[1])
        panels[1].set_ylabel("RMS slope over\nits noise")
        panels[1].axhline(1.0, color=VERMILLION, linestyle="--", linewidth=1.0, label="as large as its noise")
        panels[1].set_ylim(bottom=max(LEAST_RATIO, panels[1].get_ylim()[0]))
    _over_measurements(account, *panels)
    return figure


def _on_a_logarithm(axes: Axes) -> None:
    """Let the values stand on a logarithm, where any of them is above zero: on a plateau every slope may be none."""
    if any(bool((np.asarray(line.get_ydata(), dtype=np.float64) > 0.0).any()) for line in axes.get_lines()):
        axes.set_yscale("log")


def noise_told(account: Account) -> Literal["both", "measured", ""]:
    """Return what is known of the slopes' noise: of every step and where ε was measured, the latter alone, or nothing.

    Where the batch is the whole training part, nothing is drawn, and what scatters among its patterns is no noise.
    """
    layers, dataset = account.rows.layers.values(), account.manifest["dataset"]
    drawn = account.manifest["plan"]["batch"] < round(dataset["train"] * (1.0 - account.settings.validation)) - 1
    if drawn and any(rows.has("slope_over_error") for rows in layers):
        return "both"
    return "measured" if any(_ratios(rows) for rows in layers) else ""


def _ratios(rows: LayerRows) -> list[Mapping[str, Any]]:
    return [row for row in rows.amplitudes if row["signal_to_noise"] is not None]


def layer_colour(number: int) -> str:
    """Return the colour of a layer in every figure."""
    return CYCLE[number % len(CYCLE)]


def _stacked(heights: Sequence[float]) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(9.6, 1.0 + 2.2 * sum(heights)), layout="constrained")
    panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights})
    return figure, panels[:, 0].tolist()


def _course(axes: Axes, rows: LayerRows, name: str, colour: str, label: str, *, of_squares: bool = False) -> None:
    """Draw what was logged, thinned; where there are many points, in pale, and their running mean, or RMS."""
    values, at = rows.columns[name], rows.columns["readings"]
    known = np.isfinite(values)
    values, at = values[known], at[known]
    if not len(values):
        return
    kept = thinned(values)
    if len(values) < (SQUARES_FROM if of_squares else SMOOTH_FROM):
        marker = "." if len(values) < SMOOTH_FROM // 2 else ""
        axes.plot(at[kept], values[kept], color=colour, label=label, marker=marker)
        return
    axes.plot(at[kept], values[kept], color=colour, alpha=0.3, linewidth=0.7)
    width = max(2 * (len(values) // (2 * SMOOTH_SHARE)) + 1, LEAST_SQUARES if of_squares else 1)
    mean = np.sqrt(smoothed(values**2, width)) if of_squares else smoothed(values, width)
    kept = thinned(mean)
    axes.plot(at[kept], mean[kept], color=colour, label=label, linewidth=1.8)


def _levels(axes: Axes, account: Account) -> None:
    """Draw the score of the test part, and those of the baselines, across."""
    levels = (
        (account.test_score, "-", INK, f"test part, readout {account.settings.readout!r}"),
        (account.linear_score, "--", GREY, "linear model of the raw features"),
        (account.untrained_score, ":", GREY, "untrained device"),
    )
    for value, style, colour, label in levels:
        if value is not None:
            axes.axhline(value, linestyle=style, color=colour, linewidth=1.3, label=label, zorder=1)


def _over_measurements(account: Account, *panels: Axes) -> None:
    layers = account.rows.layers
    for axes in panels:
        for before in list(layers.values())[:-1]:
            if before.done is not None:
                axes.axvline(before.done["readings"], color=GREY, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0)
    panels[-1].set_xlabel(readings_label(account))
    panels[-1].set_xlim(left=0.0)
    panels[-1].xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    _device_time_above(panels[0], account)
    handles: dict[str, Artist] = {}
    for axes in panels:
        found = zip(*axes.get_legend_handles_labels(), strict=True)
        handles |= {label: handle for handle, label in found if label not in handles}
    if len(layers) > CROWDED:
        handles = {label: handle for label, handle in handles.items() if not label.startswith("layer ")}
    if handles:
        panels[0].figure.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=min(5, len(handles))
        )


def _device_time_above(axes: Axes, account: Account) -> None:
    """Add an axis of device time, where that goes on with the measurements."""
    readings, seconds = time_course(account)
    if len(readings) < 2:
        return
    factor, unit = (1.0, "s") if seconds[-1] < 600.0 else (60.0, "min") if seconds[-1] < 36000.0 else (3600.0, "h")
    over, back = _through(readings, seconds / factor), _through(seconds / factor, readings)
    above = axes.secondary_xaxis("top", functions=(over, back))
    above.set_xlabel(f"device time / {unit}")


def time_course(account: Account) -> tuple[FloatArray, FloatArray]:
    """Return measurements and device seconds of logged steps, only those at which both have risen; from zero."""
    columns = [rows.columns for rows in account.rows.layers.values() if len(rows.columns["readings"])]
    if not columns:
        return np.empty(0), np.empty(0)
    readings, seconds = (
        np.concatenate([[0.0], *(own[name] for own in columns)]) for name in ("readings", "device_seconds")
    )
    rising = [0]
    for place in range(1, len(readings)):
        if readings[place] > readings[rising[-1]] and seconds[place] > seconds[rising[-1]]:
            rising.append(place)
    return readings[rising], seconds[rising]


def _through(xs: FloatArray, ys: FloatArray) -> Callable[[ArrayLike], ArrayLike]:
    """Return the broken line through points, which goes on straight behind its ends."""
    first, last = (ys[1] - ys[0]) / (xs[1] - xs[0]), (ys[-1] - ys[-2]) / (xs[-1] - xs[-2])

    def value(given: ArrayLike) -> ArrayLike:
        at = np.asarray(given, dtype=np.float64)
        inside = np.interp(at, xs, ys)
        before, behind = np.minimum(at - xs[0], 0.0), np.maximum(at - xs[-1], 0.0)
        return inside + first * before + last * behind

    return value
