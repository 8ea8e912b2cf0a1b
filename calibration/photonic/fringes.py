"""Fringes: how much each heater must be driven for its phase to turn by π, from sweeps of one heater at a time.

The raw intensity of every output of a linear, coherent mesh is exactly a + b cos(κ s + c) in the phase of one heater,
whatever the splitters, losses and other phases; s is V² or the setpoint itself. All outputs and patterns share κ =
π/pi_setting. Crosstalk turns the neighbours along with the heater, which bends the fringes and shifts the apparent κ
by some 0.5 %, one way or the other depending on the neighbours' phases: so each heater is swept before several random
backgrounds, and what the backgrounds disagree by is part of the uncertainty.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.photonic import contexts
from calibration.photonic.fringe_fit import Fringe, Sweep, components, fit, informative_points
from calibration.plausibility import check_resistances
from calibration.procedure import Bench, Outcome
from calibration.procedure import Sweep as Raw
from calibration.saturation import saturated
from ffzero_lab.device import BadReply, Counts
from ffzero_lab.device.record import Finding, Quantity

FloatArray = NDArray[np.float64]
SEARCHED = (0.5, 1.8)
"""Range of κ that is searched, relative to the data sheet."""
FIRST_PLACES = (0.0, 0.14, 0.3, 0.43, 0.62, 0.81, 1.0)
"""Where in its range a heater is first looked at: unevenly, so that no other period explains the same readings."""
LATER = 5
"""Points before each later background, placed where they tell most of the period found."""
FEWEST, MOST, DARK_AFTER = 4, 8, 5
"""Backgrounds: before a heater is believed, before one gives up on it, and before it is called dark."""
BENT = 0.006
"""Relative scatter of κ between backgrounds that is assumed before it is known, worth `BENT_WORTH` observations."""
BENT_WORTH = 3.0
ALONG = 0.003
"""Relative uncertainty of κ that no number of backgrounds averages out. Light that passes a heater passes its
neighbours more often than the light that it meets does, so that crosstalk adds to its phase more than it takes away:
with 0.5 % crosstalk by 0.1 % on average on a chip of 8 ports, by 0.4 % on one of 64. Only a fit of the whole chip
removes it."""
MISFIT = 0.05
"""Share of a fringe's amplitude that weighs like noise: bright outputs would else decide alone how crosstalk bends."""
UNSEEN = 12.0
"""A fringe is visible when it explains more than noise would by so many standard deviations."""
NEAR = 0.035
"""Relative range of κ around the first one seen in which the later ones are searched."""
JUMP = 0.01
"""Relative change of all light between two readings of one setting that no drift explains."""
BAND = 0.3
"""A heater that differs more from the layer's median is out of family: three times the spread of a poor chip."""


@dataclass(frozen=True)
class _Heater:
    """What is found out about one heater; NaN where it stays dark."""

    pi_setting: float = np.nan
    spread: float = np.nan
    visibility: float = np.nan
    phase: float = np.nan
    residual: float = np.nan
    backgrounds: int = 0


@dataclass(frozen=True)
class Fringes:
    """The setting for π of every heater that shows a fringe.

    Attributes
    ----------
    wanted
        Relative standard uncertainty of pi_setting at which a heater is done.
    """

    wanted: float = 0.005
    name: str = "fringes"
    needs: tuple[str, ...] = ("electrical",)
    finds: tuple[str, ...] = ("dark",)
    waits_s: float = 0.0

    def suits(self, bench: Bench) -> str:
        """Return why there are no fringes to look for."""
        return contexts.why_not_heaters(bench)

    def predicted(self, bench: Bench) -> Counts:
        """Return what the fewest backgrounds take for each heater."""
        settings = (len(FIRST_PLACES) + 1 + (FEWEST - 1) * (LATER + 1)) * len(_swept(bench))
        return Counts(writes=settings, readings=settings, shots=settings * contexts.rows_for(bench))

    def run(self, bench: Bench) -> Outcome:
        """Sweep and fit heater by heater; raises BadReply when the light changes by itself."""
        patterns = contexts.coherent_patterns(bench, contexts.rows_for(bench))
        backgrounds = [contexts.background(bench, number) for number in range(MOST)]
        heaters = _swept(bench)
        found: dict[int, _Heater] = {}
        for place, heater in enumerate(heaters):
            name = bench.described.name_of(heater)

            def measure(heater: int = heater) -> Raw:
                return _measured(bench, heater, patterns, backgrounds, self.wanted)

            sweeps = _sweeps(bench, bench.kept(name, measure))
            found[heater] = _judged(sweeps, _fits(bench, heater, sweeps))
            if place % 64 == 63:
                bench.tell(f"fringes: {place + 1} of {len(heaters)} heaters")
        return _outcome(bench, found)


