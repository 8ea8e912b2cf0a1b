"""What a measurement of the mechanical twin costs, beside naive solves and other factorisations.

Run with ``OPENBLAS_NUM_THREADS=1 python benchmarks/lattice.py``. The first table: a measurement is the whole way
through the guard: servos, two settings, a batch, gauges. The naive ways only solve K u = f with ``numpy.linalg.solve``,
*by setting* for the whole batch at once, or *by pattern* with a factorisation for each.

The second table solves settings of one membrane for all gauges, or for 17 loads, assembly included: a Cholesky factor
within the band for each setting (what the twin does), a dense one, SuperLU, and all settings stacked in one call of
NumPy. All are timed in turn in one run, in processor time; numbers are medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

from drivers.twin.mechanical.lattice import Lattice, by_membrane
from drivers.twin.mechanical.statics import Factor, stiffness_band
from ffzero_lab import open_device

BATCH, SETTINGS, FEW = 128, 16, 17
Springs = tuple[np.ndarray, np.ndarray]


def triplets(lattice: Lattice, couplings: np.ndarray, grounds: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return the entries of the stiffness matrix and where they stand; those of equal places add up."""
    first, second = lattice.couplings.T
    nodes = np.arange(lattice.n_nodes)
    entries = np.concatenate([-couplings, -couplings, couplings, couplings, grounds])
    rows, columns = [first, second, first, second, nodes], [second, first, first, second, nodes]
    return entries, (np.concatenate(rows), np.concatenate(columns))


def dense_matrix(lattice: Lattice, couplings: np.ndarray, grounds: np.ndarray) -> np.ndarray:
    """Assemble the stiffness matrix (n, n)."""
    first, second = lattice.couplings.T
    nodes = lattice.n_nodes
    matrix = np.zeros((nodes, nodes))
    matrix[first, second] = matrix[second, first] = -couplings
    np.fill_diagonal(matrix, np.bincount(first, couplings, nodes) + np.bincount(second, couplings, nodes) + grounds)
    return matrix


def in_band(lattice: Lattice, springs: list[Springs], forces: np.ndarray) -> list[np.ndarray]:
    """Solve each setting within its band, as the twin does."""
    return [Factor(stiffness_band(lattice, *each)).solve(forces) for each in springs]


def dense(lattice: Lattice, springs: list[Springs], forces: np.ndarray) -> list[np.ndarray]:
    """Solve each setting by a dense Cholesky factor."""
    factors = (cho_factor(dense_matrix(lattice, *each), lower=True, check_finite=False) for each in springs)
    return [cho_solve(factor, forces, check_finite=False) for factor in factors]


def superlu(lattice: Lattice, springs: list[Springs], forces: np.ndarray) -> list[np.ndarray]:
    """Solve each setting as a general sparse matrix, telling SuperLU that it is symmetric and needs no pivoting."""
    shape = (lattice.n_nodes, lattice.n_nodes)
    told = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
    return [splu(csc_array(triplets(lattice, *each), shape=shape), **told).solve(forces) for each in springs]


def stacked(lattice: Lattice, springs: list[Springs], forces: np.ndarray) -> np.ndarray:
    """Solve all settings in one call."""
    return np.linalg.solve(np.stack([dense_matrix(lattice, *each) for each in springs]), forces)


WAYS = {"band": in_band, "dense": dense, "SuperLU": superlu, "stacked": stacked}


def median_ms(*timed: Callable[[], object], repetitions: int) -> list[float]:
    """Return the median processor milliseconds of each, called in turn."""
    spent: list[list[float]] = [[] for _ in timed]
    for _ in range(repetitions + 2):
        for times, call in zip(spent, timed, strict=True):
            began = time.process_time()
            call()
            times.append(1e3 * (time.process_time() - began))
    return [statistics.median(times[2:]) for times in spent]


def measure(side: int, preset: str, membranes: int, repetitions: int) -> str:
    """Time a measurement of two settings on one twin, and naive solves of the same; returns a row."""
    device = open_device("twin:mechanical", preset=preset, nx=side, ny=side, membranes=membranes)
    described, lattice = device.description.layers[0], Lattice(side, side)
    rng = np.random.default_rng(0)
    settings = rng.uniform(20.0, 800.0, (2, described.n_parameters))
    forces = rng.uniform(-1.0, 1.0, (BATCH, described.n_inputs))
    device.load_inputs(0, forces)
    rows, loads = np.arange(BATCH, dtype=np.intp), forces[:, :, np.newaxis]
    matrices = [dense_matrix(lattice, *each) for values in settings for each in by_membrane(lattice, values)]
    twin, by_setting, by_pattern = median_ms(
        lambda: device.probe(0, settings, rows),
        lambda: [np.linalg.solve(matrix, forces.T) for matrix in matrices],
        lambda: [np.linalg.solve(matrix, loads) for matrix in matrices],
        repetitions=repetitions,
    )
    where = f"{side:3d} x {side:<3d} {membranes} membrane{'s' if membranes > 1 else ' '} {preset:8s}"
    return f"{where} {twin:8.2f}   naive solves alone: by setting {by_setting:7.2f}, by pattern {by_pattern:8.2f}"


def factorise(side: int, repetitions: int) -> str:
    """Time the ways to solve settings of one membrane, for all gauges and for few loads; returns a row."""
    lattice, rng = Lattice(side, side), np.random.default_rng(0)
    springs = [
        (np.exp(rng.uniform(2.3, 6.9, lattice.n_couplings)), np.exp(rng.uniform(2.3, 6.9, lattice.n_nodes)))
        for _ in range(SETTINGS)
    ]
    nodes = np.eye(lattice.n_nodes)
    gauges = nodes[:, lattice.pairs[:, 0]] - nodes[:, lattice.pairs[:, 1]]
    row = f"{lattice.n_nodes:5d} nodes"
    for forces in (gauges, gauges[:, :FEW]):
        solved = [solve(lattice, springs, forces) for solve in WAYS.values()]
        for other in solved[1:]:
            np.testing.assert_allclose(other, solved[0], rtol=1e-8, atol=1e-14)
        calls = [lambda solve=solve, forces=forces: solve(lattice, springs, forces) for solve in WAYS.values()]
        spent = median_ms(*calls, repetitions=repetitions)
        row += f"   {forces.shape[1]:4d} right sides: "
        row += ", ".join(f"{name} {ms / SETTINGS:5.2f}" for name, ms in zip(WAYS, spent, strict=True))
    return row


def main() -> None:
    """Time lattices of several sizes and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=60)
    parser.add_argument("--sides", type=int, nargs="+", default=[6, 8, 16])
    parser.add_argument("--factorised", type=int, nargs="*", default=[6, 8, 12, 16, 23, 30])
    arguments = parser.parse_args()
    print(f"a measurement of two settings, batch {BATCH}, processor ms")
    for side in arguments.sides:
        for preset, membranes in (("ideal", 1), ("typical", 1), ("typical", 2)):
            print(measure(side, preset, membranes, arguments.repetitions), flush=True)
    print("\none setting of one membrane, processor ms")
    for side in arguments.factorised:
        print(factorise(side, max(3, arguments.repetitions // 12)), flush=True)


if __name__ == "__main__":
    main()
