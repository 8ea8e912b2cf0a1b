"""Offsets: the phase of every heater at zero drive, and with it all other constants of the mesh, by one joint fit.

Random settings of θ and φ are read with coherent patterns, each at several settings of γ. These turn the inputs by
known phases, so that the transfer matrix of a setting follows from intensities but for a phase of each row (phase
retrieval). Peeled MZI by MZI (Clements et al. 2016, Optica 3, 1460) for |θ| and φ, many such matrices give first
offsets, which are turned one by one to where they fit best. From there a least-squares fit of all constants to all
readings converges: offsets, Δs for π, splitters, crosstalk, gains of inputs and outputs, leak and darks. It converges
from within some 0.4 rad: its χ² tells when it did not, and other settings are tried.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.ageing import HOUR_S, WALK
from calibration.photonic import contexts
from calibration.photonic.constants import Readings, jacobian
from calibration.photonic.first_constants import first_constants, known_before
from calibration.photonic.joint_fit import Fit, drifted, fit
from calibration.photonic.mesh_model import FloatArray, Layout
from calibration.photonic.mesh_outcome import Heat, Solved
from calibration.photonic.mesh_settings import Design, design_for, measured
from calibration.photonic.signs import settled
from calibration.procedure import Bench, Outcome
from calibration.procedure import Sweep as Raw
from calibration.saturation import saturated
from ffzero_lab.device import Counts
from ffzero_lab.device.record import Finding

ATTEMPTS = 3
BAD = 2.0
"""Reduced χ² above which other settings are tried, and in the end a person is told."""
FAILED = 10.0
"""Reduced χ² above which nobody may train with what was fitted: on sound benches it is 1, on restless ones up to 3."""
FLOOR_SIGMAS = 4.0
"""A detection floor is so many standard deviations, where the noise was not measured."""
MOST_PORTS = 16
"""The time of the fit grows with the sixth power of the ports or so: a second for 8, ten minutes and more for 16."""
SIGNIFICANT = 3.0
"""Drift is told from noise when it exceeds what noise brings by so many standard deviations."""
UNCERTAIN_RAD = 0.1
"""Standard uncertainty of an offset that a person should know of."""
USELESS_RAD = 0.5
"""Standard uncertainty of an offset beyond which the phase of its heater is a guess."""
DISAGREES = 4.0
"""Joint standard uncertainties by which crosstalk may differ from what `crosstalk` found without a model."""


class Offsets:
    """Phases at zero drive, splitters, crosstalk and gains, and what the heaters do."""

    name = "offsets"
    needs: tuple[str, ...] = ("detectors", "electrical", "fringes", "crosstalk")
    finds: tuple[str, ...] = ()
    waits_s = 0.0

    def suits(self, bench: Bench) -> str:
        """Return why the layer is no mesh whose constants can be told from its outputs."""
        n = bench.described.n_outputs
        if why := contexts.why_no_mesh(bench):
            return why
        if n > MOST_PORTS:
            return f"it has {n} ports, and the joint fit takes up to {MOST_PORTS}"
        if bench.device.description.topology == "cascaded" and bench.layer > 0:
            return "its light comes from the layers before it, not from modulators"
        if len(bench.dead_outputs) > 1:
            return "a transfer matrix without more than one of its rows cannot be peeled"
        return ""

    def predicted(self, bench: Bench) -> Counts:
        """Return what one attempt takes."""
        design = design_for(Layout(bench.described.n_outputs))
        return Counts(design.settings, design.settings, design.settings * design.patterns)

    def run(self, bench: Bench) -> Outcome:
        """Measure and fit, at other settings again if it does not fit; raises what the device port raises."""
        layout = Layout(bench.described.n_outputs)
        best = _solved(bench, layout, 0)
        for attempt in range(1, ATTEMPTS):
            if best.fit.chi2 < BAD:
                break
            bench.tell(f"offsets: the readings do not fit (χ² {best.fit.chi2:.3g}); other settings are tried")
            best = min(best, _solved(bench, layout, attempt), key=lambda solved: solved.fit.chi2)
        found = best.quantities()
        power = contexts.pi_power(bench, found["pi_setting"].array, found["pi_setting"].spread)
        if power is not None:
            found["pi_power"] = power
        failed = _why_failed(bench, best)
        return Outcome(found, _findings(bench, best, failed), transfer=None if failed else best.transfer())


@dataclass(frozen=True)
class _Known:
    """What is known before: noise, darks and rates, by what earlier procedures found or by the description."""

    rates: FloatArray
    """(P,) rad per unit of s."""
    heats: FloatArray
    """(P,) heat per s, relative."""
    heat_spread: FloatArray
    thermal: FloatArray
    """(n,) standard deviation of a reading without light."""
    shot: FloatArray
    """(n,) variance that light adds, per reading."""
    darks: FloatArray
    dark_spread: FloatArray


def _known(bench: Bench) -> _Known:
    described, known = bench.described, bench.known
    full_scale, floor = described.output_upper, described.detection_floor / FLOOR_SIGMAS

    def found(name: str, default: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return values and uncertainties, those of *default* and infinity where nothing was found."""
        quantity = known.get(name)
        if quantity is None:
            return default, np.full(len(default), np.inf)
        finite = np.isfinite(quantity.array)
        spread = np.where(np.isfinite(quantity.spread), quantity.spread, np.inf)
        return np.where(finite, quantity.array, default), np.where(finite, spread, np.inf)

    n = described.n_outputs
    pi_setting, _ = found("fringes.pi_setting", contexts.data_sheet_pi(described))
    heats, heat_spread = contexts.heats(bench)
    least = max(floor, 1e-6 * full_scale)
    thermal, _ = found("detectors.noise", np.full(n, least / full_scale))
    shot, _ = found("detectors.shot", np.zeros(1))
    darks, dark_spread = found("detectors.dark", np.zeros(n))
    return _Known(
        np.pi / pi_setting,
        heats,
        heat_spread,
        np.maximum(thermal * full_scale, 1e-6 * full_scale),
        np.full(n, float(shot[0]) ** 2 * full_scale),
        darks,
        np.minimum(dark_spread, max(described.detection_floor, least)),
    )


