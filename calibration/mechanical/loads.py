"""Load patterns that tell the response to every input at once, and how a response is read off them.

All inputs pull in every pattern, by the columns of a Hadamard matrix but the first: orthogonal to each other, so that
each response has the noise of all patterns together and not that of one (weighing designs: Hotelling 1944, Ann. Math.
Stat. 15, 297), and of zero sum, so that what is read without load drops out of the responses.
"""

import numpy as np
from numpy.typing import NDArray

from calibration.procedure import Bench

FloatArray = NDArray[np.float64]


def why_not_mechanical(bench: Bench) -> str:
    """Return why the layer is no lattice under loads to both sides; empty: it is."""
    kind = bench.device.description.kind
    if kind != "mechanical":
        return f"the device is {kind}, not mechanical"
    if not bench.described.input_lower < 0.0 < bench.described.input_upper:
        return "its loads do not pull to both sides"
    return ""


def size_of(n_inputs: int) -> int:
    """Return how many patterns :func:`balanced` makes: the power of two above the number of inputs."""
    return 1 << n_inputs.bit_length()


def balanced(bench: Bench, share: float = 1.0) -> FloatArray:
    """Return patterns (B, n_in) of ±*share* of the largest load to both sides; columns are orthogonal, of zero sum.

    Columns and their signs are drawn, since the rows of a Hadamard matrix as they come push whole regions one way;
    always alike, so that two calibrations compare.
    """
    from scipy.linalg import hadamard

    described, rng = bench.described, np.random.default_rng(bench.described.n_inputs)
    size = size_of(described.n_inputs)
    signs = np.asarray(hadamard(size), dtype=np.float64)[:, 1 + rng.permutation(size - 1)[: described.n_inputs]]
    force = share * min(-described.input_lower, described.input_upper)
    return force * signs * rng.choice([-1.0, 1.0], described.n_inputs)


def response(readings: FloatArray, patterns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return R (…, n_out, n_in) per unit of load, and what is read without load (…, n_out), of readings (…, B, n_out).

    An entry of R has the standard uncertainty σ/(F·√B) with the noise σ of a reading and the load F.
    """
    force = float(np.abs(patterns[0, 0]))
    return np.swapaxes(readings, -1, -2) @ patterns / (force**2 * len(patterns)), readings.mean(axis=-2)


def noise_of(bench: Bench) -> FloatArray:
    """Return the standard deviation (n_out,) of one reading: as measured before, else by the detection floor."""
    described = bench.described
    by_floor = np.full(described.n_outputs, described.detection_floor / FLOOR_SIGMAS)
    known = bench.known.get("sensors.noise")
    measured = by_floor if known is None else known.array * described.output_upper
    return np.maximum(np.where(np.isfinite(measured), measured, by_floor), LEAST_NOISE * described.output_upper)


FLOOR_SIGMAS = 4.0
"""A detection floor is so many standard deviations, where the noise was not measured."""
LEAST_NOISE = 1e-7
"""Share of full scale under which the model's own rounding counts for more."""
