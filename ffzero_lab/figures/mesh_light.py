"""Where the light is in an ideal mesh: splitters of exactly one half, no loss, phases as they were asked for."""

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.figures.mesh_plan import MeshLayout

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def fields_along(layout: MeshLayout, phases: FloatArray, entering: FloatArray | ComplexArray) -> ComplexArray:
    """Return the fields (2N + 1, N) at all pieces of the waveguides, in the order of `Plan.guides`.

    An MZI is B·diag(e^{iθ}, 1)·B·diag(e^{iφ}, 1) with B = [[1, i], [i, 1]]/√2, behind one phase γ for each input
    (Clements et al. 2016, Optica 3, 1460). The power of a piece is |field|².

    Parameters
    ----------
    layout
        Of the mesh of N ports.
    phases
        (N²,) θ, φ and γ in rad.
    entering
        (N,) amplitudes at the inputs.
    """
    theta, phi, gamma = np.split(np.exp(1j * phases), [layout.n_mzi, 2 * layout.n_mzi])
    fields = np.empty((2 * layout.ports + 1, layout.ports), dtype=np.complex128)
    fields[0] = entering * gamma
    for column in range(layout.ports):
        own = np.flatnonzero(layout.column == column)
        upper, before, between, behind = layout.port[own], *fields[2 * column : 2 * column + 3]
        between[:], behind[:] = before, before  # what meets no splitter here goes straight on
        between[upper], between[upper + 1] = _split(before[upper] * phi[own], before[upper + 1])
        behind[upper], behind[upper + 1] = _split(between[upper] * theta[own], between[upper + 1])
    return fields


def _split(upper: ComplexArray, lower: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
    return (upper + 1j * lower) / np.sqrt(2.0), (1j * upper + lower) / np.sqrt(2.0)