def _measured(bench: Bench, heater: int, patterns: FloatArray, backgrounds: Sequence[FloatArray], wanted: float) -> Raw:
    """Sweep *heater* before one background after the other, until it is known well enough or a bound is reached."""
    contexts.load(bench, patterns)
    raw: list[tuple[FloatArray, FloatArray]] = []
    while len(raw) < MOST:
        places = FIRST_PLACES
        if raw:
            sweeps = _sweeps(bench, _joined(raw))
            fringes = _fits(bench, heater, sweeps)
            judged = _judged(sweeps, fringes)
            dark = np.isnan(judged.pi_setting)
            if len(raw) >= (DARK_AFTER if dark else FEWEST) and (dark or judged.spread <= wanted * judged.pi_setting):
                break
            if not dark:
                lowest, highest = _range(bench, heater)
                turn = np.pi / judged.pi_setting * (highest - lowest)
                places = informative_points(round(4.0 * turn) / 4.0, LATER)
        raw.append(_swept_before(bench, heater, backgrounds[len(raw)], places, len(patterns)))
    return _joined(raw)


def _swept_before(
    bench: Bench, heater: int, background: FloatArray, places: Sequence[float], rows: int
) -> tuple[FloatArray, FloatArray]:
    """Return s (K,) and readings (K, rows, n) before *background*; the last reading repeats the first.

    At its highest point, where a heater would break down, its resistance is looked at.
    """
    lowest, highest = _range(bench, heater)
    s = lowest + (highest - lowest) * np.array([*places, places[0]])
    settings = np.repeat(background[np.newaxis], len(s), axis=0)
    spread_out = np.zeros_like(settings)
    spread_out[:, heater] = s
    settings[:, heater] = contexts.from_s(bench.described, spread_out)[:, heater]
    to_top = int(np.argmax(s)) + 1
    up = bench.device.probe(bench.layer, settings[:to_top], np.arange(rows))
    check_resistances(bench.device, bench.layer, bench.known)
    readings = np.concatenate([up, bench.device.probe(bench.layer, settings[to_top:], np.arange(rows))])
    _check_light(bench, heater, readings[0], readings[-1])
    return s, readings


def _check_light(bench: Bench, heater: int, first: FloatArray, last: FloatArray) -> None:
    """Raise BadReply when all light together has changed between two readings of one setting."""
    noise = bench.described.detection_floor / 4.0 * np.sqrt(2.0 * first.size) / abs(first.sum())
    change = last.sum() / first.sum() - 1.0
    if abs(change) > max(JUMP, 8.0 * noise):
        raise BadReply(
            f"{bench.device.description.name}, layer {bench.layer}: while {bench.described.name_of(heater)} was swept, "
            f"the light changed by {100.0 * change:+.1f} % at one and the same setting; check the source, then resume"
        )


def _joined(raw: Sequence[tuple[FloatArray, FloatArray]]) -> Raw:
    """Return what goes to the sidecar: s (T,), number of the background (T,), readings (T, rows, n)."""
    return {
        "s": np.concatenate([s for s, _ in raw]),
        "background": np.repeat(np.arange(len(raw)), [len(s) for s, _ in raw]),
        "readings": np.concatenate([readings for _, readings in raw]).astype(np.float32),
    }


def _sweeps(bench: Bench, raw: Raw) -> list[Sweep]:
    """Return the sweeps before each background, without outputs that are dead or were saturated."""
    readings = np.asarray(raw["readings"], dtype=np.float64)
    usable = np.count_nonzero(saturated(bench.described, readings), axis=0) == 0
    usable[:, list(bench.dead_outputs)] = False
    level = float(np.sqrt((readings**2).mean()))
    sweeps: list[Sweep] = []
    for number in np.unique(raw["background"]):
        those = np.flatnonzero(raw["background"] == number)
        columns = readings[those][:, usable]
        noise = float(np.sqrt(0.5 * ((columns[0] - columns[-1]) ** 2).mean()))
        sweeps.append(Sweep(np.asarray(raw["s"])[those], columns, max(noise, 1e-6 * level), MISFIT))
    return sweeps


