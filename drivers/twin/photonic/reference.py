"""Plain NumPy propagation through a mesh, column by column: the reference, and the fallback without numba."""

import numpy as np
from numpy.typing import NDArray

from drivers.twin.photonic.passive import PassiveMesh


def mzi_blocks(
    theta: NDArray[np.float64],
    phi: NDArray[np.float64],
    splitter_first: NDArray[np.float64],
    splitter_second: NDArray[np.float64],
) -> NDArray[np.complex128]:
    """Transfer matrices (n, 2, 2) of n MZIs, B(β₂)·diag(e^{iθ}, 1)·B(β₁)·diag(e^{iφ}, 1), multiplied out.

    All arguments have shape (n,) and are in rad. A splitter is
    B(β) = [[cos(π/4+β), i sin(π/4+β)], [i sin(π/4+β), cos(π/4+β)]], 50:50 at β = 0 (Clements et al. 2016,
    Optica 3, 1460).
    """
    c1, s1 = np.cos(np.pi / 4 + splitter_first), np.sin(np.pi / 4 + splitter_first)
    c2, s2 = np.cos(np.pi / 4 + splitter_second), np.sin(np.pi / 4 + splitter_second)
    inner, outer = np.exp(1j * theta), np.exp(1j * phi)
    blocks = np.empty((theta.size, 2, 2), dtype=np.complex128)
    blocks[:, 0, 0] = (c2 * c1 * inner - s2 * s1) * outer
    blocks[:, 0, 1] = 1j * (c2 * s1 * inner + s2 * c1)
    blocks[:, 1, 0] = 1j * (s2 * c1 * inner + c2 * s1) * outer
    blocks[:, 1, 1] = c2 * c1 - s2 * s1 * inner
    return blocks


class ReferencePropagation:
    """The mesh as a loop over columns, all MZIs of a column and all patterns at once."""

    def __init__(self, mesh: PassiveMesh) -> None:
        self._mesh = mesh
        self._ports = mesh.column_starts.size - 1
        self._starts: list[int] = mesh.column_starts.tolist()

    def transfer(self, phases: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Build the transfer matrix (N, N) for phases (N²,), rad."""
        return self.cross(np.eye(self._ports), phases).T

    def propagate(
        self, fields: NDArray[np.float64] | NDArray[np.complex128], phases: NDArray[np.float64]
    ) -> NDArray[np.complex128]:
        """Send fields (B, N) through the mesh; phases (N²,), rad."""
        if len(fields) >= self._ports:
            return fields @ self.transfer(phases).T
        return self.cross(fields, phases)

    def intensities(self, amplitudes: NDArray[np.float64], phases: NDArray[np.float64]) -> NDArray[np.float64]:
        """Detect |E|² (B, N) of real amplitudes (B, N) sent through the mesh; phases (N²,), rad."""
        leaving = self.propagate(amplitudes, phases)
        return leaving.real**2 + leaving.imag**2

    def cross(
        self, fields: NDArray[np.float64] | NDArray[np.complex128], phases: NDArray[np.float64]
    ) -> NDArray[np.complex128]:
        """Push fields (B, N) through the columns one after the other, whatever the size of the batch."""
        n_mzi = self._starts[-1]
        theta, phi, gamma = phases[:n_mzi], phases[n_mzi : 2 * n_mzi], phases[2 * n_mzi :]
        mesh = self._mesh
        blocks = mzi_blocks(theta, phi, mesh.splitter_first, mesh.splitter_second) * mesh.through_mzi
        # ports first: the batch is then the contiguous axis, and the pairs of a column are one view
        state = np.array(fields.T, dtype=np.complex128, order="C")
        state *= mesh.through_mesh * np.exp(1j * gamma)[:, np.newaxis]
        for column in range(self._ports):
            block = blocks[self._starts[column] : self._starts[column + 1]]
            first = column % 2
            pairs = state[first : first + 2 * len(block)].reshape(len(block), 2, len(fields))
            pairs[:] = block @ pairs
        return state.T
