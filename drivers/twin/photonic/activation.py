"""The electro-optic activation between the meshes of a cascade."""

import numpy as np
from numpy.typing import NDArray

from drivers.twin.photonic.tables import Activation


def electro_optic(field: NDArray[np.complex128], constants: Activation) -> NDArray[np.complex128]:
    """Return √(1−α)·exp(−i[gI+φb]/2)·cos([gI+φb]/2)·E with I = |E|², elementwise (Williamson et al. 2020, eq. 6)."""
    intensity = field.real**2 + field.imag**2
    half_phase = 0.5 * (constants.gain_rad * intensity + constants.bias_rad)
    return np.sqrt(1.0 - constants.tap_fraction) * np.exp(-1j * half_phase) * np.cos(half_phase) * field
