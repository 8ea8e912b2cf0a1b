"""What a measurement of the mechanical twin costs, against factorising anew and against one stacked solve.

Run with ``OPENBLAS_NUM_THREADS=1 python benchmarks/lattice.py``. A measurement is the whole way through the guard:
servos, two settings, a batch, gauges. *By pattern* only solves K u = f, with a factorisation for each pattern.
*Stacked* only solves for the gauges of all settings in one call of NumPy; *one by one* is what the twin does instead, a
Cholesky factorisation for each setting. All are timed in turn in one run, in processor time; ratios are those of the
medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from drivers.twin.mechanical.lattice import Lattice, by_membrane
from drivers.twin.mechanical.statics import DenseFactor, stiffness_matrix
from ffzero_lab import open_device

BATCH, MANY = 128, 16


def matrices(lattice: Lattice, settings: np.ndarray) -> np.ndarray:
    """Assemble the stiffness matrices (settings · membranes, n, n)."""
    return np.stack(
        [stiffness_matrix(lattice, *springs) for values in settings for springs in by_membrane(lattice, values)]
    )


def median_ms(*timed: Callable[[], object], repetitions: int) -> list[float]:
    """Return the median processor milliseconds of each, called in turn."""
    spent: list[list[float]] = [[] for _ in timed]
    for _ in range(repetitions + 3):
        for times, call in zip(spent, timed, strict=True):
            began = time.process_time()
            call()
            times.append(1e3 * (time.process_time() - began))
    return [statistics.median(times[3:]) for times in spent]


def main() -> None:
    """Time lattices of several sizes and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=60)
    parser.add_argument("--sides", type=int, nargs="+", default=[6, 8, 16])
    arguments = parser.parse_args()
    print(f"batch {BATCH}: processor ms of a measurement of two settings; the same by pattern; {MANY} settings stacked")
    for side in arguments.sides:
        for preset, membranes in (("ideal", 1), ("typical", 1), ("typical", 2)):
            device = open_device("twin:mechanical", preset=preset, nx=side, ny=side, membranes=membranes)
            described, lattice = device.description.layers[0], Lattice(side, side)
            rng = np.random.default_rng(0)
            settings = rng.uniform(20.0, 80.0, (MANY, described.n_parameters))
            forces = rng.uniform(-1.0, 1.0, (BATCH, described.n_inputs))
            device.load_inputs(0, forces)
            rows = np.arange(BATCH, dtype=np.intp)
            loads = forces[:, :, np.newaxis]
            gauges = np.eye(lattice.n_nodes)[:, : described.n_outputs]
            two, many = matrices(lattice, settings[:2]), matrices(lattice, settings)
            timed: list[Callable[[], object]] = [
                lambda device=device, settings=settings, rows=rows: device.probe(0, settings[:2], rows),
                lambda two=two, loads=loads: [np.linalg.solve(matrix, loads) for matrix in two],
                lambda many=many, gauges=gauges: np.linalg.solve(many, gauges),
                lambda many=many, gauges=gauges: [DenseFactor(matrix).solve(gauges) for matrix in many],
            ]
            twin, by_pattern, stacked, one_by_one = median_ms(*timed, repetitions=arguments.repetitions)
            print(
                f"{side:3d} x {side:<3d} {membranes} membrane{'s' if membranes > 1 else ' '} {preset:8s}{twin:8.2f} ms"
                f"   by pattern {by_pattern / twin:6.1f} x   stacked {stacked / one_by_one:5.2f} x one by one",
                flush=True,
            )


if __name__ == "__main__":
    main()
