"""Input modulators: what amplitude each gives against its drive, from the light that all outputs see together.

A passive mesh keeps the light that enters: Σ_j (z_j − d_j)/g_j is the sum of the inputs' powers, whatever the phases.
One input is driven at a time; at drive x it gives the amplitude G (x + (1 − x) l), where l leaks at zero drive
(extinction l²). What it adds beyond zero drive, A [(1 − l)² x² + 2 l (1 − l) x], is linear in two unknowns. Gains are
square roots of A relative to their mean. The phase of a modulator against its drive cannot be told from its power.
"""

import numpy as np
from numpy.typing import NDArray

from calibration.photonic import contexts
from calibration.procedure import Bench, Outcome, Sweep
from ffzero_lab.device import Counts
from ffzero_lab.device.record import Finding, Quantity

FloatArray = NDArray[np.float64]
DRIVES = (0.0, 0.25, 0.5, 0.75, 1.0)
REPEATS = 64
BENT = 5.0
"""A transfer that misses the model by so many standard deviations is told."""


class Modulators:
    """Gain and leak of every input."""

    name = "modulators"
    needs: tuple[str, ...] = ("detectors",)
    finds: tuple[str, ...] = ()
    waits_s = 0.0

    def suits(self, bench: Bench) -> str:
        """Return why the light that enters cannot be told from what leaves."""
        if bench.described.input_lower < 0.0:
            return "its inputs are fields with phases, not amplitudes"
        if bench.device.description.topology == "cascaded" and bench.layer > 0:
            return "its light comes from the layer before"
        return contexts.why_not_heaters(bench)

    def predicted(self, bench: Bench) -> Counts:
        """Return the ramps, one for each input."""
        return Counts(writes=1, readings=1, shots=REPEATS * (len(DRIVES) - 1) * bench.described.n_inputs + REPEATS)

    def run(self, bench: Bench) -> Outcome:
        """Ramp each input and fit."""
        raw = bench.kept("ramps", lambda: _ramped(bench))
        readings = np.asarray(raw["readings"], dtype=np.float64)
        noise = np.asarray(raw["noise"], dtype=np.float64)
        weights = _weights(bench)
        total, spread = readings @ weights, float(np.sqrt(noise**2 @ weights**2 / REPEATS))
        found, covariance, misfit = transfer_of(total, spread)
        power, leak = found
        gain = np.sqrt(power / power.mean())
        gain_spread = 0.5 * gain * np.sqrt(covariance[:, 0, 0]) / power
        leak_spread = np.sqrt(covariance[:, 1, 1])
        dead = {int(port): "dead" for port in np.flatnonzero(power < 0.02 * np.median(power))}
        where = f"layer {bench.layer}"
        findings = [
            Finding(severity="fault", where=f"{where}, input {port}", what="gives no light, whatever its drive")
            for port in dead
        ]
        findings += [
            Finding(
                severity="warning",
                where=f"{where}, input {int(port)}",
                what=f"its amplitude is not linear in its drive (off by {misfit[port]:.1f} standard deviations)",
            )
            for port in np.flatnonzero(misfit > BENT)
        ]
        return Outcome(
            {
                "gain": Quantity.of("1", "input", gain, gain_spread, "amplitude of a full drive, relative to the mean"),
                "leak": Quantity.of("1", "input", leak, leak_spread, "amplitude at zero drive, share of a full one"),
                "misfit": Quantity.of("1", "input", misfit, np.nan, "largest deviation from the model, over the noise"),
            },
            tuple(findings),
        )


def transfer_of(total: FloatArray, spread: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Fit A (1−l)² x² + 2 A l (1−l) x to what (n, D) inputs add to the light at zero drive, at the drives.

    Returns A and l (2, n), their covariances (n, 2, 2), and the largest misfit (n,) over its standard deviation.
    *total* is the sum of the outputs (n, D), *spread* its standard uncertainty.
    """
    x = np.array(DRIVES)
    basis = np.stack([x**2, x, np.ones_like(x)], axis=1)
    inverse = np.linalg.inv(basis.T @ basis)
    solved: FloatArray = total @ basis @ inverse
    square, linear = solved[:, 0], solved[:, 1]
    odds = linear / (2.0 * square)  # l/(1−l)
    leak = odds / (1.0 + odds)
    power = square * (1.0 + odds) ** 2
    by_solved = np.zeros((len(total), 2, 3))
    by_solved[:, 0, 0] = 1.0 - odds**2
    by_solved[:, 0, 1] = 1.0 + odds
    by_solved[:, 1, 0] = -odds / square / (1.0 + odds) ** 2
    by_solved[:, 1, 1] = 0.5 / square / (1.0 + odds) ** 2
    covariance = spread**2 * (by_solved @ inverse @ by_solved.transpose(0, 2, 1))
    left = total - solved @ basis.T
    return np.stack([power, leak]), covariance, np.abs(left).max(axis=1) / spread


def _ramped(bench: Bench) -> Sweep:
    """Return mean readings (n_in, D, n_out) of one input driven at a time, and the noise (n_out,) of one reading."""
    described = bench.described
    ports = described.n_inputs
    dark = max(described.input_lower, 0.0)
    drives = dark + np.array(DRIVES) * (described.input_upper - dark)
    patterns = np.full((1 + ports * (len(drives) - 1), ports), dark)
    for port in range(ports):
        patterns[1 + port * (len(drives) - 1) : 1 + (port + 1) * (len(drives) - 1), port] = drives[1:]
    contexts.load(bench, patterns)
    rows = np.tile(np.arange(len(patterns)), REPEATS)
    read = contexts.probe(bench, contexts.background(bench, 0)[np.newaxis], rows)[0]
    readings = read.reshape(REPEATS, len(patterns), -1)
    mean = readings.mean(axis=0)
    ramps = np.empty((ports, len(drives), mean.shape[-1]))
    ramps[:, 0] = mean[0]
    ramps[:, 1:] = mean[1:].reshape(ports, len(drives) - 1, -1)
    return {"readings": ramps, "noise": readings.std(axis=0, ddof=1).mean(axis=0)}


def _weights(bench: Bench) -> FloatArray:
    """Return 1/g (n_out,), 1 where the gains are not known; 0 for dead outputs."""
    gain = bench.known.get("detectors.gain")
    weights = np.ones(bench.described.n_outputs) if gain is None else 1.0 / gain.array
    weights = np.where(np.isfinite(weights), weights, 1.0)
    weights[list(bench.dead_outputs)] = 0.0
    return weights
