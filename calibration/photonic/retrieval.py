"""The rows of a transfer matrix from intensities alone, each up to a phase: coherent patterns with known phases."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def rows_of(fields: ComplexArray, readings: FloatArray) -> ComplexArray:
    """Return the rows u (n_out, N) for which |u·E|² + dark fits the readings best, each up to a phase.

    |u·E|² is linear in the N² real numbers of u u†, whose leading eigenvector is the start (phase retrieval by
    lifting, Candès et al. 2013, Commun. Pure Appl. Math. 66, 1241); Gauss–Newton steps then fit u itself.

    Parameters
    ----------
    fields
        (R, N) fields at the inputs; more than N² + 1 of them, with phases that vary.
    readings
        (R, n_out) intensities, dark offsets and all.
    """
    n = fields.shape[1]
    upper, lower = np.triu_indices(n, 1)
    crossed = fields[:, upper] * fields[:, lower].conj()
    design = np.hstack([np.abs(fields) ** 2, 2.0 * crossed.real, -2.0 * crossed.imag, np.ones((len(fields), 1))])
    lifted = np.linalg.lstsq(design, readings, rcond=None)[0]
    rows = np.empty((readings.shape[1], n), dtype=np.complex128)
    for output, solved in enumerate(lifted.T):
        product = np.diag(solved[:n]).astype(np.complex128)
        product[upper, lower] = solved[n : n + len(upper)] + 1j * solved[n + len(upper) : -1]
        product[lower, upper] = product[upper, lower].conj()
        values, vectors = np.linalg.eigh(product)
        start = vectors[:, -1] * np.sqrt(max(values[-1], 0.0))
        rows[output] = _refined(fields, readings[:, output], start, float(solved[-1]))
    return rows


def _refined(fields: ComplexArray, readings: FloatArray, row: ComplexArray, dark: float) -> ComplexArray:
    n = len(row)
    for _ in range(20):
        light = fields @ row
        bent = 2.0 * light.conj()[:, np.newaxis] * fields
        jacobian = np.hstack([bent.real, -bent.imag, np.ones((len(fields), 1))])
        step = np.linalg.lstsq(jacobian, readings - dark - np.abs(light) ** 2, rcond=1e-8)[0]
        row = row + step[:n] + 1j * step[n : 2 * n]
        dark += float(step[-1])
    return row


def completed(rows: ComplexArray, seen: NDArray[np.intp]) -> ComplexArray:
    """Return the unitary (N, N) nearest to rows (n_out, N) when gains of inputs and outputs are divided out.

    *seen* are the outputs that were read; one that was not follows from being orthogonal to the others.
    """
    n = rows.shape[1]
    balanced = rows.copy()
    for _ in range(20):
        balanced /= np.linalg.norm(balanced, axis=1, keepdims=True)
        if len(seen) == n:
            balanced /= np.linalg.norm(balanced, axis=0)
    left, _, right = np.linalg.svd(balanced, full_matrices=True)
    unitary = np.empty((n, n), dtype=np.complex128)
    unitary[seen] = left @ right[: len(seen)]
    unitary[[output for output in range(n) if output not in seen]] = right[len(seen) :]
    return unitary
