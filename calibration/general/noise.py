"""Noise of each output at one setting, and over time: how far averaging helps.

One bright pattern is read again and again while nothing moves. σ is the scatter of single readings; the overlapping
Allan deviation (Riley and Howe 2008, NIST Special Publication 1065, eq. 14) tells at which averaging time drift
overtakes noise. It is pooled over the outputs, each as a fraction of full scale.
"""

import numpy as np
from numpy.typing import NDArray

from calibration.photonic import contexts
from calibration.procedure import Bench, Outcome, Sweep
from ffzero_lab.device import Counts
from ffzero_lab.device.record import Finding, Quantity

FloatArray = NDArray[np.float64]
FAST = 2048
"""Readings one right after the other."""
SLOW, EVERY_S, AVERAGED = 96, 0.5, 16
"""Averages of so many readings, and the seconds between two of them."""
OUT_OF_FAMILY, ROUNDING = 3.0, 1e-12
"""An output that is so many times as noisy as the median one is told, unless it is noise of rounding alone."""


class Noise:
    """Noise per output, and the Allan deviation."""

    name = "noise"
    needs: tuple[str, ...] = ()
    finds: tuple[str, ...] = ()
    waits_s = SLOW * EVERY_S

    def suits(self, bench: Bench) -> str:
        """Return nothing: every device has noise."""
        del bench
        return ""

    def predicted(self, bench: Bench) -> Counts:
        """Return the repeated readings."""
        del bench
        return Counts(writes=1, readings=SLOW + 1, shots=FAST + SLOW * AVERAGED)

    def run(self, bench: Bench) -> Outcome:
        """Read repeatedly and evaluate."""
        raw = bench.kept("repeats", lambda: _repeated(bench))
        described, full_scale = bench.described, bench.described.output_upper
        fast = np.asarray(raw["fast"], dtype=np.float64) / full_scale
        slow = np.asarray(raw["slow"], dtype=np.float64) / full_scale
        steps_s = float(raw["fast_seconds"]) / FAST, float(raw["slow_seconds"]) / SLOW
        sigma = fast.std(axis=0, ddof=1)
        sigma[list(bench.dead_outputs)] = np.nan
        alive = np.isfinite(sigma)
        curves = [allan(series[:, alive], step_s) for series, step_s in zip((fast, slow), steps_s, strict=True)]
        time_s, deviation, spread = (np.concatenate(parts) for parts in zip(*curves, strict=True))
        about = "standard deviation of one reading, as a fraction of full scale"
        return Outcome(
            {
                "sigma": Quantity.of("1", "output", sigma, sigma / np.sqrt(2.0 * (FAST - 1)), about),
                "allan_time": Quantity.of(
                    "s", "time", time_s, 0.0, "averaging times: readings in a row, then averages"
                ),
                "allan_deviation": Quantity.of(
                    "1", "time", deviation, spread, "overlapping Allan deviation, fraction of full scale, pooled"
                ),
            },
            tuple(
                Finding(
                    severity="warning",
                    where=f"layer {bench.layer}, {described.output_name(int(output))}",
                    what=f"{sigma[output] / np.nanmedian(sigma):.1f} times as noisy as the median output",
                )
                for output in np.flatnonzero(sigma > max(OUT_OF_FAMILY * float(np.nanmedian(sigma)), ROUNDING))
            ),
        )


def allan(series: FloatArray, step_s: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return averaging times (T,) s, Allan deviations and their standard uncertainties of *series* (K, n).

    Octaves up to a quarter of the series; the outputs' variances are pooled. The uncertainty takes as many degrees of
    freedom as there are averages that do not overlap, which is on the safe side.
    """
    count, outputs = series.shape
    sizes = [2**octave for octave in range(int(np.log2(max(2, count // 4))) + 1)]
    summed = np.concatenate([np.zeros((1, outputs)), np.cumsum(series, axis=0)])
    deviations: list[float] = []
    degrees: list[float] = []
    for size in sizes:
        means: FloatArray = (summed[size:] - summed[:-size]) / size
        changes: FloatArray = means[size:] - means[:-size]
        deviations.append(float(np.sqrt(0.5 * np.mean(changes**2))))
        degrees.append(max(1.0, (count / size - 1.0) * outputs))
    deviation: FloatArray = np.array(deviations)
    times_s = step_s * np.array(sizes, dtype=np.float64)
    return times_s, deviation, deviation / np.sqrt(2.0 * np.array(degrees, dtype=np.float64))


def _repeated(bench: Bench) -> Sweep:
    """Read FAST times in a row, then SLOW averages; seconds are those of the device's own clock."""
    contexts.load(bench, contexts.coherent_patterns(bench, 1))
    bench.device.write_parameters(bench.layer, contexts.background(bench, 0))
    clock, device = bench.device.clock, bench.device
    one = np.zeros(1, dtype=np.intp)
    began_s = clock.now_s()
    fast = device.read_outputs(bench.layer, np.repeat(one, FAST))
    fast_s, began_s = clock.now_s() - began_s, clock.now_s()
    slow: list[FloatArray] = []
    for _ in range(SLOW):
        slow.append(device.read_outputs(bench.layer, np.repeat(one, AVERAGED)).mean(axis=0))
        contexts.wait(bench, EVERY_S)
    return {
        "fast": fast,
        "slow": np.array(slow),
        "fast_seconds": np.array(fast_s),
        "slow_seconds": np.array(clock.now_s() - began_s),
    }
