"""In what company a heater is looked at: coherent patterns, random backgrounds within the budget."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibration.procedure import Bench, standing_at
from ffzero_lab.device import LayerDescription, ParameterGroup
from ffzero_lab.device.record import Quantity

FloatArray = NDArray[np.float64]
BUDGET_SHARE, LEAST_SHARE = 0.85, 0.2
"""Share of the power budget that a background may take, most and least; the rest is for the heater that is swept."""
UNKNOWN_HEAT = 0.05
"""Relative spread of the heats of heaters, where they were not measured."""
HEED_EVERY_S = 0.25
"""Longest wait without a look at signals and interlocks."""


def why_not_heaters(bench: Bench) -> str:
    """Return why the layer's parameters are no heaters whose effect is linear in s; empty: they are."""
    if bench.device.description.kind != "photonic":
        return f"the device is {bench.device.description.kind}, not photonic"
    if any(group.scale == "log" for group in bench.described.groups):
        return "its parameters act by their logarithm"
    driven = sorted({f"{group.unit} ({group.scale})" for group in bench.described.groups})
    if len(driven) > 1:
        return f"its heaters are driven in different ways: {', '.join(driven)}"
    return ""


def why_no_mesh(bench: Bench) -> str:
    """Return why the layer's parameters are not the heaters θ, φ and γ of a rectangular mesh; empty: they are."""
    if why := why_not_heaters(bench):
        return why
    n = bench.described.n_outputs
    sizes = [group.size for group in bench.described.groups]
    if sizes != [n * (n - 1) // 2, n * (n - 1) // 2, n] or bench.described.n_inputs not in (n, 2 * n):
        return "its parameters are not θ, φ and γ of a rectangular mesh"
    return ""


def to_s(described: LayerDescription, setpoints: FloatArray) -> FloatArray:
    """Return s (…, P) of setpoints (…, P): V² in volts, else the setpoint itself."""
    return np.where(_squares(described), setpoints**2, setpoints)


def from_s(described: LayerDescription, s: FloatArray) -> FloatArray:
    """Return setpoints (…, P) of s (…, P), never above the limits by rounding."""
    return np.minimum(np.where(_squares(described), np.sqrt(np.abs(s)), s), described.per_parameter("upper"))


def unit_of_s(described: LayerDescription) -> str:
    """Return the unit of s, the same for all heaters: V² in volts, else that of the setpoint."""
    group = described.groups[0]
    return group.unit + ("²" if group.scale == "square" else "")


def law_of(described: LayerDescription) -> Literal["linear", "square"]:
    """Return what s is of a setpoint, the same for all heaters."""
    return "square" if described.groups[0].scale == "square" else "linear"


def heats(bench: Bench) -> tuple[FloatArray, FloatArray]:
    """Return the heat per s (P,) relative to the median heater's, and its relative uncertainty (P,).

    As it was metered, whatever the drive is told; else by the data sheet, if that knows a power that goes with s.
    """
    described, measured = bench.described, bench.known.get("electrical.heat")
    exponent = {"square": 2.0, "linear": 1.0}[law_of(described)]
    laws = [group.power for group in described.groups]
    sheet = [law.watts if law is not None and law.exponent == exponent and law.watts > 0.0 else np.nan for law in laws]
    heat = np.repeat(sheet, [group.size for group in described.groups])
    spread = np.full_like(heat, UNKNOWN_HEAT)
    if measured is not None:
        known = np.isfinite(measured.array) & np.isfinite(measured.spread)
        heat[known], spread[known] = measured.array[known], measured.spread[known] / measured.array[known]
    typical = float(np.nanmedian(heat)) if np.isfinite(heat).any() else 1.0
    return np.where(np.isfinite(heat), heat / typical, 1.0), spread


def pi_power(bench: Bench, pi_setting: FloatArray, spread: FloatArray) -> Quantity | None:
    """Return Pπ in watts, where the heat of a setpoint was metered, or watts are driven."""
    heat, about = bench.known.get("electrical.heat"), "power that turns the phase by π"
    if heat is None:
        driven = bench.described.groups[0].unit == "W"
        return Quantity.of("W", "parameter", pi_setting, spread, about + ", as driven") if driven else None
    power = pi_setting * heat.array
    share = np.hypot(spread / pi_setting, heat.spread / heat.array)
    return Quantity.of("W", "parameter", power, power * share, about + ", pi_setting times its heat")


def data_sheet_pi(described: LayerDescription) -> FloatArray:
    """Return the Δs (P,) that turns a phase by π by the data sheet: π times what does about as much as a radian."""
    return np.pi * described.per_parameter("typical_change")


def coherent_patterns(bench: Bench, rows: int) -> FloatArray:
    """Return random patterns (rows, n_in) that light every port at once.

    γ heaters and the first column's φ show no fringe with a single lit port.
    """
    described = bench.described
    rng = bench.rng(1_000_000)
    patterns = rng.uniform(max(described.input_lower, -1.0), described.input_upper, (rows, described.n_inputs))
    return patterns * (described.input_upper / np.abs(patterns).max(axis=1, keepdims=True))


def rows_for(bench: Bench) -> int:
    """Return how many patterns are read: few outputs need more of them to average over."""
    return int(np.clip(256 // bench.described.n_outputs, 6, 24))


def load(bench: Bench, patterns: FloatArray) -> None:
    """Stage *patterns* where the light of the layer comes from: at the first layer of a cascade, else at its own."""
    cascaded = bench.device.description.topology == "cascaded"
    bench.device.load_inputs(0 if cascaded else bench.layer, patterns)


def background(bench: Bench, number: int) -> FloatArray:
    """Return random setpoints (P,), uniform in s over each group's start range, dead ones as parking leaves them.

    Where the budget does not allow them, and any one heater at its limit beside, all are drawn together towards where
    they are parked.
    """
    described = bench.described
    bounds = np.array([_start_range(group) for group in described.groups])
    sizes = [group.size for group in described.groups]
    lowest, highest = (to_s(described, np.repeat(ends, sizes)) for ends in bounds.T)
    s = bench.rng(number).uniform(lowest, highest)
    parked = to_s(described, standing_at(described))
    idle = [*bench.dead, *described.dead]
    s[idle] = parked[idle]
    return within_budget(bench, s, _share_of_backgrounds(bench))


def highest_alone(bench: Bench) -> FloatArray:
    """Return the highest s (P,) of each heater that the limits allow, and the budget beside any background."""
    described = bench.described
    upper = described.per_parameter("upper")
    room_w = (1.0 - _share_of_backgrounds(bench)) * _budget_w(bench)
    drawn = np.maximum(_drawn_alone_w(described), 1e-300)
    return to_s(described, upper) * np.minimum(1.0, room_w / drawn)


def _share_of_backgrounds(bench: Bench) -> float:
    """Return the share of the budget that leaves room for any one heater at its limit, if that is possible."""
    most_w = float(_drawn_alone_w(bench.described).max())
    return float(np.clip(1.0 - most_w / _budget_w(bench), LEAST_SHARE, BUDGET_SHARE))


def _drawn_alone_w(described: LayerDescription) -> FloatArray:
    """Return what each heater (P,) takes at its limit, watts."""
    return np.concatenate(
        [
            np.zeros(group.size) if group.power is None else group.power.total_w(np.full((group.size, 1), group.upper))
            for group in described.groups
        ]
    )


def _budget_w(bench: Bench) -> float:
    """Return what this layer may draw while all others are parked, watts."""
    own_w, description = bench.described.power_budget_w, bench.device.description
    allowed_w = np.inf if own_w is None else own_w
    if description.power_budget_w is None:
        return allowed_w
    others = () if description.shared_hardware else description.layers
    others_w = sum(drawn_w(each, standing_at(each)) for place, each in enumerate(others) if place != bench.layer)
    return min(allowed_w, description.power_budget_w - others_w)


def within_budget(bench: Bench, s: FloatArray, share: float = BUDGET_SHARE) -> FloatArray:
    """Return setpoints (P,) for s (P,), drawn towards the parked ones until they take *share* of the budget."""
    described, budget_w = bench.described, _budget_w(bench)
    parked = to_s(described, standing_at(described))
    scale = 1.0
    while True:
        setpoints = from_s(described, parked + scale * (s - parked))
        if drawn_w(described, setpoints) <= share * budget_w or scale < 1e-3:
            return setpoints
        scale *= 0.95


def drawn_w(described: LayerDescription, setpoints: FloatArray) -> float:
    """Return the power that *setpoints* (P,) take by the data sheet, watts."""
    ends = np.cumsum([0, *(group.size for group in described.groups)])
    return sum(
        float(group.power.total_w(setpoints[start:stop]))
        for group, start, stop in zip(described.groups, ends, ends[1:], strict=False)
        if group.power is not None
    )


def _squares(described: LayerDescription) -> NDArray[np.bool_]:
    return np.repeat([group.scale == "square" for group in described.groups], [g.size for g in described.groups])


def _start_range(group: ParameterGroup) -> tuple[float, float]:
    if group.start is not None:
        return group.start
    return group.lower, group.upper if group.period is None else min(group.upper, group.lower + group.period)


def wait(bench: Bench, seconds: float) -> None:
    """Let device time pass while outputs stand; signals and interlocks are heeded meanwhile."""
    device = bench.device
    until_s = device.clock.now_s() + seconds
    while (left_s := until_s - device.clock.now_s()) > 0.0:
        bench.heed()
        device.clock.sleep_s(min(left_s, HEED_EVERY_S))
