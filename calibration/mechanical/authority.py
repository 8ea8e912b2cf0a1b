"""Which springs move: each in turn goes from one end of its range to the other before soft random backgrounds.

Nothing has to be known of the lattice for that. Readings go soft, stiff, stiff, soft, so that creep of all the others,
which is a straight line in so short a time, drops out of the difference.
"""

import numpy as np

from calibration.mechanical.loads import FloatArray, balanced
from calibration.mechanical.settings import drawn
from calibration.procedure import Bench, Sweep

BACKGROUNDS = 3
ROWS = 8
"""Patterns that are looked at."""
ORDER = (0, 1, 1, 0)
SOFT_HALF = 0.5
"""Share of the range that backgrounds are drawn from: before soft neighbours, one spring does most."""
SIGMAS = 8.0
LEAST = 1e-3
"""Share of the median change that counts as none."""


def predicted(bench: Bench) -> tuple[int, int]:
    """Return writes and shots."""
    writes = BACKGROUNDS * len(ORDER) * len(driven(bench))
    return writes, writes * min(ROWS, len(balanced(bench)))


def driven(bench: Bench) -> list[int]:
    """Return the parameters that are not known to be dead."""
    idle = {*bench.dead, *bench.described.dead}
    return [parameter for parameter in range(bench.described.n_parameters) if parameter not in idle]


def measured(bench: Bench, number: int) -> Sweep:
    """Measure what each spring changes, (D, rows, n_out), before background *number*."""
    described = bench.described
    patterns = balanced(bench)[:ROWS]
    bench.device.load_inputs(bench.layer, patterns)
    background = drawn(bench, 500 + number, up_to=SOFT_HALF)
    ends = described.per_parameter("lower"), described.per_parameter("upper")
    changes: list[FloatArray] = []
    for parameter in driven(bench):
        settings = np.repeat(background[np.newaxis], len(ORDER), axis=0)
        settings[:, parameter] = [ends[end][parameter] for end in ORDER]
        readings = bench.device.probe(bench.layer, settings, np.arange(len(patterns)))
        stiff = np.array(ORDER, dtype=np.bool_)
        changes.append(readings[stiff].mean(axis=0) - readings[~stiff].mean(axis=0))
    return {"changes": np.array(changes)}


def unseen(changes: FloatArray, noise: FloatArray) -> tuple[FloatArray, list[int]]:
    """Return the RMS change (D,) by each spring, and the places of those that change nothing.

    *changes* are (K, D, rows, n_out) before K backgrounds, over outputs with the *noise* (n_out,) of one reading,
    which is that of a difference of two means of two. Without a change, their squares over the noise's sum up to χ².
    """
    samples = changes[:, 0].size
    squares = np.square(changes / noise).sum(axis=(0, 2, 3))
    rms = np.sqrt(np.square(changes).mean(axis=(0, 2, 3)))
    silent = (squares <= samples + SIGMAS * np.sqrt(2.0 * samples)) | (rms <= LEAST * np.median(rms))
    return rms, np.flatnonzero(silent).tolist()
