"""Linear static equilibrium of a lattice, K u = f: assembly and factorisation of the stiffness matrix."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, cho_solve_banded, cholesky_banded

from drivers.twin.mechanical.lattice import Lattice

FloatArray = NDArray[np.float64]

DENSE_BELOW = 500
"""Nodes from which on the band of the matrix is factorised alone: measured by benchmarks/lattice.py."""


class Factor(Protocol):
    """A factorised stiffness matrix, used for as many right-hand sides as there are."""

    def solve(self, forces: FloatArray) -> FloatArray:
        """Return the displacements (n, m) in m under *forces* (n, m) in N."""
        ...


class DenseFactor:
    """Dense Cholesky factor of the stiffness matrix (LAPACK potrf)."""

    def __init__(self, matrix: FloatArray) -> None:
        self._factor = cho_factor(matrix, lower=True, check_finite=False)

    def solve(self, forces: FloatArray) -> FloatArray:
        """Return the displacements (n, m) in m under *forces* (n, m) in N."""
        return cho_solve(self._factor, forces, check_finite=False)


class BandFactor:
    """Cholesky factor within the band of the stiffness matrix (LAPACK pbtrf): n·nx² instead of n³/3 operations."""

    def __init__(self, band: FloatArray) -> None:
        self._factor = cholesky_banded(band, lower=True, check_finite=False)

    def solve(self, forces: FloatArray) -> FloatArray:
        """Return the displacements (n, m) in m under *forces* (n, m) in N."""
        return cho_solve_banded((self._factor, True), forces, check_finite=False)


def factorised(lattice: Lattice, couplings: FloatArray, grounds: FloatArray) -> Factor:
    """Factorise the stiffness matrix, dense or within its band, whichever is faster at this size.

    Raises numpy.linalg.LinAlgError when it is not positive definite: a part of the lattice is not held.
    """
    if lattice.n_nodes < DENSE_BELOW:
        return DenseFactor(stiffness_matrix(lattice, couplings, grounds))
    return BandFactor(stiffness_band(lattice, couplings, grounds))


def stiffness_matrix(lattice: Lattice, couplings: FloatArray, grounds: FloatArray) -> FloatArray:
    """Assemble K = Σ k_e b_e b_eᵀ + diag(g), with b_e = +1 and −1 at the two nodes of a spring.

    Parameters
    ----------
    couplings
        (E,) stiffness of the springs between neighbours, N/m.
    grounds
        (n,) stiffness of the ground springs, N/m.

    Returns
    -------
    NDArray[np.float64]
        (n, n) symmetric, N/m.
    """
    first, second = lattice.couplings.T
    matrix = np.zeros((lattice.n_nodes, lattice.n_nodes))
    matrix[first, second] = matrix[second, first] = -couplings
    np.fill_diagonal(matrix, _diagonal(lattice, couplings, grounds))
    return matrix


def stiffness_band(lattice: Lattice, couplings: FloatArray, grounds: FloatArray) -> FloatArray:
    """Assemble the lower band (nx + 1, n) of K in LAPACK's storage, band[i − j, j] = K[i, j]; arguments as above."""
    first, second = lattice.couplings.T
    band = np.zeros((lattice.nx + 1, lattice.n_nodes))
    band[0] = _diagonal(lattice, couplings, grounds)
    band[second - first, first] = -couplings
    return band


def _diagonal(lattice: Lattice, couplings: FloatArray, grounds: FloatArray) -> FloatArray:
    first, second = lattice.couplings.T
    nodes = lattice.n_nodes
    return np.bincount(first, couplings, nodes) + np.bincount(second, couplings, nodes) + grounds
