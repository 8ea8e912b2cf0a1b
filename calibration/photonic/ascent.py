"""Better offsets from transfer matrices: one phase after the other is turned to where it fits them best."""

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
) -> tuple[FloatArray, float]:
    """Return offsets (P,), rad, that fit the *rows* of K transfers better, and how well: 1 is perfect.

    What is raised is the mean of |⟨u, t⟩|², which does not see the unknown phase of a row: u (K, n_out, N) are unit rows
    of the outputs *seen*, t those of a mesh of 50:50 splitters with the phases offsets + driven (K, P). In one phase,
    ⟨u, t⟩ = a + b·e^{iφ}, so that its best value with the others as they are is −arg Σ a*·b: no step is too long, and
    shallow maxima are jumped over. Ports that meet no MZI in a column just pass.
    """
    offsets, m = offsets.copy(), layout.n_mzi
    fit = 0.0
    for _ in range(sweeps):
        largest = 0.0
        before = _before(layout, offsets + driven)
        behind = np.tile(np.eye(layout.ports, dtype=np.complex128)[seen], (len(rows), 1, 1))
        for column in reversed(range(layout.ports)):
            arriving = before[column] @ rows.conj().swapaxes(1, 2)
            members = layout.of_column(column)
            blocks = {k: _block(layout, offsets + driven, k) for k in members.tolist()}
            total = np.zeros(rows.shape[:2], dtype=np.complex128)
            for k, block in blocks.items():
                p = int(layout.port[k])
                total += _overlap(behind[..., p : p + 2] @ block, arriving[:, p : p + 2])
            for port in layout.bypassed(column):
                total += behind[..., port] * arriving[:, port]
            for k in members.tolist():
                p = int(layout.port[k])
                leaving, entering = behind[..., p : p + 2], arriving[:, p : p + 2].copy()
                phi = np.exp(1j * (offsets + driven)[:, m + k])
                by_theta = _overlap(leaving @ _UPPER, _turned(entering, phi))
                by_theta *= np.exp(1j * (offsets + driven)[:, k])[:, np.newaxis]
                turn, total = _best(total, by_theta)
                offsets[k] += turn
                block = _block(layout, offsets + driven, k)
                by_phi = (leaving @ block)[..., 0] * entering[:, 0]
                turn_phi, total = _best(total, by_phi)
                offsets[m + k] += turn_phi
                largest = max(largest, abs(turn), abs(turn_phi))
                behind[..., p : p + 2] = leaving @ _block(layout, offsets + driven, k)
        fit = float((np.abs(total) ** 2).mean())
        if largest < ENOUGH:
            break
    return offsets, fit


def _block(layout: Layout, phases: FloatArray, mzi: int) -> ComplexArray:
    return mzi_matrix(phases[:, mzi], phases[:, layout.n_mzi + mzi])


def _before(layout: Layout, phases: FloatArray) -> list[ComplexArray]:
    """Return what stands in front of each column (K, N, N)."""
    light = np.eye(layout.ports) * np.exp(1j * phases[:, np.newaxis, 2 * layout.n_mzi :])
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


def _turned(entering: ComplexArray, phi: ComplexArray) -> ComplexArray:
    turned = entering.copy()
    turned[:, 0] *= phi[:, np.newaxis]
    return turned


def _best(total: ComplexArray, moving: ComplexArray) -> tuple[float, ComplexArray]:
    """Return by how much to turn the part *moving* of the overlaps, and the overlaps behind that."""
    rest = total - moving
    turn = -float(np.angle((rest.conj() * moving).sum()))
    return turn, rest + moving * np.exp(1j * turn)
