"""Where the heaters lie on the chip, and how much of its heat each one gives to the others."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from drivers.twin.photonic.mesh import MeshGeometry

FloatArray = NDArray[np.float64]

_CUT = 0.01
"""Crosstalk is left out where it has fallen to this share of the nearest neighbour's."""


def heater_positions(geometry: MeshGeometry) -> FloatArray:
    """Return (N², 2) positions of θ, φ and γ along and across the chip, in heater pitches.

    A column of MZIs is two heaters long, φ in front of the first splitter and θ between the two, both on the upper
    of its waveguides, which lie one pitch apart. The input phases γ stand one pitch in front of the first column.
    """
    along, across = 2.0 * geometry.column.astype(np.float64), geometry.port.astype(np.float64)
    ports = np.arange(geometry.ports, dtype=np.float64)
    theta, phi, gamma = (along + 1.0, across), (along, across), (np.full_like(ports, -1.0), ports)
    return np.concatenate([np.stack(group, axis=1) for group in (theta, phi, gamma)])


def crosstalk(
    geometry: MeshGeometry, nearest: float, decay_pitches: float
) -> Callable[[FloatArray], FloatArray] | None:
    """Return what turns the heaters' own powers (N²,) into what arrives from the others, or None without crosstalk.

    Heater i receives Σ_j χ_ij P_j with χ = *nearest*·exp(−(d − 1)/*decay_pitches*), d the distance in pitches
    (Milanizadeh et al. 2019, J. Lightwave Technol. 37, 1325).
    """
    if nearest == 0.0:
        return None
    from scipy.spatial import KDTree

    tree = KDTree(heater_positions(geometry))
    farthest = 1.0 - decay_pitches * np.log(_CUT)
    distances = tree.sparse_distance_matrix(tree, farthest, output_type="coo_matrix").tocsr()
    distances.eliminate_zeros()  # a heater is no neighbour of its own
    distances.data = nearest * np.exp((1.0 - distances.data) / decay_pitches)

    def from_others(powers: FloatArray) -> FloatArray:
        return np.asarray(distances @ powers, dtype=np.float64)

    return from_others
