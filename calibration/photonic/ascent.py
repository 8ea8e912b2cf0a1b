"""Better offsets from transfer matrices: one phase after the other is turned to where it fits them best."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from calibration.photonic.mesh_model import ComplexArray, FloatArray, Layout, mzi_matrix

_UPPER = 0.5 * np.array([[1.0, 1j], [1j, -1.0]])
"""What e^{iθ} multiplies in an MZI of 50:50 splitters; the rest does not move with θ."""
ENOUGH = 2e-3
"""Turns below which nothing more is gained, rad: imperfect splitters leave more than that."""


def ascended(
    layout: Layout,
    rows: ComplexArray,
    seen: NDArray[np.intp],
    driven: FloatArray,
    offsets: FloatArray,
    sweeps: int = 20,
    heed: Callable[[], None] = lambda: None,
) -> FloatArray:
    """Return offsets (P,), rad, that fit the *rows* of K transfers better.

    What is raised is the mean of |⟨u, t⟩|², which does not see the unknown phase of a row: u (K, n_out, N) are unit
    rows of the outputs *seen*, t those of a mesh of 50:50 splitters with the phases offsets + driven (K, P). In one
    phase, ⟨u, t⟩ = a + b·e^{iφ}, so that its best value with the others as they are is −arg Σ a*·b: no step is too
    long, and shallow maxima are jumped over.
    """
    offsets = offsets.copy()
    for _ in range(sweeps):
        heed()
        earlier = offsets.copy()
        before = _before(layout, offsets + driven)
        behind = np.tile(np.eye(layout.ports, dtype=np.complex128)[seen], (len(rows), 1, 1))
        for column in reversed(range(layout.ports)):
            behind = _turn_column(layout, column, behind, before[column] @ rows.conj().swapaxes(1, 2), driven, offsets)
        if np.abs(offsets - earlier).max() < ENOUGH:
            break
    return offsets


def _turn_column(
    layout: Layout,
    column: int,
    behind: ComplexArray,
    arriving: ComplexArray,
    driven: FloatArray,
    offsets: FloatArray,
) -> ComplexArray:
    """Turn the *offsets* of one column in place, θ and φ of each MZI, and return what is *behind* the one before it.

    *behind* (K, n_out, N) is what light on each port behind the column does at the outputs; *arriving* (K, N, n_out) is
    what stands in front of the column, times the u* of each output.
    """
    members = layout.of_column(column).tolist()
    total = (behind[..., layout.bypassed(column)] * arriving[:, layout.bypassed(column)].swapaxes(1, 2)).sum(axis=-1)
    for k in members:
        p = int(layout.port[k])
        total = total + _overlap(behind[..., p : p + 2] @ _block(layout, offsets + driven, k), arriving[:, p : p + 2])
    in_front = behind.copy()
    for k in members:
        p, phi = int(layout.port[k]), layout.n_mzi + k
        leaving, entering = behind[..., p : p + 2], arriving[:, p : p + 2]
        turned = entering.copy()
        turned[:, 0] *= np.exp(1j * (offsets + driven)[:, phi])[:, np.newaxis]
        by_theta = _overlap(leaving @ _UPPER, turned) * np.exp(1j * (offsets + driven)[:, k])[:, np.newaxis]
        turn, total = _best(total, by_theta)
        offsets[k] += turn
        by_phi = (leaving @ _block(layout, offsets + driven, k))[..., 0] * entering[:, 0]
        turn, total = _best(total, by_phi)
        offsets[phi] += turn
        in_front[..., p : p + 2] = leaving @ _block(layout, offsets + driven, k)
    return in_front


def _block(layout: Layout, phases: FloatArray, mzi: int) -> ComplexArray:
    return mzi_matrix(phases[:, mzi], phases[:, layout.n_mzi + mzi])


def _before(layout: Layout, phases: FloatArray) -> list[ComplexArray]:
    """Return what stands in front of each column (K, N, N)."""
    light: ComplexArray = np.eye(layout.ports, dtype=np.complex128) * np.exp(
        1j * phases[:, np.newaxis, 2 * layout.n_mzi :]
    )
    before: list[ComplexArray] = []
    for column in range(layout.ports):
        before.append(light.copy())
        for k in layout.of_column(column).tolist():
            p = int(layout.port[k])
            light[:, p : p + 2] = _block(layout, phases, k) @ light[:, p : p + 2]
    return before


def _overlap(leaving: ComplexArray, entering: ComplexArray) -> ComplexArray:
    """Return Σ_q leaving (K, n_out, 2)·entering (K, 2, n_out), output by output."""
    return np.asarray(np.einsum("kiq,kqi->ki", leaving, entering), dtype=np.complex128)


def _best(total: ComplexArray, moving: ComplexArray) -> tuple[float, ComplexArray]:
    """Return by how much to turn the part *moving* of the overlaps, and the overlaps behind that."""
    rest = total - moving
    turn = -float(np.angle((rest.conj() * moving).sum()))
    return turn, rest + moving * np.exp(1j * turn)
