"""Crosstalk: the share of a heater's heat that arrives at its neighbours, seen directly in a few heaters.

A heater that is turned by 2π does to its own light what it did before, whatever the mesh around it; its heat has grown
all the same. So whatever the outputs change by is crosstalk (Milanizadeh et al. 2019, J. Lightwave Technol. 37, 1325),
but for the error of the turn. Since intensities are sinusoidal in each phase, what a radian of a heater in reach does
to them is half of the difference between a quarter of a turn up and one down, exactly. The change is a combination of
these with one share for each neighbour. Shares fall as nearest·exp(−(d − 1)·decay) with the distance d in pitches, as
in the joint fit of `offsets`, which this confirms without a model of the mesh; what single pairs add to that law is
told where they are seen well.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from calibration.photonic import contexts
from calibration.photonic.first_constants import DECAY, NEAREST
from calibration.photonic.mesh_model import Layout
from calibration.procedure import Bench, Outcome, Sweep
from ffzero_lab.device import Counts, LayerDescription
from ffzero_lab.device.record import Finding, Quantity

FloatArray = NDArray[np.float64]
HEATERS = 12
"""Heaters that are turned."""
REACH = 6.0
"""Distance in pitches within which heat is looked for."""
SURROUNDINGS = 1.5
"""Distance within which a pair is reported, and all heaters must live: a dead one feels heat too, but cannot be moved
to see what that does."""
STEP_RAD = np.pi / 2.0
"""Up and down from the setting, to see what a radian does."""
ROUNDS = 4
"""How often there and back: drift that is linear in time cancels within a round."""
START = (0.005, 1.0)
"""Nearest share and decay from which the fit starts."""
OWN_SHARE = 0.5
"""Standard deviation of single shares around the law, before they are measured, relative to the nearest share."""
LEAST_SHARE = 1e-3
BAD = 2.0
"""Reduced χ² above which a person is told that the law does not describe the changes."""
OFF = 5.0
"""Standard uncertainties by which a pair is off the law before it is told."""


class Crosstalk:
    """Thermal crosstalk between neighbouring heaters, and how it falls with the distance."""

    name = "crosstalk"
    needs: tuple[str, ...] = ("electrical", "fringes")
    finds: tuple[str, ...] = ()
    waits_s = 0.0

    def suits(self, bench: Bench) -> str:
        """Return why the layer is no mesh whose heaters can be turned by 2π."""
        if why := contexts.why_no_mesh(bench):
            return why
        if not len(_turned(bench)):
            return "no heater has the range, and living neighbours, for a turn by 2π"
        return ""

    def predicted(self, bench: Bench) -> Counts:
        """Return two settings for each heater in reach, and four for each round of a heater that is turned."""
        turned = _turned(bench)
        settings = 2 * len(_in_reach(bench, turned)) + 4 * ROUNDS * len(turned)
        return Counts(settings, settings, settings * contexts.rows_for(bench))

    def run(self, bench: Bench) -> Outcome:
        """Measure, and fit the law and the pairs; raises what the device port raises."""
        if "fringes.pi_setting" not in bench.known:
            return _unmeasured(bench, "how far a turn by 2π goes is not known: carry out fringes first")
        turned = _within_budget(bench, _turned(bench))
        if not len(turned):
            return _unmeasured(bench, "the power budget has no room for a turn by 2π")
        reached = _in_reach(bench, turned)
        slopes = np.asarray(bench.kept("slopes", lambda: _slopes(bench, turned, reached))["readings"], np.float64)
        readings = np.asarray(bench.kept("turns", lambda: _turns(bench, turned))["readings"], dtype=np.float64)
        seen = np.setdiff1d(np.arange(bench.described.n_outputs), [*bench.dead_outputs])
        by_radian = ((slopes[:, 0] - slopes[:, 1]) / 2.0)[..., seen].reshape(len(reached), -1)
        rounds = (readings[:, :, 1] + readings[:, :, 2] - readings[:, :, 0] - readings[:, :, 3]) / 2.0
        rounds = rounds[..., seen].reshape(*rounds.shape[:2], -1)
        law = _law(_changes(bench, by_radian, reached, rounds, turned))
        return _outcome(bench, law)


@dataclass(frozen=True)
class _Change:
    """What turning one heater did, without what its own phase explains: nothing here moves with the error of the turn.

    ``left`` (M,) is the change of the outputs over its noise; ``per_share`` (V, M) what a share of one would do by each
    of the heaters ``heated`` (V,) at the ``distances`` (V,).
    """

    heater: int
    heated: NDArray[np.intp]
    distances: FloatArray
    left: FloatArray
    per_share: FloatArray


@dataclass(frozen=True)
class _Law:
    """nearest·exp(−(d − 1)·decay) with standard uncertainties and χ², and what it left of each change."""

    nearest: float
    decay: float
    spread: FloatArray
    chi2: float
    changes: tuple[_Change, ...]

    def shares(self, distances: FloatArray) -> FloatArray:
        """Return the shares at *distances*, pitches."""
        return _shares(self.nearest, self.decay, distances)


def _shares(nearest: float, decay: float, distances: FloatArray) -> FloatArray:
    return nearest * np.exp(-(distances - 1.0) * decay)


def _changes(
    bench: Bench, by_radian: FloatArray, reached: NDArray[np.intp], rounds: FloatArray, turned: NDArray[np.intp]
) -> tuple[_Change, ...]:
    """Return the changes of each heater turned: *by_radian* (V, M), *rounds* (A, R, M)."""
    distances, pi_settings, heats = _layout(bench).distances, _pi_settings(bench), contexts.heats(bench)[0]
    noise = float(np.sqrt(rounds.var(axis=1, ddof=1).mean() / ROUNDS))
    changes: list[_Change] = []
    for heater, change in zip(turned.tolist(), rounds.mean(axis=1), strict=True):
        own = by_radian[np.flatnonzero(reached == heater)[0]]
        beside = (distances[heater, reached] <= REACH) & (reached != heater)
        heated = reached[beside]
        radians = 2.0 * np.pi * pi_settings[heater] / pi_settings[heated] * heats[heater] / heats[heated]
        across = own / np.linalg.norm(own)
        per_share = by_radian[beside] * radians[:, np.newaxis]
        per_share -= np.outer(per_share @ across, across)
        left = change - (change @ across) * across
        changes.append(_Change(heater, heated, distances[heater, heated], left / noise, per_share / noise))
    return tuple(changes)


def _law(changes: tuple[_Change, ...]) -> _Law:
    """Fit the law to all changes; both constants are known before as in the joint fit, if only by their order."""

    def off(constants: FloatArray) -> FloatArray:
        nearest, decay = constants.tolist()
        known = [nearest / NEAREST, (decay - START[1]) / DECAY]
        return np.concatenate([known, *(c.left - _shares(nearest, decay, c.distances) @ c.per_share for c in changes)])

    found = least_squares(off, START, x_scale=START)
    chi2 = float((found.fun**2).sum() / (len(found.fun) - len(START)))
    jacobian = np.asarray(found.jac, dtype=np.float64)
    spread = np.sqrt(np.diag(np.linalg.inv(jacobian.T @ jacobian)) * max(1.0, chi2))
    return _Law(float(found.x[0]), float(found.x[1]), spread, chi2, changes)


def _outcome(bench: Bench, law: _Law) -> Outcome:
    described = bench.described
    names: list[str] = []
    shares: list[float] = []
    spreads: list[float] = []
    found: list[Finding] = []
    for change in law.changes:
        own, spread = _own_shares(law, change)
        expected = law.shares(change.distances)
        well = (change.distances <= SURROUNDINGS) & (spread < 0.5 * _own_spread(law))
        for place in np.flatnonzero(well).tolist():
            heater, heated = (described.name_of(int(each)) for each in (change.heater, change.heated[place]))
            names.append(f"{heater} to {heated}")
            shares.append(float(own[place]))
            spreads.append(float(spread[place]))
            if abs(own[place] - expected[place]) > max(OFF * spread[place], OWN_SHARE * abs(law.nearest)):
                what = f"{own[place]:.2%} of its heat arrives at {heated}, {expected[place]:.2%} do elsewhere"
                found.append(Finding(severity="warning", where=f"layer {bench.layer}, {heater}", what=what))
    if law.chi2 > BAD:
        what = f"no law of the distance describes what turns by 2π change: reduced χ² {law.chi2:.3g}"
        found.append(Finding(severity="warning", where=f"layer {bench.layer}", what=what))
    about = "share of a heater's heat that acts one pitch away"
    return Outcome(
        {
            "nearest": Quantity.of("1", "layer", law.nearest, law.spread[0], about),
            "decay": Quantity.of(
                "1/pitch", "layer", law.decay, law.spread[1], "share at d pitches: nearest·exp(−(d − 1)·decay)"
            ),
            "share": Quantity.of("1", "pair", shares, spreads, "of single pairs: " + ", ".join(names)),
            "residual": Quantity.of("1", "layer", law.chi2, np.nan, "reduced χ² of the law"),
        },
        tuple(found),
    )


def _unmeasured(bench: Bench, why: str) -> Outcome:
    told = f"crosstalk is not measured: {why}"
    return Outcome(findings=(Finding(severity="note", where=f"layer {bench.layer}", what=told),))


def _own_spread(law: _Law) -> float:
    return max(OWN_SHARE * abs(law.nearest), LEAST_SHARE)


def _own_shares(law: _Law, change: _Change) -> tuple[FloatArray, FloatArray]:
    """Return the shares (V,) of single neighbours and their uncertainties, from the law and what it leaves."""
    per_share = change.per_share / np.sqrt(max(1.0, law.chi2))
    left = (change.left - law.shares(change.distances) @ change.per_share) / np.sqrt(max(1.0, law.chi2))
    stiffness = per_share @ per_share.T + np.eye(len(per_share)) / _own_spread(law) ** 2
    covariance = np.asarray(np.linalg.inv(stiffness), dtype=np.float64)
    return law.shares(change.distances) + covariance @ (per_share @ left), np.sqrt(np.diag(covariance))


def _layout(bench: Bench) -> Layout:
    return Layout(bench.described.n_outputs)


def _pi_settings(bench: Bench) -> FloatArray:
    """Return Δs for π (P,): measured, else by the data sheet."""
    default, measured = contexts.data_sheet_pi(bench.described), bench.known.get("fringes.pi_setting")
    return default if measured is None else np.where(np.isfinite(measured.array), measured.array, default)


def _turned(bench: Bench) -> NDArray[np.intp]:
    """Return the heaters (A,) that are turned: random ones with the range, and living surroundings."""
    described, distances = bench.described, _layout(bench).distances
    dead = np.array(sorted({*bench.dead, *described.dead}), dtype=np.intp)
    lowest, highest = _ends(described)
    room = highest - lowest > 2.0 * _pi_settings(bench) * (1.0 + STEP_RAD / np.pi)
    lonely = (distances[:, dead] <= SURROUNDINGS).any(axis=1)
    return np.sort(bench.rng(0).permutation(np.flatnonzero(room & ~lonely))[:HEATERS])


def _in_reach(bench: Bench, turned: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the living heaters (V,) that heat from the *turned* ones may reach, with these."""
    near = (_layout(bench).distances[turned] <= REACH).any(axis=0)
    return np.setdiff1d(np.flatnonzero(near), [*bench.dead, *bench.described.dead]).astype(np.intp)


