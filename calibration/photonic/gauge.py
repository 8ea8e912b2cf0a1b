"""The canonical gauge of a mesh: phases that no intensity shows are carried through it until they leave it."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from calibration.photonic.mesh_model import Layout, mzi_matrix

FloatArray = NDArray[np.float64]


def canonical(
    layout: Layout,
    phases: FloatArray,
    first: FloatArray | None = None,
    second: FloatArray | None = None,
    still: Collection[int] = (),
) -> FloatArray:
    """Return phases (P,), rad, θ, φ, γ, that act alike on intensities and have γ = 0.

    w ← γ; for each MZI on the ports (p, p+1) in order: φ ← φ + w_p − w_{p+1}, w_p ← w_{p+1}. What is left of w stands
    behind the mesh, where detection drops it.

    An MZI whose θ never moves shows no more than how it splits: its θ and its splitters *first* and *second* (M,), rad,
    cannot be told apart. Those in *still* are written as MZIs of 50:50 splitters with θ within 0 to π, and the phases in
    front of and behind these are carried on like the others.
    """
    carried = np.array(phases, dtype=np.float64)
    w = carried[2 * layout.n_mzi :].copy()
    for mzi, p in enumerate(layout.port.tolist()):
        carried[layout.n_mzi + mzi] += w[p] - w[p + 1]
        w[p] = w[p + 1]
        if mzi in still:
            betas = [0.0 if given is None else float(given[mzi]) for given in (first, second)]
            carried[mzi], before, behind = _as_balanced(float(carried[mzi]), *betas)
            carried[layout.n_mzi + mzi] += before
            w[p : p + 2] += behind
    carried[2 * layout.n_mzi :] = 0.0
    return carried


def _as_balanced(theta: float, first: float, second: float) -> tuple[float, float, FloatArray]:
    """Return θ′, the phase before and those (2,) behind an MZI of 50:50 splitters that acts like the given one.

    By i·e^{iθ′/2}[[s, c], [c, −s]] with s and c the sine and the cosine of θ′/2.
    """
    given = mzi_matrix(np.array([theta]), np.zeros(1), first, second)[0]
    balanced = 2.0 * float(np.arctan2(abs(given[0, 0]), abs(given[0, 1])))
    common = 0.5 * (np.pi + balanced)
    upper = np.angle(given[0, 1]) - common
    lower = np.angle(-given[1, 1]) - common
    return balanced, float(np.angle(given[0, 0]) - common - upper), np.array([upper, lower])


def wrapped(phases: FloatArray) -> FloatArray:
    """Return phases within −π to π, rad."""
    return np.mod(phases + np.pi, 2.0 * np.pi) - np.pi
