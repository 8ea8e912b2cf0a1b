"""Each heater electrically: its resistance from measured volts and amperes, and whether it is open, shorted or stuck.

All heaters are ramped together through a few levels within the power budget, each having a meter of its own. R is the
slope of volts over amperes through the origin, Σ V·I / Σ I². The heat of a setpoint is the slope of V·I over s, the
square of the setpoint or itself, whatever the drive is told: volts, amperes, or a power for which it trusts the data
sheet.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from calibration.photonic.contexts import to_s, unit_of_s, why_not_heaters, within_budget
from calibration.plausibility import metered
from calibration.procedure import Bench, Outcome, Sweep, standing_at
from ffzero_lab.device import BadReply, Counts, ImplausibleReading, LayerDescription, Metered
from ffzero_lab.device.record import Finding, Quantity

FloatArray = NDArray[np.float64]
LEVELS = (0.2, 0.4, 0.7, 1.0)
"""Shares of the highest s that the budget allows for all heaters at once."""
LOOKS = 8
"""Times that the meters are read at each level."""
BAND = 0.3
"""A resistance that differs more from its group's median is out of family: five times the spread of a poor chip."""
IMPLAUSIBLE = 2.0
"""Factor to its group's median beyond which a heater is driven no higher: shorted in part, it would burn."""
FOLLOWS = 0.1
"""A drive whose volts change by less than this share of what the others' do is stuck."""
NEGLIGIBLE = 0.02
"""Conductance, and resistance, relative to the median, under which a heater is open, or shorted."""


class Electrical:
    """Resistances and electrical health."""

    name = "electrical"
    needs: tuple[str, ...] = ()
    waits_s = 0.0
    finds = ("open", "short", "stuck")

    def suits(self, bench: Bench) -> str:
        """Return why nothing is measured: no heaters, or nobody meters them."""
        if not isinstance(bench.device.driver, Metered):
            return "its drive does not measure volts and amperes"
        return why_not_heaters(bench)

    def predicted(self, bench: Bench) -> Counts:
        """Return the writes of the levels; meters are no optical readings."""
        del bench
        return Counts(writes=len(LEVELS) + 1)

    def run(self, bench: Bench) -> Outcome:
        """Ramp, meter and judge; raises BadReply for meters that cannot be believed."""
        ramp = bench.kept("ramp", lambda: _ramp(bench))
        volts, amperes = (np.asarray(ramp[name], dtype=np.float64) for name in ("volts", "amperes"))
        if volts.size == 0:
            unmetered = "not every source measures volts and amperes: open and shorted heaters can only show as dark"
            return Outcome(findings=(Finding(severity="note", where=f"layer {bench.layer}", what=unmetered),))
        _check_believable(bench, volts, amperes)
        dead = {index: why for index, why in _faults(volts, amperes).items() if index not in bench.described.dead}
        resistance, spread = _slopes(volts, amperes)
        s = to_s(bench.described, np.asarray(ramp["setpoints"], dtype=np.float64))
        heat, heat_spread = _slopes(volts * amperes, np.broadcast_to(s[:, np.newaxis], volts.shape))
        resistance[[*dead, *bench.described.dead]] = np.nan
        heat[[*dead, *bench.described.dead]] = np.nan
        per_s = f"W/{unit_of_s(bench.described)}"
        return Outcome(
            quantities={
                "resistance": Quantity.of(
                    "ohm", "parameter", resistance, spread, "slope of volts over amperes through the origin"
                ),
                "heat": Quantity.of(
                    per_s, "parameter", heat, heat_spread, "slope of volts times amperes over s through the origin"
                ),
            },
            findings=(*_dead_findings(bench, dead), *_band_findings(bench, resistance)),
            dead=dead,
        )


def _ramp(bench: Bench) -> Sweep:
    """Measure volts and amperes (L, K, P) at the setpoints (L, P) of L levels, K times each.

    Nothing where not all sources have meters. Heaters that turn out to be shorted at one level stay parked at those
    above it.
    """
    described = bench.described
    if metered(bench.device, bench.layer) is None:
        return {"setpoints": np.empty(0), "volts": np.empty(0), "amperes": np.empty(0)}
    parked = to_s(described, standing_at(described))
    wanted = to_s(described, described.per_parameter("upper"))
    wanted[list(described.dead)] = parked[list(described.dead)]
    highest = to_s(described, within_budget(bench, wanted))
    looks: list[FloatArray] = []
    setpoints: list[FloatArray] = []
    for level in LEVELS:
        setpoints.append(within_budget(bench, parked + level * (highest - parked), share=1.0))
        bench.device.write_parameters(bench.layer, setpoints[-1])
        looks.append(np.array([metered(bench.device, bench.layer) for _ in range(LOOKS)]))
        drawn = looks[-1].mean(axis=0)
        _check_band(bench, *drawn)
        highest = np.where(_shorted(*drawn), parked, highest)
    bench.device.write_parameters(bench.layer, standing_at(described))
    measured = np.stack(looks)
    return {"setpoints": np.array(setpoints), "volts": measured[:, :, 0], "amperes": measured[:, :, 1]}


