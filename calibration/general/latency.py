"""Latency: what a write and a shot take on the device's own clock, by regression over batches of several sizes.

A reading of B patterns takes t = r + B·τx; a write τp, settling as the driver does it included. They are what training
plans with, so a description that is far off is told.
"""

import numpy as np
from numpy.typing import NDArray

from calibration.photonic import contexts
from calibration.procedure import Bench, Outcome, Sweep
from ffzero_lab.device import Counts
from ffzero_lab.device.record import Finding, Quantity

FloatArray = NDArray[np.float64]
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
REPEATS = 12
FAR_OFF = 0.3
"""A described time that differs by more than this share is told."""
NEGLIGIBLE_S = 1e-6


class Latency:
    """Seconds of a write, of a shot, and of a reading apart from its shots."""

    name = "latency"
    needs: tuple[str, ...] = ()
    finds: tuple[str, ...] = ()
    waits_s = 0.0

    def suits(self, bench: Bench) -> str:
        """Return nothing: every device takes its time."""
        del bench
        return ""

    def predicted(self, bench: Bench) -> Counts:
        """Return the writes and the batches."""
        del bench
        return Counts(writes=REPEATS + 1, readings=REPEATS * len(BATCHES), shots=REPEATS * sum(BATCHES))

    def run(self, bench: Bench) -> Outcome:
        """Time writes and readings."""
        raw = bench.kept("times", lambda: _timed(bench))
        writes, readings = (np.asarray(raw[name], dtype=np.float64) for name in ("writes", "readings"))
        shot_s, shot_spread, reading_s, reading_spread = line_through(np.array(BATCHES, dtype=np.float64), readings)
        write_s, write_spread = float(np.median(writes)), float(writes.std(ddof=1) / np.sqrt(REPEATS))
        timing = bench.device.description.timing
        measured = (("write", write_s, timing.write_s), ("shot", shot_s, timing.shot_s))
        return Outcome(
            {
                "write": Quantity.of("s", "layer", write_s, write_spread, "τp, median"),
                "shot": Quantity.of("s", "layer", shot_s, shot_spread, "τx, slope over batch size"),
                "reading": Quantity.of("s", "layer", reading_s, reading_spread, "of a reading, apart from its shots"),
            },
            tuple(
                Finding(
                    severity="note",
                    where=f"layer {bench.layer}",
                    what=f"a {what} takes {found:.3g} s, described are {described:.3g} s: predictions are off by that",
                )
                for what, found, described in measured
                if abs(found - described) > FAR_OFF * max(found, described) > NEGLIGIBLE_S * FAR_OFF
            ),
        )


def line_through(sizes: FloatArray, seconds: FloatArray) -> tuple[float, float, float, float]:
    """Return slope, its standard uncertainty, intercept and its own, of seconds (R, S) over sizes (S,)."""
    y = seconds.mean(axis=0)
    scatter = float(np.sqrt((seconds.var(axis=0, ddof=1) / sizes**2).mean() / len(seconds)))
    design = np.stack([sizes, np.ones_like(sizes)], axis=1) / sizes[:, np.newaxis]  # jitter grows with the batch
    found = np.asarray(np.linalg.lstsq(design, y / sizes, rcond=None)[0], dtype=np.float64)
    left = (y - found[0] * sizes - found[1]) / sizes
    level = max(float(np.sqrt((left**2).sum() / (len(sizes) - 2))), scatter)
    spread = level * np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
    return float(found[0]), float(spread[0]), float(found[1]), float(spread[1])


def _timed(bench: Bench) -> Sweep:
    clock, device = bench.device.clock, bench.device
    contexts.load(bench, contexts.coherent_patterns(bench, 1))
    setting = contexts.background(bench, 0)
    bench.device.write_parameters(bench.layer, setting)
    writes, readings = np.empty(REPEATS), np.empty((REPEATS, len(BATCHES)))
    for repeat in range(REPEATS):
        began_s = clock.now_s()
        device.write_parameters(bench.layer, setting)
        writes[repeat] = clock.now_s() - began_s
        for place, batch in enumerate(BATCHES):
            began_s = clock.now_s()
            device.read_outputs(bench.layer, np.zeros(batch, dtype=np.intp))
            readings[repeat, place] = clock.now_s() - began_s
    return {"writes": writes, "readings": readings}