def _ends(described: LayerDescription) -> tuple[FloatArray, FloatArray]:
    lowest, highest = (contexts.to_s(described, described.per_parameter(end)) for end in ("lower", "upper"))
    return lowest, highest


def _steps(bench: Bench) -> FloatArray:
    return _pi_settings(bench) * (STEP_RAD / np.pi)


def _base(bench: Bench, turned: NDArray[np.intp]) -> FloatArray:
    """Return s (P,) of a random setting from which *turned* heaters can be turned, and all be moved a little."""
    lowest, highest = _ends(bench.described)
    s, steps = contexts.to_s(bench.described, contexts.background(bench, 0)), _steps(bench)
    s[turned] = lowest[turned]
    living = np.setdiff1d(np.arange(len(s)), [*bench.dead, *bench.described.dead])
    s[living] = np.clip(s, lowest + steps, highest - steps)[living]
    return s


def _slopes(bench: Bench, turned: NDArray[np.intp], reached: NDArray[np.intp]) -> Sweep:
    """Read (V, 2, B, n) with each heater in reach a little up, and down."""
    base, steps = _base(bench, turned), _steps(bench)
    settings = np.repeat(base[np.newaxis], 2 * len(reached), axis=0)
    for place, heater in enumerate(reached.tolist()):
        settings[2 * place : 2 * place + 2, heater] += steps[heater] * np.array([1.0, -1.0])
    readings = _read(bench, settings)
    return {"heaters": reached, "readings": readings.reshape(len(reached), 2, *readings.shape[1:]).astype(np.float32)}