def _fits(bench: Bench, heater: int, sweeps: Sequence[Sweep]) -> list[Fringe]:
    """Fit each sweep; once a fringe was seen, only near it, since the later points suit no other period."""
    expected = np.pi / contexts.data_sheet_pi(bench.described)[heater]
    low, high = SEARCHED[0] * expected, SEARCHED[1] * expected
    fringes: list[Fringe] = []
    for sweep in sweeps:
        fringes.append(fit(sweep, low, high))
        if _is_seen(sweep, fringes[-1]) and high > 1.2 * low:
            low, high = (1.0 - NEAR) * fringes[-1].kappa, (1.0 + NEAR) * fringes[-1].kappa
    return fringes


def _is_seen(sweep: Sweep, fringe: Fringe) -> bool:
    return fringe.signal > 1.0 + UNSEEN / np.sqrt(sweep.readings.shape[1]) and fringe.share < NEAR / 3.0


def _judged(sweeps: Sequence[Sweep], fringes: Sequence[Fringe]) -> _Heater:
    """Combine the backgrounds in which there is a fringe."""
    seen = [(sweep, fringe) for sweep, fringe in zip(sweeps, fringes, strict=True) if _is_seen(sweep, fringe)]
    if not seen:
        return _Heater(backgrounds=len(sweeps))
    kappas = np.array([fringe.kappa for _, fringe in seen])
    shares = np.array([fringe.share for _, fringe in seen])
    weights = 1.0 / (shares**2 + BENT**2)
    kappa = float((weights * kappas).sum() / weights.sum())
    off = ((kappas / kappa - 1.0) ** 2 * weights).sum()
    scatter = (BENT_WORTH + off) / (BENT_WORTH + len(seen) - 1)
    share = float(np.sqrt(scatter / weights.sum() + ALONG**2))
    whole = seen[0][0]  # its points cover the whole range
    offset, amplitude, phase = components(whole, kappa)
    strongest = int(np.argmax(amplitude))
    residual = float(np.sqrt(np.mean([fringe.residual**2 for _, fringe in seen])))
    return _Heater(
        np.pi / kappa,
        share * np.pi / kappa,
        float(amplitude[strongest] / offset[strongest]),
        float(phase[strongest]),
        residual,
        len(sweeps),
    )


def _outcome(bench: Bench, found: dict[int, _Heater]) -> Outcome:
    described = bench.described
    table = np.full((5, described.n_parameters), np.nan)
    for heater, known in found.items():
        table[:, heater] = known.pi_setting, known.spread, known.visibility, known.phase, known.residual
    pi_setting, spread, visibility, phase, residual = table
    quantities = {
        "pi_setting": Quantity.of(
            contexts.unit_of_s(described), "parameter", pi_setting, spread, "Δs that turns the phase by π"
        ),
        "visibility": Quantity.of("1", "parameter", visibility, np.nan, "amplitude over mean, strongest output"),
        "phase": Quantity.of("rad", "parameter", phase, np.nan, "fringe phase at s = 0, first background"),
        "residual": Quantity.of("1", "parameter", residual, np.nan, "RMS of what the fit leaves, over the noise"),
    }
    power = contexts.pi_power(bench, pi_setting, spread)
    if power is not None:
        quantities["pi_power"] = power
    dark = {heater: "dark" for heater, known in found.items() if np.isnan(known.pi_setting)}
    return Outcome(quantities, (*_dark_findings(bench, dark, found), *_band_findings(bench, pi_setting)), dark)


def _dark_findings(bench: Bench, dark: dict[int, str], found: dict[int, _Heater]) -> list[Finding]:
    return [
        Finding(
            severity="fault",
            where=f"layer {bench.layer}, {bench.described.name_of(heater)}",
            what=f"no fringe before {found[heater].backgrounds} random backgrounds",
        )
        for heater in dark
    ]


def _band_findings(bench: Bench, pi_setting: FloatArray) -> list[Finding]:
    if np.isnan(pi_setting).all():
        return []
    median = float(np.nanmedian(pi_setting))
    return [
        Finding(
            severity="warning",
            where=f"layer {bench.layer}, {bench.described.name_of(int(heater))}",
            what=f"turns by π at {pi_setting[heater]:.4g}, while the layer's median is {median:.4g}",
        )
        for heater in np.flatnonzero(np.abs(pi_setting / median - 1.0) > BAND)
    ]


def _range(bench: Bench, heater: int) -> tuple[float, float]:
    """Return the lowest and the highest s of *heater* within its limits, and within what backgrounds leave."""
    lowest = contexts.to_s(bench.described, bench.described.per_parameter("lower"))[heater]
    return float(lowest), float(contexts.highest_alone(bench)[heater])


def _swept(bench: Bench) -> list[int]:
    idle = {*bench.dead, *bench.described.dead}
    return [heater for heater in range(bench.described.n_parameters) if heater not in idle]
