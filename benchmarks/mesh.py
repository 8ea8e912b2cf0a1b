"""Times the compiled mesh against a column-by-column NumPy loop, side by side on one core, and prints ratios.

Run `python benchmarks/mesh.py [--json] [--repetitions 15]`. One call sets all phases (trigonometry included) and
reads the intensities of a batch. Both sides run in this process and take turns, so that a busy machine slows both
alike.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # one core; read when NumPy is imported
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["VECLIB_MAXIMUM_THREADS"] = "1"

import argparse
import json
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from drivers.twin.photonic.mesh import Mesh, MeshGeometry
from drivers.twin.photonic.reference import ReferencePropagation

COMPARED = ((64, 128), (784, 128))
SCALED = tuple((ports, batch) for ports in (16, 64, 196, 784) for batch in (16, 128, 1024))
TARGET_RATIO = 8.0


class Case:
    """A mesh, fresh phases for each call, and a batch of amplitudes."""

    def __init__(self, ports: int, batch: int) -> None:
        rng = np.random.default_rng(ports)
        geometry = MeshGeometry(ports)
        splitters = rng.normal(0, 0.03, (2, geometry.n_mzi))
        self.phases = rng.uniform(0, 2 * np.pi, geometry.n_parameters)
        self.amplitudes = rng.uniform(0, 1, (batch, ports))
        self.mesh = Mesh(geometry, *splitters)
        self.reference = ReferencePropagation(geometry.column_starts, *splitters)

    def compiled(self) -> np.ndarray:
        """Read a batch as the twin does."""
        return self.mesh.intensities(self.amplitudes, self.phases)

    def column_loop(self) -> np.ndarray:
        """Push the batch through the columns, one after the other."""
        leaving = self.reference.cross(self.amplitudes, self.phases)
        return leaving.real**2 + leaving.imag**2

    def column_loop_matrix(self) -> np.ndarray:
        """Push the identity through the columns, then multiply: faster when the batch exceeds the ports."""
        leaving = self.amplitudes @ self.reference.transfer(self.phases).T
        return leaving.real**2 + leaving.imag**2


def time_in_turns(calls: list[Callable[[], object]], repetitions: int) -> list[float]:
    """Return the median seconds of each call; the calls take turns, after one warm-up each."""
    seconds: list[list[float]] = [[] for _ in calls]
    for repetition in range(repetitions + 1):
        for call, samples in zip(calls, seconds, strict=True):
            start = time.perf_counter()
            call()
            if repetition:
                samples.append(time.perf_counter() - start)
    return [median(samples) for samples in seconds]


def compare(ports: int, batch: int, repetitions: int) -> dict[str, float]:
    """Time the compiled mesh against the faster of the NumPy loops that make sense for this batch."""
    case = Case(ports, batch)
    loops = [case.column_loop] + ([case.column_loop_matrix] if batch >= ports else [])
    for loop in loops:
        np.testing.assert_allclose(case.compiled(), loop(), atol=1e-10)
    compiled_s, *loops_s = time_in_turns([case.compiled, *loops], repetitions)
    return {
        "ports": ports,
        "batch": batch,
        "compiled_s": compiled_s,
        "column_loop_s": min(loops_s),
        "ratio": min(loops_s) / compiled_s,
    }


def scale(repetitions: int) -> list[dict[str, float]]:
    """Time the compiled mesh over sizes and batches; a constant ratio says that cost is ∝ N²·min(B, N)."""
    rows: list[dict[str, float]] = []
    for ports, batch in SCALED:
        call = Case(ports, batch).compiled
        single = time_in_turns([call], 1)[0]
        loops = max(1, int(0.002 / single))  # short calls are timed in bundles
        bundle = time_in_turns([lambda call=call, loops=loops: [call() for _ in range(loops)]], repetitions)
        seconds = bundle[0] / loops
        normalised_ns = seconds / (ports**2 * min(batch, ports)) * 1e9
        rows.append({"ports": ports, "batch": batch, "seconds": seconds, "normalised_ns": normalised_ns})
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument("--repetitions", type=int, default=15, help="repetitions per median (15)")
    arguments = parser.parse_args()

    comparisons = [compare(ports, batch, arguments.repetitions) for ports, batch in COMPARED]
    scaling = scale(max(3, arguments.repetitions // 3))
    if arguments.json:
        print(json.dumps({"target_ratio": TARGET_RATIO, "comparisons": comparisons, "scaling": scaling}))
        return

    print("One layer: set all phases, read the intensities of a batch. One core, interleaved medians.\n")
    print("ports  batch  compiled ms  NumPy loop ms   ratio  (target)")
    for row in comparisons:
        print(
            f"{row['ports']:5d}  {row['batch']:5d}  {row['compiled_s'] * 1e3:11.3f}"
            f"  {row['column_loop_s'] * 1e3:13.3f}  {row['ratio']:5.1f}x  (>= {TARGET_RATIO:g}x)"
        )
    print("\nports  batch  compiled ms  time / (N² min(B, N)), ns")
    for row in scaling:
        print(
            f"{row['ports']:5d}  {row['batch']:5d}  {row['seconds'] * 1e3:11.4f}"
            f"  {row['normalised_ns']:25.3f}"
        )


if __name__ == "__main__":
    main()