def _solved(bench: Bench, layout: Layout, attempt: int) -> Solved:
    described, known, design = bench.described, _known(bench), design_for(layout)
    raw, again = measured(bench, layout, design, attempt)
    seen = np.setdiff1d(np.arange(described.n_outputs), [*bench.dead_outputs]).astype(np.intp)
    dead = np.array(sorted({*bench.dead, *described.dead}), dtype=np.intp)
    patterns = contexts.coherent_patterns(bench, design.patterns)
    readings, repeated = (_readings(bench, known, part, patterns, seen, dead) for part in (raw, again))
    start = first_constants(layout, readings, design.turns, known.rates, known.darks[seen], bench.heed)
    before = known_before(layout, start, dead, known.dark_spread[seen])
    first = fit(layout, start, before, readings, heed=bench.heed)
    best = settled(layout, first, before, readings, dead[dead < layout.n_mzi], bench.heed)
    heat = Heat(readings.settings.mean(axis=0), known.heats, known.heat_spread)
    seconds = float(sum(part["seconds"].sum() for part in (raw, again)))
    drift_rad = max(_drift(layout, best, readings, repeated, design), _walk(bench, seconds))
    if drift_rad > 0.0:
        best = drifted(layout, best, readings, drift_rad, bench.heed)
    return Solved(layout, described, best, heat, dead, seen, drift_rad)


