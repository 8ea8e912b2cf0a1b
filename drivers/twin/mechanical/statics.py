"""Linear static equilibrium of a lattice, K u = f: assembly and factorisation of the stiffness matrix in its band."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve_banded, cholesky_banded

from drivers.twin.mechanical.lattice import Lattice

FloatArray = NDArray[np.float64]


class Factor:
    """Cholesky factor of a stiffness matrix within its band (LAPACK pbtrf), for as many loads as there are.

    A lattice couples a node to those at most nx further on: n·nx² operations instead of n³/3. On 64 nodes as fast as a
    dense factor, from 200 on faster; SuperLU gains on it from 500 nodes on, where all gauges are solved for, and loses
    everywhere else (benchmarks/lattice.py).

    Parameters
    ----------
    band
        (nx + 1, n) lower band, N/m, as `stiffness_band` gives it.

    Raises
    ------
    numpy.linalg.LinAlgError
        When the matrix is not positive definite.
    """

    def __init__(self, band: FloatArray) -> None:
        self._factor = cholesky_banded(band, lower=True, check_finite=False)

    def solve(self, forces: FloatArray) -> FloatArray:
        """Return the displacements (n, m) in m under *forces* (n, m) in N."""
        return cho_solve_banded((self._factor, True), forces, check_finite=False)


def stiffness_band(lattice: Lattice, couplings: FloatArray, grounds: FloatArray) -> FloatArray:
    """Assemble the lower band of K = Σ k_e b_e b_eᵀ + diag(g), with b_e = +1 and −1 at the two nodes of a spring.

    Parameters
    ----------
    couplings
        (E,) stiffness of the springs between neighbours, N/m.
    grounds
        (n,) stiffness of the ground springs, N/m.

    Returns
    -------
    NDArray[np.float64]
        (nx + 1, n) in LAPACK's storage, band[i − j, j] = K[i, j], N/m.
    """
    first, second = lattice.couplings.T
    nodes = lattice.n_nodes
    band = np.zeros((lattice.nx + 1, nodes))
    band[0] = np.bincount(first, couplings, nodes) + np.bincount(second, couplings, nodes) + grounds
    band[second - first, first] = -couplings
    return band
