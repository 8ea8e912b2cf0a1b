"""Drift: how far the outputs of one unchanged setting walk, and how much that is in radians where phases are known.

A reference setting is read at intervals. What two readings a time T apart differ by beyond noise grows as √T for a
random walk, and so for an Ornstein–Uhlenbeck process looked at for less than its correlation time: the walk w is fitted
to E[(z(t+T) − z(t))²] = w² T + 2σ². Known random changes of all phases tell what a radian does to the outputs there,
and so what walk of every single phase would explain that of the outputs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.photonic import contexts
from calibration.procedure import Bench, Outcome, Sweep
from ffzero_lab.device import Counts
from ffzero_lab.device.record import Finding, Quantity

FloatArray = NDArray[np.float64]
LOOKS, EVERY_S = 21, 15.0
"""Readings of the reference, and the seconds between two of them."""
PATTERNS, AVERAGED = 16, 8
TURNED, TURN_RAD = 24, 0.05
"""Random changes of all phases, each of so many radians up or down."""
HOUR_S = 3600.0


class Drift:
    """The walk of outputs and phases."""

    name = "drift"
    needs: tuple[str, ...] = ("fringes",)
    finds: tuple[str, ...] = ()
    waits_s = (LOOKS - 1) * EVERY_S

    def suits(self, bench: Bench) -> str:
        """Return nothing: every device drifts."""
        del bench
        return ""

    def predicted(self, bench: Bench) -> Counts:
        """Return the readings of the reference and of the changes."""
        turned = TURNED if bench.device.description.kind == "photonic" else 0
        settings = LOOKS + turned
        return Counts(writes=turned + 2, readings=settings, shots=settings * PATTERNS * AVERAGED)

    def run(self, bench: Bench) -> Outcome:
        """Read, wait, read again; evaluate."""
        raw = bench.kept("reference", lambda: _watched(bench))
        full_scale = bench.described.output_upper
        looks = np.asarray(raw["readings"], dtype=np.float64) / full_scale
        alive = np.setdiff1d(np.arange(bench.described.n_outputs), list(bench.dead_outputs))
        every_s = float(raw["seconds"]) / (LOOKS - 1)
        walks = walks_of(looks[:, :, alive], every_s)
        walk, spread = np.full((2, bench.described.n_outputs), np.nan)
        walk[alive], spread[alive] = np.transpose(
            [rooted(*pair) for pair in zip(walks.square.tolist(), walks.spread.tolist(), strict=True)]
        )
        quantities = {
            "walk": Quantity.of("1/√h", "output", walk, spread, "RMS change of an output, share of full scale"),
        }
        turned = np.asarray(raw["turned"], dtype=np.float64) / full_scale
        if len(turned):
            moved: FloatArray = (turned - looks[-1])[..., alive]
            by_turn = float(np.mean(np.square(moved))) - 2.0 * float(walks.noise.mean())
            if by_turn > 0.0:
                per_rad = float(np.sqrt(by_turn)) / TURN_RAD
                about = "walk of every phase that would explain the outputs'"
                quantities["phase_walk"] = Quantity.of("rad/√h", "layer", *walks.pooled(per_rad), about)
        return Outcome(quantities, _findings(bench, walk))


@dataclass(frozen=True)
class Walks:
    """What looks at series of values tell of their random walks; below zero by chance where there are none.

    Attributes
    ----------
    square, spread
        (n,) w² per hour, the mean over the patterns, and its standard uncertainty.
    noise
        (n,) variance of the noise of one look.
    """

    square: FloatArray
    spread: FloatArray
    noise: FloatArray

    def pooled(self, scale: float) -> tuple[float, float]:
        """Return the root mean square walk of all series over *scale*, and its uncertainty, which they may share."""
        return rooted(float(self.square.mean()) / scale**2, float(self.spread.mean()) / scale**2)


def rooted(square: float, spread: float) -> tuple[float, float]:
    """Return the root of a square ≥ 0 with its uncertainty; where the square may be zero, up to that of the square."""
    root = float(np.sqrt(max(square, 0.0)))
    most = float(np.sqrt(spread))
    return root, min(most, spread / (2.0 * root)) if root > 0.0 else most


def walks_of(looks: FloatArray, every_s: float) -> Walks:
    """Fit E[(z(t+T) − z(t))²] = w² T + 2σ² to looks (L, B, n) at equal intervals.

    The estimate is a quadratic form zᵀAz of each series, whose variance is 2 tr(ACAC) with the covariance C of a walk
    with noise (Searle 1971, Linear Models, theorem 2.5). Series that share their walks count as fewer.
    """
    count = len(looks)
    lags = np.arange(1, count // 2 + 1)
    hours = lags * every_s / HOUR_S
    weights = np.sqrt((count - lags) / lags)  # fewer and more alike differences at longer times
    design = np.stack([hours, np.ones_like(hours)], axis=1)
    answer = np.asarray(np.linalg.pinv(design * weights[:, np.newaxis]), dtype=np.float64) * weights
    squares = np.array([np.mean((looks[lag:] - looks[:-lag]) ** 2, axis=(0, 1)) for lag in lags])
    square, twice_noise = answer @ squares
    form = np.zeros((count, count))
    for lag, share in zip(lags.tolist(), answer[0].tolist(), strict=True):
        differences = np.eye(count)[lag:] - np.eye(count)[:-lag]
        form += share / len(differences) * differences.T @ differences
    steps = np.arange(count) * every_s / HOUR_S
    walked, noise = np.minimum(steps[:, np.newaxis], steps), np.maximum(twice_noise, 0.0) / 2.0

    def spread_of(series: int, square: float) -> float:
        twice = form @ (square * walked + noise[series] * np.eye(count))
        return float(np.sqrt(2.0 * np.trace(twice @ twice) / _independent(looks[..., series])))

    spread = np.empty_like(square)
    for series, found in enumerate(np.maximum(square, 0.0).tolist()):
        spread[series] = spread_of(series, found + spread_of(series, found))  # what came out small is not surer for it
    return Walks(square, spread, noise)


def _independent(looks: FloatArray) -> float:
    """Return how many of the series (L, B) are independent: (Σλ)²/Σλ² of the eigenvalues of their covariance.

    That of L − 1 steps spreads the eigenvalues of independent series as well, by 1/(L − 1).
    """
    steps = np.diff(looks, axis=0)
    products = steps.T @ steps
    whole = float(np.square(products).sum())
    if whole == 0.0:
        return 1.0
    alike = whole / float(np.trace(products)) ** 2 - 1.0 / len(steps)
    return 1.0 / max(alike, 1.0 / looks.shape[1])


def _watched(bench: Bench) -> Sweep:
    """Read the reference (L, B, n), then with the phases changed (K, B, n); nothing where π is not known."""
    contexts.load(bench, contexts.coherent_patterns(bench, PATTERNS))
    reference = contexts.background(bench, 0)
    bench.device.write_parameters(bench.layer, reference)
    clock, rows = bench.device.clock, np.tile(np.arange(PATTERNS), AVERAGED)
    began_s = clock.now_s()
    looks = [_read(bench, rows)]
    for _ in range(LOOKS - 1):
        contexts.wait(bench, EVERY_S)
        looks.append(_read(bench, rows))
    seconds = clock.now_s() - began_s
    turned = [_read_at(bench, setting, rows) for setting in _turned(bench, reference)]
    bench.device.write_parameters(bench.layer, reference)
    return {
        "readings": np.array(looks),
        "seconds": np.array(seconds),
        "turned": np.array(turned).reshape(-1, *looks[0].shape),
    }


def _turned(bench: Bench, reference: FloatArray) -> list[FloatArray]:
    """Return settings (P,) in which every known phase is off by TURN_RAD, up or down."""
    pi_settings = _pi_settings(bench)
    if pi_settings is None:
        return []
    described = bench.described
    s = contexts.to_s(described, reference)
    lowest, highest = (contexts.to_s(described, described.per_parameter(end)) for end in ("lower", "upper"))
    step = np.nan_to_num(pi_settings * TURN_RAD / np.pi)
    step[list(bench.dead)] = 0.0
    rng = bench.rng(1)
    moved: list[FloatArray] = []
    for _ in range(TURNED):
        signs = rng.choice([-1.0, 1.0], len(s))
        signs = np.where((s + signs * step < lowest) | (s + signs * step > highest), -signs, signs)
        moved.append(contexts.within_budget(bench, s + signs * step, share=1.0))
    return moved


def _read_at(bench: Bench, setting: FloatArray, rows: NDArray[np.intp]) -> FloatArray:
    bench.device.write_parameters(bench.layer, setting)
    return _read(bench, rows)


def _read(bench: Bench, rows: NDArray[np.intp]) -> FloatArray:
    return bench.device.read_outputs(bench.layer, rows).reshape(AVERAGED, PATTERNS, -1).mean(axis=0)


def _pi_settings(bench: Bench) -> FloatArray | None:
    known = bench.known.get("offsets.pi_setting", bench.known.get("fringes.pi_setting"))
    return None if known is None else known.array


def _findings(bench: Bench, walk: FloatArray) -> tuple[Finding, ...]:
    noise = bench.known.get("noise.sigma")
    if noise is None:
        return ()
    hours = (np.nanmedian(noise.array) / np.nanmedian(walk)) ** 2 if np.nanmedian(walk) > 0.0 else np.inf
    if hours > 1.0:
        return ()
    told = f"the outputs walk by the noise of one reading in about {60.0 * hours:.2g} min; calibrate and check often"
    return (Finding(severity="note", where=f"layer {bench.layer}", what=told),)
