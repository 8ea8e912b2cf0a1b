"""Propagation through a mesh on the compiled kernels: which one runs when, and the scratch they share."""

import math

import numpy as np
from numpy.typing import NDArray

from drivers.twin.photonic import kernels
from drivers.twin.photonic.kernels import LANES
from drivers.twin.photonic.passive import PassiveMesh

_BLAS_SINGLE_THREADED = 2**18
"""OpenBLAS multiplies on one thread up to this many multiply-adds (interface/gemm.c). Its threads, waiting
for each other on a busy machine, were seen to turn 0.1 ms into 16 ms."""


class CompiledPropagation:
    """The mesh in compiled form, with its splitter constants and scratch arrays. Not for concurrent use."""

    def __init__(self, mesh: PassiveMesh) -> None:
        self._ports = mesh.column_starts.size - 1
        self._starts = mesh.column_starts
        first, second = np.pi / 4 + mesh.splitter_first, np.pi / 4 + mesh.splitter_second
        c1, s1, c2, s2 = np.cos(first), np.sin(first), np.cos(second), np.sin(second)
        self._splitters = np.stack([c1 * c2, s1 * s2, s1 * c2, c1 * s2]) * mesh.through_mzi
        self._through_mesh = mesh.through_mesh
        self._blocks = np.empty((mesh.splitter_first.size, 8))
        self._sine, self._cosine = np.empty((2, self._ports**2))
        inputs = slice(2 * mesh.splitter_first.size, None)
        self._entry = self._sine[inputs], self._cosine[inputs]
        self._rows = max(16, _BLAS_SINGLE_THREADED // (2 * self._ports**2))
        self._scratch: dict[str, NDArray[np.float64]] = {}

    def transfer(self, phases: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Build the transfer matrix (N, N) for phases (N²,), rad."""
        by_input = np.empty((self._ports, self._ports), dtype=np.complex128)
        state = self._cross_identity(phases)
        kernels.unload_fields(state, by_input)
        return by_input.T

    def propagate(
        self, fields: NDArray[np.float64] | NDArray[np.complex128], phases: NDArray[np.float64]
    ) -> NDArray[np.complex128]:
        """Send fields (B, N) through the mesh; phases (N²,), rad."""
        if len(fields) >= self._ports:
            return fields @ self.transfer(phases).T
        leaving = np.empty(fields.shape, dtype=np.complex128)
        state = self._cross_batch(fields, phases)
        kernels.unload_fields(state, leaving)
        return leaving

    def intensities(self, amplitudes: NDArray[np.float64], phases: NDArray[np.float64]) -> NDArray[np.float64]:
        """Detect |E|² (B, N) of real amplitudes (B, N) sent through the mesh; phases (N²,), rad."""
        detected = np.empty(amplitudes.shape)
        if len(amplitudes) < self._ports:
            kernels.unload_intensities(self._cross_batch(amplitudes, phases), detected)
            return detected
        by_input = self._reserve("matrix", self._ports, 2 * self._ports)
        kernels.unload_quadratures(self._cross_identity(phases), by_input)
        quadratures = self._reserve("quadratures", self._rows, 2 * self._ports)
        for start in range(0, len(amplitudes), self._rows):
            rows = amplitudes[start : start + self._rows]
            leaving = np.matmul(rows, by_input, out=quadratures[: len(rows)])
            kernels.detect(leaving, detected[start : start + self._rows])
        return detected

    def _cross_identity(self, phases: NDArray[np.float64]) -> NDArray[np.float64]:
        self._set(phases)
        state = self._reserve("state", -(-self._ports // LANES), self._ports, 2, LANES)
        kernels.load_identity(*self._entry, state)
        kernels.cross_mesh(state, self._blocks, self._starts, True)
        return state

    def _cross_batch(
        self, fields: NDArray[np.float64] | NDArray[np.complex128], phases: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        self._set(phases)
        state = self._reserve("state", -(-len(fields) // LANES), self._ports, 2, LANES)
        kernels.load_fields(fields, *self._entry, state)
        kernels.cross_mesh(state, self._blocks, self._starts, False)
        return state

    def _set(self, phases: NDArray[np.float64]) -> None:
        kernels.sine_cosine(phases, self._sine, self._cosine)
        kernels.mzi_blocks(self._sine, self._cosine, self._splitters, self._blocks)
        if self._through_mesh != 1.0:
            for factor in self._entry:
                factor *= self._through_mesh

    def _reserve(self, name: str, *shape: int) -> NDArray[np.float64]:
        """Return an uninitialised array, in the memory of the last one of that name when it suffices."""
        size = math.prod(shape)
        if name not in self._scratch or self._scratch[name].size < size:
            self._scratch[name] = _on_large_pages(size)
        return self._scratch[name][:size].reshape(shape)


def _on_large_pages(size: int) -> NDArray[np.float64]:
    """Return an uninitialised array (size,), for arrays of a megabyte and more on pages of 2 MB.

    NumPy asks the system for them from 4 MB on; on small pages the fields' place in the cache is left to chance.
    """
    if size * 8 < 2**20:
        return np.empty(size)
    spacious = np.empty(max(size * 8 + 2**21, 2**23), dtype=np.uint8)
    start = -spacious.ctypes.data % 2**21
    return spacious[start : start + 8 * size].view(np.float64)
