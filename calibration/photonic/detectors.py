"""Detectors: dark readings, noise, gains relative to one another, saturation, and outputs that see nothing.

Dark: at zero drive the modulators leak. Driven together to x, all ports carry amplitudes proportional to x + l, so that
an output reads d + C (x + l)²; the l that all outputs share tells the leaked light from the dark reading d.
Gains: a mesh whose waveguides lose alike passes the same power at every setting, Σ_j z_j/g_j = const for each pattern.
The weights 1/g are the direction in which the readings do not vary, the last eigenvector of their covariance (total
least squares, Golub and Van Loan 1980, SIAM J. Numer. Anal. 17, 883); no phase needs to be known.
Noise: the scatter of repeated readings, without light and bright; shot noise is what the light adds to the variance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from calibration.photonic import contexts
from calibration.procedure import Bench, Outcome, Sweep
from calibration.saturation import saturated
from ffzero_lab.device import Counts
from ffzero_lab.device.record import Finding, Quantity

FloatArray = NDArray[np.float64]
DRIVES = (0.0, 0.1, 0.2, 0.35, 0.5)
"""Common drives of all ports between none and full, for the dark readings."""
REPEATS = 400
"""Readings of one pattern at one setting, for the noise."""
PATTERNS = 16
RAMPS = 24
"""Settings at which the drives are ramped."""
FEWEST_DRIVES = 3
"""Common drives without a saturated reading that the dark readings take at least."""
MOST_LEAK = 0.4
UNCHANGED = 3.0
"""An output that varies less than so many times its noise, over settings at which the others vary, sees nothing."""


@dataclass(frozen=True)
class Dark:
    """Dark readings (n,), their standard uncertainties (n,) and the scatter (n,) of one reading."""

    readings: FloatArray
    spread: FloatArray
    noise: FloatArray


class Detectors:
    """Dark readings, noise, gains and dead outputs."""

    name = "detectors"
    needs: tuple[str, ...] = ()
    waits_s = 0.0
    finds = ("dead",)

    def suits(self, bench: Bench) -> str:
        """Return why nothing is said: only a passive mesh keeps its light together."""
        return contexts.why_not_heaters(bench)

    def predicted(self, bench: Bench) -> Counts:
        """Return the readings of ramps, repeats and random settings."""
        settings = _settings(bench)
        shots = RAMPS * len(_ramp(bench)) * _ramp_repeats() + 2 * REPEATS + settings * PATTERNS
        return Counts(writes=settings + RAMPS + 1, readings=settings + RAMPS + 1, shots=shots)

    def run(self, bench: Bench) -> Outcome:
        """Measure at random settings and evaluate."""
        ramps = bench.kept("ramps", lambda: _ramped(bench))
        repeated = np.asarray(bench.kept("repeats", lambda: _repeated(bench))["readings"], dtype=np.float64)
        random = np.asarray(bench.kept("settings", lambda: _random(bench))["readings"], dtype=np.float64)
        described, full_scale = bench.described, bench.described.output_upper
        noise = repeated[0].std(axis=0, ddof=1)
        dead = dead_outputs(random, noise)
        living = np.setdiff1d(np.arange(described.n_outputs), [*dead, *bench.dead_outputs])
        clipped, clipped_bright, clipped_random = (
            np.asarray(ramps["saturated"]),
            saturated(described, repeated[1]),
            saturated(described, random),
        )
        dark = _dark(np.asarray(ramps["readings"], dtype=np.float64), clipped, noise, living)
        whole = ~clipped_random.any(axis=(0, 2))
        gain, gain_spread = _gains(random[:, whole], noise, living, complete=len(living) == described.n_outputs)
        bright = np.setdiff1d(living, np.flatnonzero(clipped_bright.any(axis=0)))
        shot, shot_spread = _shot(repeated - dark.readings, bright, full_scale)
        quantities = {
            "dark": Quantity.of(bench.described.output_unit, "output", dark.readings, dark.spread, "without light"),
            "gain": Quantity.of("1", "output", gain, gain_spread, "relative to the mean, from energy conservation"),
            "noise": Quantity.of(
                "1",
                "output",
                noise / full_scale,
                noise / full_scale / np.sqrt(2.0 * (REPEATS - 1)),
                "standard deviation of one reading without light, as a fraction of full scale",
            ),
            "shot": Quantity.of(
                "1", "layer", shot, shot_spread, "standard deviation that full-scale light adds, fraction of full scale"
            ),
        }
        left_out = clipped.sum(axis=0) + clipped_bright.sum(axis=0) + clipped_random.sum(axis=(0, 1))
        return Outcome(quantities, _findings(bench, dead, left_out, dark, gain), dead_outputs=dead)


def dead_outputs(readings: FloatArray, noise: FloatArray) -> dict[int, str]:
    """Return the outputs that see nothing, from *readings* (M, R, n) at M settings and the *noise* (n,) of one reading.

    An output sees nothing when it varies no more than its own noise allows, or a thousandth of what the others do.
    """
    varies = readings.reshape(-1, readings.shape[-1]).std(axis=0)
    least = np.maximum(UNCHANGED * noise, 1e-3 * float(np.median(varies)))
    return {int(output): "dead" for output in np.flatnonzero(varies <= least)}


def _ramp(bench: Bench) -> FloatArray:
    """Return the patterns (L, n_in) that drive all ports together."""
    described = bench.described
    dark = max(described.input_lower, 0.0)
    drives = dark + np.array(DRIVES) * (described.input_upper - dark)
    in_phase = np.zeros((len(drives), described.n_inputs))
    ports = described.n_inputs if described.input_lower >= 0.0 else described.n_inputs // 2
    in_phase[:, :ports] = drives[:, np.newaxis]
    return in_phase


def _ramp_repeats() -> int:
    return 16


def _ramped(bench: Bench) -> Sweep:
    """Measure the mean readings (L, n) of the common drives, over random settings and repeats.

    With them goes how many of the single readings were saturated (L, n), which the means do not show.
    """
    patterns = np.concatenate([_ramp(bench), contexts.coherent_patterns(bench, 1)])
    contexts.load(bench, patterns)
    rows = np.repeat(np.arange(len(patterns)), _ramp_repeats())
    settings = np.stack([contexts.background(bench, number) for number in range(RAMPS)])
    readings = bench.device.probe(bench.layer, settings, rows)
    by_drive = readings.reshape(RAMPS, len(patterns), _ramp_repeats(), -1)[:, : len(DRIVES)]
    clipped = np.count_nonzero(saturated(bench.described, by_drive), axis=(0, 2))
    return {"readings": by_drive.mean(axis=(0, 2)), "saturated": clipped}


def _repeated(bench: Bench) -> Sweep:
    """Read (2, K, n) without drive and with a bright pattern, in turn: dark rows alone would pass for a dead laser."""
    contexts.load(bench, np.concatenate([_ramp(bench)[:1], contexts.coherent_patterns(bench, 1)]))
    setting = contexts.background(bench, 0)[np.newaxis]
    readings = bench.device.probe(bench.layer, setting, np.tile(np.arange(2), REPEATS))[0]
    return {"readings": readings.reshape(REPEATS, 2, -1).swapaxes(0, 1)}


def _random(bench: Bench) -> Sweep:
    """Read (M, R, n) at random settings."""
    contexts.load(bench, contexts.coherent_patterns(bench, PATTERNS))
    settings = np.stack([contexts.background(bench, RAMPS + number) for number in range(_settings(bench))])
    return {"readings": bench.device.probe(bench.layer, settings, np.arange(PATTERNS)).astype(np.float32)}


def _settings(bench: Bench) -> int:
    return 160 + 4 * bench.described.n_outputs


def _dark(ramps: FloatArray, clipped: NDArray[np.intp], noise: FloatArray, living: NDArray[np.intp]) -> Dark:
    """Return the dark readings by the drives at which no living output saturated; unknown where these are too few."""
    whole = ~(clipped[:, living] > 0).any(axis=1)
    if np.count_nonzero(whole) < FEWEST_DRIVES:
        unknown = np.full(len(noise), np.nan)
        return Dark(unknown, unknown, noise)
    return dark_readings(ramps[whole], np.array(DRIVES)[whole], noise, living)


def dark_readings(ramps: FloatArray, drives: FloatArray, noise: FloatArray, living: NDArray[np.intp]) -> Dark:
    """Fit d + C (x + l)² with a common l to the readings (L, n) of the common *drives* (L,).

    The uncertainty of l, which the *living* outputs tell together, is in that of each d.
    """

    def solved(leak: float) -> tuple[FloatArray, float]:
        basis = np.stack([np.ones_like(drives), (drives + leak) ** 2], axis=1)
        found, left = _least_squares(basis, ramps)
        return found, float((left[:, living] ** 2).sum())

    leak = float(minimize_scalar(lambda leak: solved(float(leak))[1], bounds=(0.0, MOST_LEAK), method="bounded").x)
    dark, slope = solved(leak)[0]
    basis = np.stack([np.ones_like(drives), (drives + leak) ** 2], axis=1)
    inverse = np.asarray(np.linalg.pinv(basis), dtype=np.float64)
    by_leak = 2.0 * np.outer(drives + leak, slope)  # (L, n)
    beyond = by_leak - basis @ (inverse @ by_leak)
    mean_noise = noise / np.sqrt(RAMPS * _ramp_repeats())
    leak_variance = 1.0 / float((np.square(beyond) / np.square(mean_noise))[:, living].sum())
    spread = np.sqrt(np.square(inverse[0]).sum() * mean_noise**2 + np.square(inverse[0] @ by_leak) * leak_variance)
    return Dark(dark, spread, noise)


def _least_squares(basis: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    across, along = np.linalg.qr(basis)
    inside: FloatArray = across.T @ values
    found = np.asarray(np.linalg.solve(along, inside), dtype=np.float64)
    return found, values - across @ inside


def _gains(
    readings: FloatArray, noise: FloatArray, living: NDArray[np.intp], *, complete: bool
) -> tuple[FloatArray, FloatArray]:
    """Return gains (n,) relative to their mean, with uncertainties; NaN when an output is missing from the balance."""
    unknown = np.full(len(noise), np.nan)
    if not complete or readings.shape[1] == 0:
        return unknown, unknown
    varying = (readings - readings.mean(axis=0)).reshape(-1, len(living))
    degrees = (readings.shape[0] - 1) * readings.shape[1]
    values, vectors = np.linalg.eigh(varying.T @ varying / degrees)
    weights = vectors[:, 0] / vectors[:, 0].mean()
    # First-order perturbation of the eigenvector by noise: each other direction by σ|w|/(√degrees · its own spread).
    kept_apart = (vectors[:, 1:] ** 2 / values[1:]).sum(axis=1)
    noise_in_balance = float((noise**2).mean())
    by_noise = noise_in_balance * (weights @ weights) / degrees * kept_apart
    # What is out of balance beyond noise is light lost unevenly, at the edges; it does not average out.
    unbalanced = max(float(values[0]) - noise_in_balance, 0.0) * (weights @ weights)
    spread = np.sqrt(by_noise + unbalanced * kept_apart / len(living))
    gain: FloatArray = 1.0 / weights
    mean = float(gain.mean())
    own: FloatArray = spread * gain**2
    return gain / mean, own / mean


def _shot(repeated: FloatArray, outputs: NDArray[np.intp], full_scale: float) -> tuple[float, float]:
    """Return shot noise at full scale as a fraction of it, pooled over *outputs*, and its uncertainty."""
    if not len(outputs):
        return np.nan, np.nan
    variance = repeated[:, :, outputs].var(axis=1, ddof=1) / full_scale**2
    light = np.maximum(repeated[1][:, outputs].mean(axis=0) / full_scale, 0.0)
    added = float(((variance[1] - variance[0]) * light).sum() / (light**2).sum())
    errors = np.sqrt(2.0 / (REPEATS - 1)) * np.hypot(variance[0], variance[1])
    spread = float(np.sqrt(((errors * light) ** 2).sum()) / (light**2).sum())
    shot = float(np.sqrt(max(added, 0.0)))
    return shot, float(min(np.sqrt(spread), spread / (2.0 * shot))) if shot > 0.0 else float(np.sqrt(spread))


def _findings(
    bench: Bench, dead: dict[int, str], left_out: NDArray[np.intp], dark: Dark, gain: FloatArray
) -> tuple[Finding, ...]:
    described = bench.described
    found = [
        Finding(
            severity="fault",
            where=f"layer {bench.layer}, {described.output_name(output)}",
            what="sees nothing: it does not vary with settings and patterns",
        )
        for output in dead
    ]
    found += [
        Finding(
            severity="note",
            where=f"layer {bench.layer}, {described.output_name(int(output))}",
            what=f"saturated in {int(left_out[output])} readings; what these belong to was left out",
        )
        for output in np.flatnonzero(left_out)
    ]
    if left_out.any() and np.isnan(gain).all() and not dead:
        what = "each random pattern saturates an output at some setting: gains cannot be told. Send less light"
        found.append(Finding(severity="warning", where=f"layer {bench.layer}", what=what))
    if np.isnan(dark.readings).all():
        what = "outputs saturate at almost every drive: dark readings cannot be told. Send less light"
        found.append(Finding(severity="warning", where=f"layer {bench.layer}", what=what))
    if dead:
        found.append(
            Finding(
                severity="warning",
                where=f"layer {bench.layer}",
                what="with a dead output the light is not complete: gains cannot be told from energy conservation",
            )
        )
    return tuple(found)
