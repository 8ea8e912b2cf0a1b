"""Times the compiled mesh against a column-by-column NumPy loop, side by side on one core; prints ratios.

Run `python benchmarks/mesh.py [--json] [--repetitions 15]`. One call sets all phases (trigonometry included)
and reads the intensities of a batch. Both sides take turns in one process: a busy machine slows both alike.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # one core; read when NumPy is imported
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["VECLIB_MAXIMUM_THREADS"] = "1"

import argparse
import json
import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np

from drivers.twin.photonic.mesh import Mesh, MeshGeometry
from drivers.twin.photonic.reference import ReferencePropagation

COMPARED = ((64, 128), (784, 128))
SCALED = tuple((ports, batch) for ports in (16, 64, 196, 784) for batch in (32, 128, 512))
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

    def matrix_loop(self) -> np.ndarray:
        """Push the identity through the columns, then multiply: faster when the batch exceeds the ports."""
        leaving = self.amplitudes @ self.reference.transfer(self.phases).T
        return leaving.real**2 + leaving.imag**2


def time_in_turns(calls: Sequence[Callable[[], object]], repetitions: int) -> list[float]:
    """Return the median seconds of each call; the calls take turns, short ones in bundles of about 5 ms."""
    bundles: list[int] = []
    for call in calls:
        call()  # compile, allocate
        start = time.perf_counter()
        call()
        bundles.append(max(1, round(0.005 / (time.perf_counter() - start))))
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(repetitions):
        for call, bundle, samples in zip(calls, bundles, seconds, strict=True):
            start = time.perf_counter()
            for _ in range(bundle):
                call()
            samples.append((time.perf_counter() - start) / bundle)
    return [median(samples) for samples in seconds]


def compare(ports: int, batch: int, repetitions: int) -> dict[str, float]:
    """Time the compiled mesh against the NumPy loop and, where it pays, NumPy building the matrix first."""
    case = Case(ports, batch)
    calls = [case.compiled, case.column_loop] + ([case.matrix_loop] if batch >= ports else [])
    for call in calls:
        np.testing.assert_allclose(case.compiled(), call(), atol=1e-10)
    compiled_s, loop_s, *matrix_s = time_in_turns(calls, repetitions)
    row = {"ports": ports, "batch": batch, "compiled_s": compiled_s, "column_loop_s": loop_s}
    row["ratio"] = loop_s / compiled_s
    if matrix_s:
        row |= {"matrix_loop_s": matrix_s[0], "matrix_ratio": matrix_s[0] / compiled_s}
    return row


def scale(repetitions: int) -> list[dict[str, float]]:
    """Time the mesh over sizes and batches; a steady last column says that the cost is ∝ N²·min(B, N)."""
    rows: list[dict[str, float]] = []
    for ports, batch in SCALED:
        (seconds,) = time_in_turns([Case(ports, batch).compiled], repetitions)
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

    print("One layer: set all phases, read the intensities of a batch. One core, interleaved medians.")
    print(f"Target: {TARGET_RATIO:g} times faster than the column-by-column loop.\n")
    print("ports  batch  compiled ms  column loop ms   ratio  via matrix ms   ratio")
    for row in comparisons:
        line = f"{row['ports']:5d}  {row['batch']:5d}  {row['compiled_s'] * 1e3:11.3f}"
        line += f"  {row['column_loop_s'] * 1e3:14.3f}  {row['ratio']:5.1f}x"
        if "matrix_loop_s" in row:
            line += f"  {row['matrix_loop_s'] * 1e3:13.3f}  {row['matrix_ratio']:5.1f}x"
        print(line)
    print("\nports  batch  compiled ms  time / (N² min(B, N)), ns")
    for row in scaling:
        print(f"{row['ports']:5d}  {row['batch']:5d}  {row['seconds'] * 1e3:11.4f}  {row['normalised_ns']:25.3f}")
    print("\nBeyond B = N the product with the matrix adds B N²: the last column then grows slowly with B / N.")


if __name__ == "__main__":
    main()
