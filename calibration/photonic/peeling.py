"""The phases of a mesh from its transfer matrix, peeled off MZI by MZI, and first offsets from many settings."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from calibration.photonic.gauge import wrapped
from calibration.photonic.mesh_model import Layout, mzi_matrix

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def peeled(layout: Layout, unitary: ComplexArray, signs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return θ (M,) and φ (M,), rad, of the mesh of 50:50 splitters that is *unitary* (N, N) but for output phases.

    Elements are nulled from both sides along the antidiagonals (Clements et al. 2016, Optica 3, 1460). Each θ has two
    solutions ±|θ|, between which *signs* (M,) of ±1 choose; γ = 0. With T = i·e^{iθ/2}[[s·e^{iφ}, c], [c·e^{iφ}, −s]],
    s and c the sine and cosine of θ/2, a right step takes tan(θ/2)·e^{−iφ} = −b/a of one row, a left step
    tan(θ/2)·e^{iδ} = a/b of one column, δ a phase behind the MZI.
    """
    n = layout.ports
    number = {(c, p): k for k, (c, p) in enumerate(zip(layout.column.tolist(), layout.port.tolist(), strict=True))}
    u = np.array(unitary, dtype=np.complex128)
    theta, phi = np.empty((2, layout.n_mzi))
    behind: list[tuple[int, int, float]] = []
    for diagonal in range(1, n):
        if diagonal % 2:
            for j in range(diagonal):
                p = diagonal - 1 - j
                k = number[j, p]
                a, b = u[n - 1 - j, p : p + 2]
                turn = 0.0 if signs[k] < 0 else np.pi
                theta[k] = signs[k] * 2.0 * np.arctan2(abs(b), abs(a))
                phi[k] = np.angle(a) - np.angle(b) + turn
                u[:, p : p + 2] = u[:, p : p + 2] @ _mzi(theta[k], phi[k]).conj().T
        else:
            for j in range(1, diagonal + 1):
                p = n + j - diagonal - 2
                k = number[n - j, p]
                a, b = u[p : p + 2, j - 1]
                turn = np.pi if signs[k] < 0 else 0.0
                theta[k] = signs[k] * 2.0 * np.arctan2(abs(a), abs(b))
                delta = float(np.angle(a) - np.angle(b) + turn)
                u[p] *= np.exp(-1j * delta)
                u[p : p + 2] = _mzi(theta[k], 0.0).conj().T @ u[p : p + 2]
                behind.append((k, p, delta))
    w = np.angle(np.diag(u)).copy()
    for k, p, delta in reversed(behind):
        phi[k] = w[p] - w[p + 1]
        w[p] = w[p + 1] + delta
    return theta, wrapped(phi)


def _mzi(theta: float, phi: float) -> ComplexArray:
    return mzi_matrix(np.array([theta]), np.array([phi]))[0]


def first_offsets(
    layout: Layout, unitaries: ComplexArray, driven: FloatArray, heed: Callable[[], None] = lambda: None
) -> FloatArray:
    """Return first offsets (P,), rad, γ = 0, from the transfers (K, N, N) of K settings driven by known phases (K, P).

    One setting tells |θ| only. cos(θ₀ + Δ) = cos θ₀ cos Δ − sin θ₀ sin Δ over the settings is linear in the cosine and
    sine of θ₀; with the signs known, each setting is peeled again for φ. Settings in which an MZI is near bar or
    cross say little of its φ and weigh little. *heed* is called between the peelings; what it raises ends them.
    """
    m = layout.n_mzi
    both = np.ones(m)
    magnitudes = np.empty((len(unitaries), m))
    for place, unitary in enumerate(unitaries):
        heed()
        magnitudes[place] = peeled(layout, unitary, both)[0]
    theta0 = np.empty(m)
    for k in range(m):
        turned = driven[:, k]
        guesses = np.linspace(0.0, 2.0 * np.pi, 360, endpoint=False)
        misfit = np.abs(np.cos(guesses[:, np.newaxis] + turned) - np.cos(magnitudes[:, k])).sum(axis=1)
        start = guesses[np.argmin(misfit)]
        for _ in range(5):  # on the unit circle, outliers weighing less
            off = np.cos(magnitudes[:, k]) - np.cos(start + turned)
            slope = -np.sin(start + turned)
            weight = 1.0 / (0.05 + np.abs(off))
            start += float((weight * slope * off).sum() / ((weight * slope**2).sum() + 1e-3))
        theta0[k] = start
    turns = np.zeros(m, dtype=np.complex128)
    for unitary, phases in zip(unitaries, driven, strict=True):
        heed()
        theta = wrapped(theta0 + phases[:m])
        phi = peeled(layout, unitary, np.where(theta < 0.0, -1.0, 1.0))[1]
        turns += np.abs(np.sin(theta)) * np.exp(1j * (phi - phases[m : 2 * m]))
    return np.concatenate([wrapped(theta0), np.angle(turns), np.zeros(layout.ports)])
