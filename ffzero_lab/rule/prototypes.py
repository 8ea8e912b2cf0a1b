"""Fixed targets of the local losses: unit vectors at the corners of a regular simplex."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray


def haar_orthogonal(n: int, rng: Generator) -> NDArray[np.float64]:
    """Return an (n, n) orthogonal matrix from the Haar measure (Mezzadri 2007: QR with the sign of R's diagonal)."""
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    return q * np.where(np.diag(r) < 0.0, -1.0, 1.0)


def random_prototype(n: int, rng: Generator) -> NDArray[np.float64]:
    """Return one random unit vector, shape (1, n), uniform on the sphere: the target direction of a regression."""
    drawn = rng.standard_normal((1, n))
    return drawn / np.linalg.norm(drawn)


def simplex_prototypes(n_classes: int, n: int, rng: Generator) -> NDArray[np.float64]:
    """Return (C, n) unit vectors of which any two have the cosine −1/(C−1), randomly rotated.

    Rows of I_C − 1/C, zero-padded to n, normalised, rotated by a Haar-random matrix (design of the FFzero method,
    Guo et al. 2026). Raises ValueError unless 2 <= C <= n.
    """
    if not 2 <= n_classes <= n:
        raise ValueError(f"{n_classes} prototypes do not fit into {n} outputs: 2 <= classes <= outputs is required")
    corners = np.zeros((n_classes, n))
    corners[:, :n_classes] = np.eye(n_classes) - 1.0 / n_classes
    corners /= np.linalg.norm(corners, axis=1, keepdims=True)
    return corners @ haar_orthogonal(n, rng).T
