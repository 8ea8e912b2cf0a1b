"""Exact slopes in a mesh's phases, by the adjoint method. Training in place has no use for it."""

import numpy as np
from numpy.typing import NDArray

from drivers.twin.photonic.passive import PassiveMesh
from drivers.twin.photonic.reference import mzi_blocks

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def phase_slopes(
    mesh: PassiveMesh, phases: FloatArray, fields: FloatArray | ComplexArray, slope_in_intensities: FloatArray
) -> FloatArray:
    """Carry a loss's slope in the intensities back to the phases (Hughes et al. 2018, Optica 5, 864, computed here).

    The transfer matrix U is linear in each e^{i·phase}, and a batch meets the loss only through ∂L/∂U: one matrix goes
    forward through the columns and one back, however many patterns there are.

    Parameters
    ----------
    mesh
        Splitters and losses.
    phases
        (N²,) θ, φ and γ that the light meets, rad.
    fields
        (B, N) entering fields, real or complex.
    slope_in_intensities
        (B, N) ∂L/∂I at the outputs, I = |E|².

    Returns
    -------
    NDArray[np.float64]
        (N²,) ∂L/∂phase, per rad.
    """
    starts: list[int] = mesh.column_starts.tolist()
    ports, n_mzi = len(starts) - 1, starts[-1]
    theta, phi, gamma = phases[:n_mzi], phases[n_mzi : 2 * n_mzi], phases[2 * n_mzi :]
    blocks = mzi_blocks(theta, phi, mesh.splitter_first, mesh.splitter_second) * mesh.through_mzi
    bent = _slopes_of_blocks(mesh, theta, phi)

    entering = np.eye(ports, dtype=np.complex128) * (mesh.through_mesh * np.exp(1j * gamma))
    before = [entering]  # fields in front of each column, one row for each port
    for column in range(ports):
        behind = before[-1].copy()
        _pairs(behind, starts, column)[:] = blocks[starts[column] : starts[column + 1]] @ _pairs(behind, starts, column)
        before.append(behind)

    leaving = fields @ before.pop().T
    back: ComplexArray = (slope_in_intensities * leaving.conj()).T @ fields  # ∂L = 2 Re Σ back·∂U
    slopes = np.empty(ports**2)
    for column in reversed(range(ports)):
        own = slice(starts[column], starts[column + 1])
        above, light = _pairs(back, starts, column), _pairs(before[column], starts, column)
        overlap = above @ light.transpose(0, 2, 1)
        slopes[own] = 2.0 * np.einsum("mab,mab->m", bent[own], overlap).real
        slopes[n_mzi:][own] = -2.0 * np.einsum("ma,ma->m", blocks[own, :, 0], overlap[:, :, 0]).imag
        above[:] = blocks[own].transpose(0, 2, 1) @ above
    slopes[2 * n_mzi :] = -2.0 * np.einsum("pi,pi->p", back, before[0]).imag
    return slopes


def _slopes_of_blocks(mesh: PassiveMesh, theta: FloatArray, phi: FloatArray) -> ComplexArray:
    """Return ∂(MZI matrix)/∂θ (n_mzi, 2, 2): B(β₂)·diag(i·e^{iθ}, 0)·B(β₁)·diag(e^{iφ}, 1), with the couplers' loss."""
    first, second = np.pi / 4 + mesh.splitter_first, np.pi / 4 + mesh.splitter_second
    leaving = np.stack([np.cos(second), 1j * np.sin(second)], axis=1)
    entering = np.stack([np.cos(first) * np.exp(1j * phi), 1j * np.sin(first)], axis=1)
    turned = 1j * mesh.through_mzi * np.exp(1j * theta)
    return turned[:, np.newaxis, np.newaxis] * leaving[:, :, np.newaxis] * entering[:, np.newaxis, :]


def _pairs(state: ComplexArray, starts: list[int], column: int) -> ComplexArray:
    """Return a view (m, 2, N) of *state* (N, N): the two ports of each of the m MZIs of a column."""
    count = starts[column + 1] - starts[column]
    first = column % 2
    return state[first : first + 2 * count].reshape(count, 2, len(state))
