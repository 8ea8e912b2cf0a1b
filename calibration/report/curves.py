"""Draws what varies with time, distance or amplitude: Allan deviation, drift, settling, crosstalk, the ε curve."""

# Much of what matplotlib takes is of unknown type.
# pyright: reportUnknownMemberType=false

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from calibration.report.plan import parameters_of
from calibration.report.wording import with_uncertainty
from ffzero_lab.device.record import LayerRecord, Quantity
from ffzero_lab.figures.palette import BLUE, GREY, ORANGE, SKY, VALUES, VERMILLION

FloatArray = NDArray[np.float64]
GAP = 4.0
"""A ratio of neighbouring averaging times above which two series meet, and no line is drawn."""
FARTHEST = 8.0
MATRIX_UP_TO = 400
"""Parameters up to which the crosstalk matrix is drawn."""
LEAST_SHARE = 1e-5


def allan(time: Quantity, deviation: Quantity) -> Figure:
    """Draw the Allan deviation over the averaging time, with the line along which white noise would fall."""
    times, values, spread = time.array, deviation.array, deviation.spread
    figure = Figure(figsize=(7.6, 3.9), layout="constrained")
    axes = figure.add_subplot()
    starts = np.flatnonzero(times[1:] > GAP * times[:-1]) + 1
    for number, part in enumerate(np.split(np.arange(len(times)), starts)):
        label = ("readings in a row", "averages over longer times")[min(number, 1)]
        colour = (BLUE, ORANGE)[min(number, 1)]
        axes.errorbar(
            times[part],
            values[part],
            np.nan_to_num(spread[part]),
            fmt="o-",
            color=colour,
            markersize=4,
            capsize=2,
            label=label,
        )
        white = values[part[0]] * np.sqrt(times[part[0]] / times[part])
        axes.plot(times[part], white, "--", color=GREY, zorder=1, label="white noise: ∝ 1/√τ" if number == 0 else None)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("averaging time τ / s")
    axes.set_ylabel("Allan deviation / full scale")
    axes.legend()
    return figure


def drift(readings: FloatArray, seconds: float, output_unit: str) -> Figure:
    """Draw how far each output of *readings* (L, patterns, n) at equal intervals walked since the first."""
    change = np.sqrt(((readings - readings[0]) ** 2).mean(axis=1))
    minutes = np.linspace(0.0, seconds / 60.0, len(readings))
    figure = Figure(figsize=(7.6, 3.4), layout="constrained")
    axes = figure.add_subplot()
    lines = axes.plot(minutes, change, color=SKY, linewidth=0.9)
    lines[0].set_label("each output")
    axes.plot(minutes, np.median(change, axis=1), color=BLUE, linewidth=2.2, label="median")
    axes.set_xlabel("time / min")
    axes.set_ylabel(f"RMS change over the patterns / {output_unit}")
    axes.set_ylim(bottom=0.0)
    axes.set_xlim(0.0, minutes[-1])
    axes.legend(loc="upper left")
    return figure


