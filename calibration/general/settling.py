"""Settling: how long after a write the outputs still move.

The layer is switched between two settings far apart, and read shot by shot right after. What a shot differs from the
last ones by, averaged over switches, outputs and patterns, decays as exp(−t/τ) for a first-order thermal response; the
time is the one after which nothing can be told from noise. It counts from the return of the write, which by
description includes settling: zero says that the described time is enough.
"""

import numpy as np
from numpy.typing import NDArray

from calibration.photonic import contexts
from calibration.procedure import Bench, Outcome, Sweep
from ffzero_lab.device import Counts
from ffzero_lab.device.record import Finding, Quantity

FloatArray = NDArray[np.float64]
SWITCHES, SHOTS, SETTLED = 24, 96, 32
"""How often it is switched, shots after each, and how many of them at the end count as settled."""
SIGMAS = 5.0
SEEN = 4
"""Shots within the decay that a time constant takes."""


class Settling:
    """The time after a write until the outputs stand."""

    name = "settling"
    needs: tuple[str, ...] = ()
    finds: tuple[str, ...] = ()
    waits_s = 0.0

    def suits(self, bench: Bench) -> str:
        """Return why a jump is not made: a layer with a slew limit must not."""
        if np.isfinite(bench.described.per_parameter("slew_per_s")).any():
            return "its actuators have a slew limit and may not jump"
        return ""

    def predicted(self, bench: Bench) -> Counts:
        """Return the switches with their shots."""
        del bench
        return Counts(writes=SWITCHES, readings=SWITCHES, shots=SWITCHES * SHOTS)

    def run(self, bench: Bench) -> Outcome:
        """Switch, read, and look when nothing moves any more."""
        raw = bench.kept("switches", lambda: _switched(bench))
        series = np.asarray(raw["readings"], dtype=np.float64)
        step_s = float(raw["seconds"]) / (SWITCHES * SHOTS)
        time_s, constant_s, spread_s = settled_after(series, step_s)
        findings = ()
        if time_s > 0.0:
            told = f"outputs move for {time_s:.3g} s after a write has returned; describe writes as longer by that"
            findings = (Finding(severity="warning", where=f"layer {bench.layer}", what=told),)
        return Outcome(
            {
                "time": Quantity.of("s", "layer", time_s, step_s, "after a write, until only noise is left"),
                "time_constant": Quantity.of("s", "layer", constant_s, spread_s, "first-order; NaN: nothing to see"),
            },
            findings,
        )


def settled_after(series: FloatArray, step_s: float) -> tuple[float, float, float]:
    """Return the time (s) from which *series* (M, T, n) cannot be told from its end, τ and its uncertainty (s).

    τ is NaN when too little of the decay is seen. A drift along the series would look like settling; its end is short.
    """
    from scipy.optimize import curve_fit

    end = series[:, -SETTLED:]
    moving = (series - end.mean(axis=1, keepdims=True)) ** 2
    variance = float((end - end.mean(axis=1, keepdims=True)).var() * SETTLED / (SETTLED - 1))
    excess = moving.mean(axis=(0, 2)) - variance * (1.0 + 1.0 / SETTLED)
    samples = series.shape[0] * series.shape[2]
    bound = SIGMAS * variance * np.sqrt(2.0 / samples)
    last = int(np.argmax(np.append(excess <= bound, True)))  # later shots stand out by chance alone
    time_s = last * step_s
    if last < SEEN:
        return time_s, np.nan, np.nan
    t = np.arange(last) * step_s

    def decay(t: FloatArray, level: float, tau: float) -> FloatArray:
        return level * np.exp(-2.0 * t / tau)

    found, covariance = curve_fit(decay, t, excess[:last], p0=(float(excess[0]), 0.5 * time_s))
    return time_s, float(found[1]), float(np.sqrt(covariance[1, 1]))


def _switched(bench: Bench) -> Sweep:
    contexts.load(bench, contexts.coherent_patterns(bench, 1))
    ends = contexts.background(bench, 0), contexts.background(bench, 1)
    rows = np.zeros(SHOTS, dtype=np.intp)
    clock, taken_s = bench.device.clock, 0.0
    series: list[FloatArray] = []
    for switch in range(SWITCHES):
        bench.device.write_parameters(bench.layer, ends[switch % 2])
        began_s = clock.now_s()
        series.append(bench.device.read_outputs(bench.layer, rows))
        taken_s += clock.now_s() - began_s
    return {"readings": np.array(series), "seconds": np.array(taken_s)}
