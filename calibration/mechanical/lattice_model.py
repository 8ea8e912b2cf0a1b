"""Responses of a lattice of springs, R = diag(g)·G·K(k)⁻¹·F·diag(l), and their least-squares equations.

Derivatives by stiffness are of rank one, ∂R/∂k_e = −(diag(g)·G·K⁻¹·b_e)(b_eᵀ·K⁻¹·F·diag(l)), K being symmetric. So the
normal matrix of all entries of R by all springs is an entry-wise product of two small Gram matrices, and no Jacobian of
as many rows as there are entries is ever made.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import GROUND, SpringNetwork

FloatArray = NDArray[np.float64]
AT_ONCE = 4e6
"""Numbers of the largest intermediate that are in memory together."""


@dataclass(frozen=True)
class Equations:
    """Gauss–Newton's equations of one setting after the other, in k (P), ln g (n_out) and ln l (n_in), in this order.

    Attributes
    ----------
    normal
        (M, n, n) JᵀJ, of weighted residuals.
    downhill
        (M, n) Jᵀr.
    """

    normal: FloatArray
    downhill: FloatArray


def incidence(network: SpringNetwork) -> FloatArray:
    """Return b (N, P): +1 and −1 at the two nodes of each spring."""
    own = np.arange(network.n_parameters)
    table = np.zeros((network.n_nodes, network.n_parameters))
    first, second = network.joins.T
    table[first, own] = 1.0
    coupled = second != GROUND
    table[second[coupled], own[coupled]] = -1.0
    return table


def responses(network: SpringNetwork, stiffness: FloatArray, outputs: FloatArray, loads: FloatArray) -> FloatArray:
    """Return R (M, n_out, n_in) at *stiffness* (M, P), with the gains of *outputs* (n_out,) and *loads* (n_in,).

    Raises numpy.linalg.LinAlgError when a lattice is not held.
    """
    return np.concatenate([_solved(network, part, outputs, loads).responses for part in _parts(network, stiffness)])


def equations(
    network: SpringNetwork,
    stiffness: FloatArray,
    outputs: FloatArray,
    loads: FloatArray,
    measured: FloatArray,
    weights: FloatArray,
) -> Iterator[Equations]:
    """Yield the equations of *measured* responses (M, n_out, n_in), a few settings at a time, in order.

    *weights* (M, n_out) are one over the standard uncertainty of an entry, 0 for what does not count. Raises
    numpy.linalg.LinAlgError when a lattice is not held.
    """
    start = 0
    for part in _parts(network, stiffness):
        those = slice(start, start + len(part))
        start += len(part)
        yield _equations(_solved(network, part, outputs, loads), measured[those], weights[those])


@dataclass(frozen=True)
class _Solved:
    seen: FloatArray
    """(M, n_out, P) what the outputs show of a unit of force between the ends of each spring, with their gains."""
    felt: FloatArray
    """(M, P, n_in) elongation of each spring by a unit of each input."""
    responses: FloatArray
    """(M, n_out, n_in)"""


def _solved(network: SpringNetwork, stiffness: FloatArray, outputs: FloatArray, loads: FloatArray) -> _Solved:
    between = incidence(network)
    matrices = (between * stiffness[:, np.newaxis]) @ between.T
    np.linalg.cholesky(matrices)  # refuses what is not held
    moved = np.linalg.solve(matrices, np.broadcast_to(network.loads * loads, (len(stiffness), *network.loads.shape)))
    gauged = outputs[:, np.newaxis] * network.gauges
    shown = np.linalg.solve(matrices, np.broadcast_to(gauged.T, (len(stiffness), *gauged.T.shape)))
    return _Solved(np.swapaxes(shown, 1, 2) @ between, between.T @ moved, gauged @ moved)


def _equations(solved: _Solved, measured: FloatArray, weights: FloatArray) -> Equations:
    weighted = weights[..., np.newaxis]
    shows = weighted * solved.responses
    left = weighted * (measured - solved.responses)
    seen, felt = weighted * solved.seen, solved.felt
    springs, n_out, n_in = felt.shape[1], *shows.shape[1:]
    outputs, inputs = slice(springs, springs + n_out), slice(springs + n_out, springs + n_out + n_in)
    n = springs + n_out + n_in
    normal, downhill = np.zeros((len(measured), n, n)), np.empty((len(measured), n))
    normal[:, :springs, :springs] = (np.swapaxes(seen, 1, 2) @ seen) * (felt @ np.swapaxes(felt, 1, 2))
    normal[:, :springs, outputs] = -np.swapaxes(seen * (shows @ np.swapaxes(felt, 1, 2)), 1, 2)
    normal[:, :springs, inputs] = -felt * (np.swapaxes(seen, 1, 2) @ shows)
    normal[:, outputs, inputs] = shows**2
    normal[:, range(outputs.start, outputs.stop), range(outputs.start, outputs.stop)] = (shows**2).sum(axis=2)
    normal[:, range(inputs.start, inputs.stop), range(inputs.start, inputs.stop)] = (shows**2).sum(axis=1)
    for rows, columns in ((outputs, slice(0, springs)), (inputs, slice(0, springs)), (inputs, outputs)):
        normal[:, rows, columns] = np.swapaxes(normal[:, columns, rows], 1, 2)
    downhill[:, :springs] = -(seen * (left @ np.swapaxes(felt, 1, 2))).sum(axis=1)
    downhill[:, outputs] = (left * shows).sum(axis=2)
    downhill[:, inputs] = (left * shows).sum(axis=1)
    return Equations(normal, downhill)


def _parts(network: SpringNetwork, stiffness: FloatArray) -> Iterator[FloatArray]:
    largest = (network.n_parameters + network.n_inputs + network.n_outputs) ** 2
    at_once = max(1, int(AT_ONCE / largest))
    for start in range(0, len(stiffness), at_once):
        yield stiffness[start : start + at_once]