def settling(readings: FloatArray, seconds: float) -> Figure:
    """Draw how far outputs are from where they settle, after writes, in their own noise; readings (M, T, n)."""
    switches, shots, _ = readings.shape
    end = readings[:, -(shots // 3) :]
    centred = readings - end.mean(axis=1, keepdims=True)
    noise = float(np.sqrt((centred[:, -(shots // 3) :] ** 2).mean()))
    away = np.sqrt((centred**2).mean(axis=(0, 2))) / max(noise, 1e-300)
    time_ms = np.arange(int(shots), dtype=np.float64) * (1e3 * seconds / float(switches * shots))
    figure = Figure(figsize=(7.6, 2.9), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(time_ms, away, "o-", color=BLUE, markersize=3)
    axes.axhline(1.0, color=GREY, linestyle="--", linewidth=0.9, label="noise alone")
    axes.set_xlabel("time after the write has returned / ms")
    axes.set_ylabel("RMS distance from the end / σ")
    axes.set_ylim(bottom=0.0)
    axes.legend()
    return figure


def crosstalk(layer: LayerRecord) -> Figure:
    """Draw the share of a heater's heat that acts at a distance, and the matrix that `Calibrated` compensates."""
    nearest, decay = layer.quantities["offsets.crosstalk"], layer.quantities["offsets.crosstalk_decay"]
    share, rate = float(nearest.array[0]), float(decay.array[0])
    distance = np.linspace(1.0, FARTHEST, 100)
    curve = share * np.exp(-(distance - 1.0) * rate)
    own, of_rate = (float(np.nan_to_num(quantity.spread[0])) for quantity in (nearest, decay))
    band = curve * np.hypot(own / share if share else 0.0, (distance - 1.0) * of_rate)
    gains = _relative_gains(layer)
    figure = Figure(figsize=(10.4 if gains is not None else 5.6, 3.9), layout="constrained")
    axes = figure.add_subplot(1, 2 if gains is not None else 1, 1)
    axes.plot(distance, 100.0 * curve, color=BLUE)
    axes.fill_between(
        distance,
        100.0 * (curve - 2 * band),
        100.0 * (curve + 2 * band),
        color=SKY,
        alpha=0.4,
        linewidth=0,
        label="± 2 standard uncertainties",
    )
    axes.set_yscale("log")
    axes.set_xlabel("distance / heater pitches")
    axes.set_ylabel("share of a heater's heat / %")
    axes.set_title(f"one pitch away: {with_uncertainty(100 * share, 100 * own, '%')}")
    axes.legend()
    if gains is not None:
        matrix = figure.add_subplot(1, 2, 2)
        shown = np.ma.masked_less(gains, LEAST_SHARE)  # pyright: ignore[reportUnknownVariableType]
        image = matrix.imshow(shown, norm=LogNorm(LEAST_SHARE, 1.0), cmap=VALUES, interpolation="nearest")
        matrix.grid(visible=False)
        matrix.set_xlabel("driven parameter")
        matrix.set_ylabel("parameter that turns")
        matrix.set_title("phase per setpoint, relative to the own one")
        figure.colorbar(image, ax=matrix, label="share")
    return figure


def epsilon(layer: LayerRecord) -> Figure:
    """Draw how well measured slopes tell the true ones over the amplitude, with the chosen one."""
    known = layer.quantities
    multiples, correlations = known["epsilon.curve_multiple"].array, known["epsilon.curve_correlation"].array
    figure = Figure(figsize=(7.6, 4.0), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(multiples, correlations, color=BLUE, label="model of noise and curvature, fitted to the slopes")
    chosen, reached = known.get("epsilon.multiple"), known.get("epsilon.correlation")
    if chosen is not None and reached is not None:
        at, spread, height = float(chosen.array[0]), float(np.nan_to_num(chosen.spread[0])), float(reached.array[0])
        axes.axvspan(
            max(at - 2 * spread, multiples[0]),
            at + 2 * spread,
            color=ORANGE,
            alpha=0.2,
            linewidth=0,
            label="± 2 standard uncertainties",
        )
        axes.axvline(at, color=VERMILLION, linewidth=0.9, linestyle="--")
        axes.plot(at, height, "o", color=VERMILLION, markersize=8, label="recommended")
        axes.text(0.985, 0.04, _amplitudes(layer), transform=axes.transAxes, ha="right", va="bottom", fontsize=8.5)
    axes.set_xscale("log")
    axes.set_xlabel("RMS amplitude ε / typical changes (about one radian of phase each)")
    axes.set_ylabel("correlation of measured and true slopes")
    axes.set_ylim(min(0.0, float(np.nanmin(correlations))), 1.05)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _amplitudes(layer: LayerRecord) -> str:
    prefix = "epsilon.amplitude_"
    lines = [
        f"{name.removeprefix(prefix)}: {with_uncertainty(float(quantity.array[0]), float(quantity.spread[0]), '')}"
        for name, quantity in layer.quantities.items()
        if name.startswith(prefix)
    ]
    return "recommended, on the trained scale\n" + "\n".join(lines) if lines else ""


def _relative_gains(layer: LayerRecord) -> FloatArray | None:
    """Return |gain_ij|/|gain_ii| (P, P), NaN for parameters that do not move; None when there are too many or none."""
    count, transfer = parameters_of(layer), layer.transfer
    if transfer is None or not 1 < count <= MATRIX_UP_TO:
        return None
    gains = np.zeros((count, count))
    gains[list(transfer.rows), list(transfer.columns)] = np.abs(transfer.gains)
    own = np.diag(gains)
    return gains / np.where(own > 0.0, own, np.nan)[:, np.newaxis]
