"""What a rectangular mesh does to light, and how that changes with each constant, for many settings at once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.figures.mesh_plan import MeshLayout

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True)
class Layout(MeshLayout):
    """Where MZIs and heaters of a mesh of N ports are (Clements et al. 2016, Optica 3, 1460); parameters θ, φ, γ."""

    @cached_property
    def distances(self) -> FloatArray:
        """(P, P) distances of the heaters in pitches: φ at 2c, θ at 2c + 1, γ at −1 along, the upper port across."""
        along, across = 2.0 * self.column, self.port.astype(np.float64)
        ports = np.arange(self.ports, dtype=np.float64)
        places = np.concatenate(
            [
                np.stack([along + 1.0, across], axis=1),
                np.stack([along, across], axis=1),
                np.stack([np.full_like(ports, -1.0), ports], axis=1),
            ]
        )
        return np.linalg.norm(places[:, np.newaxis] - places, axis=2)

    def of_column(self, column: int) -> NDArray[np.intp]:
        """Return the numbers of a column's MZIs."""
        return np.flatnonzero(self.column == column)

    def bypassed(self, column: int) -> list[int]:
        """Return the ports that a column's MZIs leave out: light there meets no couplers."""
        covered = {q for p in self.port[self.of_column(column)].tolist() for q in (p, p + 1)}
        return [port for port in range(self.ports) if port not in covered]


@dataclass(frozen=True)
class Slopes:
    """Fields E (S, N_out, N_in) of S settings for unit light at each input, with their derivatives.

    ``phases`` (P, S, N, N), ``first`` and ``second`` (M, S, N, N) by splitter, ``bypass`` (S, N, N) by the logarithm
    of what a bypassed waveguide transmits more than an MZI.
    """

    fields: ComplexArray
    phases: ComplexArray
    first: ComplexArray
    second: ComplexArray
    bypass: ComplexArray


def _splitter(beta: FloatArray) -> ComplexArray:
    cosine, sine = np.cos(np.pi / 4 + beta), 1j * np.sin(np.pi / 4 + beta)
    return np.moveaxis(np.array([[cosine, sine], [sine, cosine]]), 2, 0)


def mzi_matrix(theta: FloatArray, phi: FloatArray, first: float = 0.0, second: float = 0.0) -> ComplexArray:
    """Return B(second)·diag(e^{iθ}, 1)·B(first)·diag(e^{iφ}, 1) (S, 2, 2) for phases (S,), all in rad."""
    early, late = _splitter(np.array([first, second]))
    inner = early * np.exp(1j * np.stack([phi, np.zeros_like(phi)], axis=-1))[:, np.newaxis, :]
    inner[:, 0] *= np.exp(1j * theta)[:, np.newaxis]
    return late @ inner


def transfer(layout: Layout, phases: FloatArray, first: FloatArray, second: FloatArray, bypass: float) -> ComplexArray:
    """Return the transfer matrices (S, N, N) for phases (S, P), rad, splitters (M,), rad, and ln of the bypass."""
    return _walk(layout, phases, first, second, bypass)[0]


def _walk(
    layout: Layout, phases: FloatArray, first: FloatArray, second: FloatArray, bypass: float
) -> tuple[ComplexArray, list[ComplexArray], ComplexArray]:
    """Return the transfer, what stands in front of each column, and the MZIs (M, S, 2, 2)."""
    n, m = layout.ports, layout.n_mzi
    early = _splitter(first)[:, np.newaxis].repeat(len(phases), axis=1)
    early[..., 0, :] *= np.exp(1j * phases[:, :m]).T[..., np.newaxis]
    blocks = _splitter(second)[:, np.newaxis] @ early
    blocks[..., :, 0] *= np.exp(1j * phases[:, m : 2 * m]).T[..., np.newaxis]
    light: ComplexArray = np.eye(n, dtype=np.complex128) * np.exp(1j * phases[:, np.newaxis, 2 * m :])
    before: list[ComplexArray] = []
    for column in range(n):
        before.append(light)
        light = light.copy()
        for mzi in layout.of_column(column):
            p = layout.port[mzi]
            light[:, p : p + 2] = blocks[mzi] @ light[:, p : p + 2]
        light[:, layout.bypassed(column)] *= np.exp(bypass)
    return light, before, blocks


def slopes(layout: Layout, phases: FloatArray, first: FloatArray, second: FloatArray, bypass: float) -> Slopes:
    """Return fields and derivatives by prefix and suffix products of the columns; arguments as for transfer."""
    n, m, s = layout.ports, layout.n_mzi, len(phases)
    fields, before, blocks = _walk(layout, phases, first, second, bypass)
    by_phase = np.empty((2 * m + n, s, n, n), dtype=np.complex128)
    by_first, by_second = np.empty((2, m, s, n, n), dtype=np.complex128)
    by_bypass = np.zeros((s, n, n), dtype=np.complex128)
    swap = 1j * np.array([[0.0, 1.0], [1.0, 0.0]])  # dB/dβ = B·swap = swap·B
    b1, b2 = _splitter(first), _splitter(second)
    behind = np.broadcast_to(np.eye(n, dtype=np.complex128), (s, n, n)).copy()
    for column in reversed(range(n)):
        light = before[column]
        for port in layout.bypassed(column):
            by_bypass += np.exp(bypass) * behind[:, :, port, np.newaxis] * light[:, np.newaxis, port]
            behind[:, :, port] *= np.exp(bypass)
        for mzi in layout.of_column(column):
            p = layout.port[mzi]
            leaving, entering = behind[:, :, p : p + 2], light[:, p : p + 2].copy()
            by_second[mzi] = (leaving @ swap) @ (blocks[mzi] @ entering)
            leaving_phi = leaving @ blocks[mzi]
            by_phase[m + mzi] = 1j * leaving_phi[:, :, :1] * entering[:, :1]
            entering[:, 0] *= np.exp(1j * phases[:, m + mzi])[:, np.newaxis]
            split = b1[mzi] @ entering
            inner = leaving @ b2[mzi]
            inner[:, :, 0] *= np.exp(1j * phases[:, mzi])[:, np.newaxis]
            by_phase[mzi] = 1j * inner[:, :, :1] * split[:, :1]
            by_first[mzi] = inner @ (swap @ split)
            behind[:, :, p : p + 2] = leaving_phi
    for port in range(n):
        by_phase[2 * m + port] = 1j * behind[:, :, port, np.newaxis] * before[0][:, np.newaxis, port]
    return Slopes(fields, by_phase, by_first, by_second, by_bypass)
