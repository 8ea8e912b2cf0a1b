"""At which settings a lattice is looked at: common stiffnesses, random ones, loads that its sensors can follow."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from calibration.mechanical.loads import balanced
from calibration.procedure import Bench, standing_at
from calibration.saturation import saturated

FloatArray = NDArray[np.float64]
TRIED = 1.0 / 8.0
"""Share of the largest loads with which it is tried how far the outputs go."""
RUFFLED = 0.25


def common(bench: Bench, level: float) -> FloatArray:
    """Return the setpoints (P,) of one stiffness for all, at *level* between 0 and 1 of the range on its logarithm.

    Parameters that are known not to move stand as parking leaves them.
    """
    return _still(bench, np.exp((1.0 - level) * _ends(bench)[0] + level * _ends(bench)[1]))


def scaled(bench: Bench, level: float) -> FloatArray:
    """Return one random setting (P,) times a common factor: at *level* 0 it begins at the soft end, at 1 it ends stiff.

    Springs differ by up to RUFFLED of the range, on its logarithm: two membranes of equal springs would show nothing.
    """
    lowest, highest = _ends(bench)
    share = (1.0 - RUFFLED) * level + RUFFLED * bench.rng(300).uniform(size=len(lowest))
    return _still(bench, np.exp(lowest + share * (highest - lowest)))


def drawn(
    bench: Bench, number: int, *, margin: FloatArray | float = 1.0, up_to: float = 1.0, still: Collection[int] = ()
) -> FloatArray:
    """Return random setpoints (P,), even on the logarithm, away from the ends by the factor *margin*.

    *up_to* is the share of the range, from its soft end, that is drawn from. Parameters that are known not to move, and
    *still* ones, stand as parking leaves them.
    """
    lowest, highest = _ends(bench)
    room = np.log(np.broadcast_to(margin, lowest.shape))
    top = lowest + up_to * (highest - lowest) - room
    return _still(bench, np.exp(bench.rng(number).uniform(lowest + room, top)), still)


def share_that_fits(bench: Bench, settings: FloatArray, fills: float) -> float:
    """Return the share of the largest loads at which outputs keep within *fills* of their range at *settings* (K, P).

    It is tried with a small share, and a power of √2, so that two calibrations take the same; outputs that show an end
    of their range even so do not count.
    """
    described = bench.described
    patterns = balanced(bench, TRIED)
    bench.device.load_inputs(bench.layer, patterns)
    readings = bench.device.probe(bench.layer, settings, np.arange(len(patterns)))
    readings = readings[..., ~saturated(described, readings).any(axis=(0, 1))]
    if readings.size == 0:
        return TRIED
    moves, rest = 0.5 * np.ptp(readings, axis=1).max(), np.abs(readings.mean(axis=1)).max()
    allowed = max(fills * described.output_upper - float(rest), 0.1 * fills * described.output_upper)
    share = TRIED * allowed / max(float(moves), 1e-12 * described.output_upper)
    return float(min(1.0, 2.0 ** (np.floor(2.0 * np.log2(share)) / 2.0)))


def _ends(bench: Bench) -> tuple[FloatArray, FloatArray]:
    described = bench.described
    return np.log(described.per_parameter("lower")), np.log(described.per_parameter("upper"))


def _still(bench: Bench, setpoints: FloatArray, still: Collection[int] = ()) -> FloatArray:
    described = bench.described
    inside = np.clip(setpoints, described.per_parameter("lower"), described.per_parameter("upper"))  # against rounding
    idle = [*bench.dead, *described.dead, *still]
    inside[idle] = standing_at(described)[idle]
    return inside
