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

    An MZI whose θ never moves shows no more than how it splits: its θ and its splitters *first* and *second* (M,), rad,
    cannot be told apart. Those in *still* are written as MZIs of 50:50 splitters, θ keeping its sign, and the phases in
    front of and behind these are carried on like γ.
    """
    found = np.array(phases, dtype=np.float64)
    gamma = found[2 * layout.n_mzi :].copy()
    found[2 * layout.n_mzi :] = 0.0
    found = _carried(layout, found, gamma, 0)
    for mzi in sorted(still):
        splitters = [0.0 if given is None else float(given[mzi]) for given in (first, second)]
        found = balanced(layout, found, mzi, -1.0 if np.sin(found[mzi]) < 0.0 else 1.0, *splitters)
    return found


def gathered(layout: Layout) -> FloatArray:
    """Return the standard deviations (P,) of canonical phases when every phase of its own, γ as well, has one of 1.

    φ behind the inputs takes up γ, which drifts like all others.
    """
    nowhere = np.zeros(layout.ports**2)
    moved = np.stack([canonical(layout, one) for one in np.eye(len(nowhere))]) - canonical(layout, nowhere)
    return np.linalg.norm(moved, axis=0)


def balanced(
    layout: Layout, phases: FloatArray, mzi: int, sign: float, first: float = 0.0, second: float = 0.0
) -> FloatArray:
    """Return phases (P,), rad, that act alike when an MZI with splitters *first* and *second*, rad, has 50:50 ones.

    There are two, with the *sign* of θ: an MZI of 50:50 splitters is i·e^{iθ/2}[[s, c], [c, −s]]·diag(e^{iφ}, 1) with s
    and c the sine and the cosine of θ/2. Phases in front of it are added to φ, those behind it are carried on.
    """
    given = mzi_matrix(phases[mzi : mzi + 1], np.zeros(1), first, second)[0]
    theta = sign * 2.0 * float(np.arctan2(abs(given[0, 0]), abs(given[0, 1])))
    common = 0.5 * (np.pi + theta)
    upper, lower = np.angle(given[0, 1]) - common, np.angle(-sign * given[1, 1]) - common
    before = np.angle(sign * given[0, 0]) - common - upper
    found = phases.copy()
    found[mzi] = theta
    found[layout.n_mzi + mzi] += before
    return _behind(layout, found, mzi, np.array([upper, lower]))


def near_balance(
    layout: Layout, phases: FloatArray, first: FloatArray, second: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return phases (P,) and splitters (M,), rad, that act alike when all splitters are within π/4 of 50:50.

    With Z = diag(1, −1), B(−π/2 − β) = Z·B(β)·Z and B(π/2 − β) = −Z·B(β)·Z. In front of a splitter −Z is a phase of π
    on the upper port; Z behind the second one, and signs, are carried on like γ.
    """
    found, first, second = phases.copy(), first.copy(), second.copy()
    m, upper, lower = layout.n_mzi, np.array([np.pi, 0.0]), np.array([0.0, np.pi])
    for mzi in np.flatnonzero(np.abs(first) > np.pi / 4.0).tolist():
        found = _behind(layout, found, mzi, upper + lower if first[mzi] > 0.0 else np.zeros(2))
        first[mzi] = np.copysign(np.pi / 2.0, first[mzi]) - first[mzi]
        found[m + mzi] += np.pi
        found[mzi] += np.pi
    for mzi in np.flatnonzero(np.abs(second) > np.pi / 4.0).tolist():
        found = _behind(layout, found, mzi, lower if second[mzi] > 0.0 else upper)
        second[mzi] = np.copysign(np.pi / 2.0, second[mzi]) - second[mzi]
        found[mzi] += np.pi
    return found, first, second


def _behind(layout: Layout, phases: FloatArray, mzi: int, turns: FloatArray) -> FloatArray:
    """Return phases (P,) that take up *turns* (2,) on the ports behind an MZI."""
    behind = np.zeros(layout.ports)
    behind[layout.port[mzi] : layout.port[mzi] + 2] = turns
    return _carried(layout, phases, behind, mzi + 1)


def wrapped(phases: FloatArray) -> FloatArray:
    """Return phases within −π to π, rad."""
    return np.mod(phases + np.pi, 2.0 * np.pi) - np.pi


def _carried(layout: Layout, phases: FloatArray, w: FloatArray, start: int) -> FloatArray:
    """Return phases (P,) that take up *w* (N,), which stands in front of the MZIs from *start* on.

    φ ← φ + w_p − w_{p+1}, w_p ← w_{p+1} for each MZI on the ports (p, p+1) in order. What is left of w stands behind
    the mesh, where detection drops it.
    """
    found, w = phases.copy(), w.copy()
    for mzi in range(start, layout.n_mzi):
        p = int(layout.port[mzi])
        found[layout.n_mzi + mzi] += w[p] - w[p + 1]
        w[p] = w[p + 1]
    return found