def _turns(bench: Bench, turned: NDArray[np.intp]) -> Sweep:
    """Read (A, R, 4, B, n) without, with, with and without a turn of each heater."""
    base = _base(bench, turned)
    readings: list[FloatArray] = []
    for heater in turned.tolist():
        there = _with_a_turn(bench, base, heater)
        read = _read(bench, np.tile(np.stack([base, there, there, base]), (ROUNDS, 1)))
        readings.append(read.reshape(ROUNDS, 4, *read.shape[1:]))
    return {"heaters": turned, "readings": np.array(readings, dtype=np.float32)}


def _within_budget(bench: Bench, turned: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return those heaters of *turned* that the power budgets allow to be turned."""
    base = _base(bench, turned)

    def allowed(heater: int) -> bool:
        there = _with_a_turn(bench, base, heater)
        return np.allclose(contexts.within_budget(bench, there, share=1.0), contexts.from_s(bench.described, there))

    return np.array([heater for heater in turned.tolist() if allowed(heater)], dtype=np.intp)


def _with_a_turn(bench: Bench, base: FloatArray, heater: int) -> FloatArray:
    there = base.copy()
    there[heater] += 2.0 * _pi_settings(bench)[heater]
    return there


def _read(bench: Bench, s: FloatArray) -> FloatArray:
    rows = contexts.rows_for(bench)
    contexts.load(bench, contexts.coherent_patterns(bench, rows))
    return bench.device.probe(bench.layer, contexts.from_s(bench.described, s), np.arange(rows))
