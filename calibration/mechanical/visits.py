"""Random settings of a lattice, each visited from below and from above, with the moments of all writes and readings."""

from collections.abc import Collection, Sequence

import numpy as np

from calibration.mechanical.lattice_fit import Responses
from calibration.mechanical.loads import FloatArray, balanced, noise_of, response, size_of
from calibration.mechanical.servo import History
from calibration.mechanical.settings import drawn
from calibration.photonic import contexts
from calibration.procedure import Bench, Sweep, standing_at
from calibration.saturation import saturated
from ffzero_lab.device import Counts

PARTS = 3
"""Parts of the random settings; each begins at rest, and is what an interruption loses at most."""
REST_S = 360.0
"""Time parked before each part, so that creep of what was there before is about over."""
HOLD_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 57.0)
"""Waits between readings of the first setting of each part: how it creeps, until it stands."""
APPROACH, APPROACH_SHARE = 1.1, 0.2
"""Factor from which a setting is approached, opposite for each spring at the second visit: more than any play; and the
most that it may take of the range, on its logarithm."""


def bases(bench: Bench) -> int:
    """Return how many random settings a part has; each is visited twice."""
    return -(-(60 + bench.described.n_parameters // 2) // PARTS)


def measured(bench: Bench, share: float, part: int, still: Collection[int]) -> Sweep:
    """Visit the settings of one part under *share* of the largest loads; what is *still* is not driven.

    Returns what was written (T, P) and when (T,) on the device's clock, and the readings (M, B, n_out), after which
    write each was made (M,), and when it began (M,).
    """
    patterns = balanced(bench, share)
    bench.device.load_inputs(bench.layer, patterns)
    bench.device.park()
    contexts.wait(bench, REST_S)
    idle = [*still, *bench.dead, *bench.described.dead]
    rows, clock = np.arange(len(patterns)), bench.device.clock
    written: list[tuple[FloatArray, float]] = []
    readings: list[tuple[FloatArray, int, float]] = []

    def write(setpoints: FloatArray) -> None:
        written.append((setpoints, clock.now_s()))
        bench.device.write_parameters(bench.layer, setpoints)

    def read() -> None:
        began_s = clock.now_s()
        readings.append((bench.device.read_outputs(bench.layer, rows), len(written) - 1, began_s))

    margin = _margin(bench)
    write(drawn(bench, 900 + part, margin=margin, still=still))
    read()
    for seconds in HOLD_S:
        contexts.wait(bench, seconds)
        read()
    for base in range(part * bases(bench), (part + 1) * bases(bench)):
        setting = drawn(bench, 1_000 + base, margin=margin, still=still)
        above = bench.rng(100_000 + base).choice([-1.0, 1.0], len(setting))
        above[idle] = 0.0
        for first in (setting * margin**above, setting * margin**-above):
            write(first)
            write(setting)
            read()
    setpoints, written_s = zip(*written, strict=True)
    outputs, read_after, read_s = zip(*readings, strict=True)
    return {
        "written": np.array(setpoints),
        "written_s": np.array(written_s),
        "readings": np.array(outputs),
        "read_after": np.array(read_after),
        "read_s": np.array(read_s),
    }


def taken(bench: Bench) -> Counts:
    """Return what all parts take, apart from waiting."""
    writes, readings = 1 + 4 * bases(bench), 1 + len(HOLD_S) + 2 * bases(bench)
    return Counts(PARTS * writes, PARTS * readings, PARTS * readings * size_of(bench.described.n_inputs))


def responses_of(bench: Bench, share: float, sweeps: Sequence[Sweep]) -> Responses:
    """Return what the fit takes: responses weighted by their noise; outputs that saturated do not count there."""
    patterns, noise = balanced(bench, share), noise_of(bench)
    readings = np.concatenate([np.asarray(sweep["readings"], dtype=np.float64) for sweep in sweeps])
    weights = np.sqrt(len(patterns)) * float(np.abs(patterns[0, 0])) / np.tile(noise, (len(readings), 1))
    weights[saturated(bench.described, readings).any(axis=1)] = 0.0
    weights[:, list(bench.dead_outputs)] = 0.0
    histories = [_history(bench, sweep) for sweep in sweeps]
    return Responses(histories, response(readings, patterns)[0], weights)


def middle(bench: Bench) -> FloatArray:
    """Return the setpoints (P,) in the middle of the range, on its logarithm."""
    return np.sqrt(bench.described.per_parameter("lower") * bench.described.per_parameter("upper"))


def _margin(bench: Bench) -> FloatArray:
    """Return the factor (P,) from which a setting is approached."""
    described = bench.described
    ratio = described.per_parameter("upper") / described.per_parameter("lower")
    return np.minimum(APPROACH, ratio**APPROACH_SHARE)


def _history(bench: Bench, sweep: Sweep) -> History:
    written = np.asarray(sweep["written"], dtype=np.float64)
    return History(
        rest=standing_at(bench.described),
        written=written,
        written_s=np.asarray(sweep["written_s"], dtype=np.float64),
        read_after=np.asarray(sweep["read_after"], dtype=np.intp),
        read_s=np.asarray(sweep["read_s"], dtype=np.float64),
        reference=middle(bench),
    )
