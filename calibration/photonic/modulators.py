"""Input modulators: what amplitude each gives against its drive, from the light that all outputs see together.

A passive mesh keeps the light that enters: Σ_j (z_j − d_j)/g_j is the sum of the inputs' powers, whatever the phases.
One input is driven at a time; at drive x it gives the amplitude G (x + (1 − x) l), where l leaks at zero drive
(extinction l²). What it adds beyond zero drive, A [(1 − l)² x² + 2 l (1 − l) x], is linear in two unknowns. Gains are
square roots of A relative to their mean. The phase of a modulator against its drive cannot be told from its power.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from calibration.photonic import contexts
from calibration.procedure import Bench, Outcome, Sweep
from calibration.saturation import saturated
from ffzero_lab.device import Counts
from ffzero_lab.device.record import Finding, Quantity

FloatArray = NDArray[np.float64]
T = TypeVar("T", bound=np.generic)
DRIVES = (0.0, 0.25, 0.5, 0.75, 1.0)
REPEATS = 64
UNKNOWNS = 3
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
        clipped = np.asarray(raw["saturated"], dtype=np.bool_)[..., weights > 0.0]
        whole = np.count_nonzero(clipped, axis=-1) == 0
        found, covariance, misfit = transfer_of(total, spread, whole)
        power, leak = found
        told = power[np.isfinite(power)]
        gain = np.sqrt(power / told.mean()) if len(told) else power
        gain_spread = 0.5 * gain * np.sqrt(covariance[:, 0, 0]) / power
        leak_spread = np.sqrt(covariance[:, 1, 1])
        dead = np.flatnonzero(power < 0.02 * np.median(told)).tolist() if len(told) else []
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
        findings += [
            Finding(
                severity="warning",
                where=f"{where}, input {int(port)}",
                what="it saturates an output at almost every drive: its amplitude cannot be told. Send less light",
            )
            for port in np.flatnonzero(~_tells(whole))
        ]
        return Outcome(
            {
                "gain": Quantity.of("1", "input", gain, gain_spread, "amplitude of a full drive, relative to the mean"),
                "leak": Quantity.of("1", "input", leak, leak_spread, "amplitude at zero drive, share of a full one"),
                "misfit": Quantity.of("1", "input", misfit, np.nan, "largest deviation from the model, over the noise"),
            },
            tuple(findings),
        )


def transfer_of(
    total: FloatArray, spread: float, whole: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Fit A (1−l)² x² + 2 A l (1−l) x to what (n, D) inputs add to the light at zero drive, at the drives.

    Returns A and l (2, n), their covariances (n, 2, 2), and the largest misfit (n,) over its standard deviation; NaN
    for inputs with fewer than three drives that count. *total* is the sum of the outputs (n, D), *spread* its standard
    uncertainty, *whole* (n, D) which sums count: those in which no output saturated.
    """
    x = np.array(DRIVES)
    basis = np.stack([x**2, x, np.ones_like(x)], axis=1)
    found, covariance = np.full((2, len(total)), np.nan), np.full((len(total), 2, 2), np.nan)
    misfit = np.full(len(total), np.nan)
    for port in np.flatnonzero(_tells(whole)).tolist():
        counted, light = basis[whole[port]], total[port, whole[port]]
        inverse = np.linalg.inv(counted.T @ counted)
        solved: FloatArray = light @ counted @ inverse
        square, linear = solved[0], solved[1]
        odds = linear / (2.0 * square)  # l/(1−l)
        found[:, port] = square * (1.0 + odds) ** 2, odds / (1.0 + odds)
        by_solved = np.array(
            [
                [1.0 - odds**2, 1.0 + odds, 0.0],
                [-odds / square / (1.0 + odds) ** 2, 0.5 / square / (1.0 + odds) ** 2, 0.0],
            ]
        )
        covariance[port] = spread**2 * (by_solved @ inverse @ by_solved.T)
        misfit[port] = np.abs(light - counted @ solved).max() / spread
    return found, covariance, misfit


def _tells(whole: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which inputs (n,) have as many drives that count, of (n, D), as a fit has unknowns."""
    return np.count_nonzero(whole, axis=1) >= UNKNOWNS


def _ramped(bench: Bench) -> Sweep:
    """Return mean readings (n_in, D, n_out) of one input driven at a time, and the noise (n_out,) of one reading.

    With them goes whether any of the single readings was saturated (n_in, D, n_out), which the means do not show.
    """
    described = bench.described
    ports = described.n_inputs
    dark = max(described.input_lower, 0.0)
    drives = dark + np.array(DRIVES) * (described.input_upper - dark)
    patterns = np.full((1 + ports * (len(drives) - 1), ports), dark)
    for port in range(ports):
        patterns[1 + port * (len(drives) - 1) : 1 + (port + 1) * (len(drives) - 1), port] = drives[1:]
    contexts.load(bench, patterns)
    rows = np.tile(np.arange(len(patterns)), REPEATS)
    read = bench.device.probe(bench.layer, contexts.background(bench, 0)[np.newaxis], rows)[0]
    readings = read.reshape(REPEATS, len(patterns), -1)
    clipped = np.asarray(saturated(described, readings).any(axis=0))
    return {
        "readings": _by_input(readings.mean(axis=0), ports),
        "saturated": _by_input(clipped, ports),
        "noise": readings.std(axis=0, ddof=1).mean(axis=0, where=~clipped),
    }


def _by_input(by_pattern: NDArray[T], ports: int) -> NDArray[T]:
    """Return (n_in, D, n_out) of what belongs to the patterns (1 + n_in·(D − 1), n_out): all share the first."""
    first = np.broadcast_to(by_pattern[:1], (ports, 1, by_pattern.shape[-1]))
    return np.concatenate([first, by_pattern[1:].reshape(ports, len(DRIVES) - 1, -1)], axis=1)


def _weights(bench: Bench) -> FloatArray:
    """Return 1/g (n_out,), 1 where the gains are not known; 0 for dead outputs."""
    gain = bench.known.get("detectors.gain")
    weights = np.ones(bench.described.n_outputs) if gain is None else 1.0 / gain.array
    weights = np.where(np.isfinite(weights), weights, 1.0)
    weights[list(bench.dead_outputs)] = 0.0
    return weights
