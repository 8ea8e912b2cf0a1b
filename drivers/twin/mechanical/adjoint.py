"""Exact slopes in the stiffness of springs, by the adjoint method. Training in place has no use for it."""

import numpy as np
from numpy.typing import NDArray

from drivers.twin.mechanical.duffing import newton_directions
from drivers.twin.mechanical.lattice import Lattice
from drivers.twin.mechanical.statics import Factor

FloatArray = NDArray[np.float64]


def spring_slopes(
    lattice: Lattice, band: FloatArray, cubic: float, displacements: FloatArray, slopes: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Carry slopes in the displacements of a membrane's nodes back to its springs.

    In equilibrium F(u, k) = K u + c u³ − f = 0, so that ∂L/∂k = −λᵀ·∂F/∂k with (K + 3c·diag(u²)) λ = ∂L/∂u: the slopes
    are loads on the lattice stiffened by where it stands (adjoint method: Haftka and Gürdal 1992, Elements of
    Structural Optimization, ch. 7). A spring between two nodes takes the product of the elongations in u and λ.

    Parameters
    ----------
    lattice
        Geometry.
    band
        (nx + 1, n) lower band of K, N/m, as `statics.stiffness_band` gives it.
    cubic
        c, N/m³.
    displacements
        (B, n) in equilibrium, m.
    slopes
        (B, n) ∂L/∂u, per m.

    Returns
    -------
    couplings, grounds
        (E,) and (n,) ∂L/∂k, per N/m.
    """
    linear = cubic == 0.0
    adjoint = Factor(band).solve(slopes.T).T if linear else newton_directions(band, cubic, displacements, slopes)
    first, second = lattice.couplings.T
    elongations = (each[:, first] - each[:, second] for each in (adjoint, displacements))
    return -np.einsum("be,be->e", *elongations), -np.einsum("bn,bn->n", adjoint, displacements)
