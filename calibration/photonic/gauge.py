"""The canonical gauge of a mesh: the input phases, which no intensity shows, are carried into the offsets."""

import numpy as np
from numpy.typing import NDArray

from calibration.photonic.mesh_model import Layout


def canonical(layout: Layout, phases: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return phases (P,), rad, θ, φ, γ, that act alike on intensities and have γ = 0.

    w ← γ; for each MZI on the ports (p, p+1) in order: φ ← φ + w_p − w_{p+1}, w_p ← w_{p+1}. What is left of w stands
    behind the mesh, where detection drops it.
    """
    carried = np.array(phases, dtype=np.float64)
    w = carried[2 * layout.n_mzi :].copy()
    for mzi, p in enumerate(layout.port.tolist()):
        carried[layout.n_mzi + mzi] += w[p] - w[p + 1]
        w[p] = w[p + 1]
    carried[2 * layout.n_mzi :] = 0.0
    return carried


def wrapped(phases: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return phases within −π to π, rad."""
    return np.mod(phases + np.pi, 2.0 * np.pi) - np.pi