def _check_band(bench: Bench, volts: FloatArray, amperes: FloatArray) -> None:
    """Raise ImplausibleReading when a heater has a resistance that none of its kind has."""
    conducts = (volts > 0.0) & (amperes > 0.0)
    resistance = np.full(len(volts), np.nan)
    resistance[conducts] = volts[conducts] / amperes[conducts]
    medians = _group_medians(bench.described, resistance)
    share = resistance / medians
    found = (share > NEGLIGIBLE) & (share < 1.0 / NEGLIGIBLE)  # else open or shorted, which is told when all is known
    wrong = np.flatnonzero(found & ((share > IMPLAUSIBLE) | (share < 1.0 / IMPLAUSIBLE)))
    if wrong.size:
        heater = int(wrong[0])
        median = medians[heater]
        raise ImplausibleReading(
            f"{bench.device.description.name}, layer {bench.layer}, {bench.described.name_of(heater)}: "
            f"{volts[heater]:.4g} V and {amperes[heater]:.4g} A are {resistance[heater]:.4g} ohm, its group's median "
            f"is {median:.4g} ohm (allowed: {median / IMPLAUSIBLE:.4g} to {median * IMPLAUSIBLE:.4g}); nothing is "
            "driven any higher. Look for a short in part or a bad contact, or list it in dead_channels, then calibrate "
            "again"
        )


def _group_medians(described: LayerDescription, resistance: FloatArray) -> FloatArray:
    """Return the median (P,) of each heater's group; the layer's where nothing of the group conducts."""
    medians = np.full(len(resistance), float(np.nanmedian(resistance)) if np.isfinite(resistance).any() else np.nan)
    start = 0
    for group in described.groups:
        own = resistance[start : start + group.size]
        if np.isfinite(own).any():
            medians[start : start + group.size] = float(np.nanmedian(own))
        start += group.size
    return medians


def _check_believable(bench: Bench, volts: FloatArray, amperes: FloatArray) -> None:
    where = f"{bench.device.description.name}, layer {bench.layer}"
    silent = np.count_nonzero(amperes[-1].mean(axis=0) <= 0.0)
    if silent > 0.5 * volts.shape[-1]:
        raise BadReply(
            f"{where}: {silent} of {volts.shape[-1]} heaters draw no current at {volts[-1].max():.3g} V; check the "
            "supply of the drive and the connector of the chip"
        )


def _slopes(above: FloatArray, over: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the slopes (P,) of *above* over *over*, both (L, K, P), and their uncertainties by the scatter around."""
    squares = (over**2).sum(axis=(0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (above * over).sum(axis=(0, 1)) / squares
        spread = np.sqrt(((above - slope * over) ** 2 * over**2).sum(axis=(0, 1))) / squares
    return slope, spread


def _faults(volts: FloatArray, amperes: FloatArray) -> dict[int, str]:
    """Return what is wrong with which heater, judged against the median of its layer."""
    v, i = volts.mean(axis=1), amperes.mean(axis=1)
    at_top = (v[-1] > 0.0) & (i[-1] > 0.0)
    median = float(np.median(v[-1][at_top] / i[-1][at_top]))
    follows = v[-1] - v[0]
    sluggish = np.abs(follows) < FOLLOWS * float(np.median(follows))
    shorted = np.any([_shorted(*level) for level in zip(v, i, strict=True)], axis=0)
    broken = (v[-1] > 0.0) & (i[-1] * median < NEGLIGIBLE * v[-1])
    words = {"short": shorted, "stuck": sluggish & ~shorted, "open": broken & ~sluggish & ~shorted}
    return {int(index): word for word, those in words.items() for index in np.flatnonzero(those)}


def _shorted(volts: FloatArray, amperes: FloatArray) -> NDArray[np.bool_]:
    """Tell of which heaters (P,) the volts collapse under the current at one level of the ramp."""
    conducts = (volts > 0.0) & (amperes > 0.0)
    median = float(np.median(volts[conducts] / amperes[conducts])) if conducts.any() else np.nan
    return (amperes > 0.0) & (volts < NEGLIGIBLE * median * amperes)


def _dead_findings(bench: Bench, dead: Mapping[int, str]) -> list[Finding]:
    told = {
        "open": "open: volts but no current",
        "short": "shorted: its volts collapse under the current",
        "stuck": "stuck: its volts do not follow what is written",
    }
    return [
        Finding(severity="fault", where=f"layer {bench.layer}, {bench.described.name_of(index)}", what=told[word])
        for index, word in sorted(dead.items())
    ]


def _band_findings(bench: Bench, resistance: FloatArray) -> list[Finding]:
    medians = _group_medians(bench.described, resistance)
    out = np.flatnonzero(np.abs(resistance / medians - 1.0) > BAND)
    return [
        Finding(
            severity="warning",
            where=f"layer {bench.layer}, {bench.described.name_of(int(index))}",
            what=f"{resistance[index]:.4g} ohm, while its group's median is {medians[index]:.4g} ohm",
        )
        for index in out
    ]