def _readings(
    bench: Bench, known: _Known, raw: Raw, patterns: FloatArray, seen: NDArray[np.intp], dead: NDArray[np.intp]
) -> Readings:
    """Return what the fit takes: live outputs, weighted by their noise; what is saturated does not count."""
    described = bench.described
    settings = contexts.to_s(described, np.asarray(raw["setpoints"], dtype=np.float64))
    settings[:, dead] = 0.0
    outputs = np.asarray(raw["readings"], dtype=np.float64)
    noise = np.sqrt(known.thermal**2 + known.shot * np.maximum(outputs - known.darks, 0.0))
    noise[saturated(described, outputs)] = np.inf
    lit = patterns
    if described.n_inputs == 2 * described.n_outputs:
        lit = patterns[:, : described.n_outputs] + 1j * patterns[:, described.n_outputs :]
    return Readings(settings, known.heats, lit, outputs[..., seen], noise[..., seen], seen)


def _drift(layout: Layout, best: Fit, readings: Readings, repeated: Readings, design: Design) -> float:
    """Return the standard deviation by which phases moved between readings of the same settings, rad.

    E(Δz²) = 2σ² + δ²·Σ_p (∂z/∂φ_p)², if every phase moves by δ of its own; 0 where that is no more than chance.
    """
    earlier = readings.part(slice(0, design.again * design.turns, design.turns))
    counts = np.isfinite(earlier.noise) & np.isfinite(repeated.noise)
    bent = jacobian(layout, best.constants, earlier)[best.constants.places()["offsets"]]
    by_noise = best.chi2 * (earlier.noise**2 + repeated.noise**2)[counts]
    change = (repeated.outputs - earlier.outputs)[counts] ** 2 - by_noise
    chance = SIGNIFICANT * np.sqrt(2.0 * (by_noise**2).sum())
    if change.sum() < chance:
        return 0.0
    return float(np.sqrt(change.sum() / (bent**2).sum(axis=0)[counts].sum()))


def _walk(bench: Bench, seconds: float) -> float:
    """Return the standard deviation, rad, by which a phase walks in so many *seconds*, where that was measured."""
    walk = bench.known.get(WALK)
    return 0.0 if walk is None else float(walk.array[0]) * float(np.sqrt(seconds / HOUR_S))


def _why_failed(bench: Bench, solved: Solved) -> str:
    """Return why no phases may be written by what was fitted; empty: they may."""
    if not solved.fit.chi2 <= FAILED:
        return f"its reduced χ² is {solved.fit.chi2:.3g} (allowed: {FAILED:g})"
    live = np.setdiff1d(np.arange(bench.described.n_parameters), solved.dead)
    unknown = live[~(solved.offset_spread()[live] <= USELESS_RAD)]
    if not unknown.size:
        return ""
    names = ", ".join(bench.described.name_of(int(heater)) for heater in unknown)
    return f"the phases of {names} are guesses, uncertain by more than {USELESS_RAD:g} rad"


def _findings(bench: Bench, solved: Solved, failed: str) -> tuple[Finding, ...]:
    where, chi2 = f"layer {bench.layer}", solved.fit.chi2
    found: list[Finding] = []
    if failed:
        what = (
            f"the joint fit failed, and the record does not say what the heaters do: {failed}; see what moves or is "
            "out of family, mend it or list it in dead_channels, and calibrate again"
        )
        found.append(Finding(severity="fault", where=where, what=what))
    if chi2 > BAD:
        what = f"the model of the mesh does not describe the readings: reduced χ² {chi2:.3g} after {ATTEMPTS} attempts"
        found.append(Finding(severity="warning", where=where, what=what))
    seen = bench.known.get("crosstalk.nearest")
    if seen is not None:
        fitted, direct = solved.constants.nearest, float(seen.array[0])
        if abs(fitted - direct) > DISAGREES * np.hypot(solved.spread_of("nearest")[0], seen.spread[0]):
            what = f"the fit finds a crosstalk of {fitted:.2%} between neighbours, turns by 2π show {direct:.2%}"
            found.append(Finding(severity="warning", where=where, what=what))
    for heater in np.flatnonzero(solved.offset_spread() > UNCERTAIN_RAD):
        what = f"its offset is uncertain by {solved.offset_spread()[heater]:.2g} rad"
        found.append(Finding(severity="warning", where=f"{where}, {bench.described.name_of(int(heater))}", what=what))
    return tuple(found)
