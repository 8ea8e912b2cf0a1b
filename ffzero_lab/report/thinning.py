"""Fewer points of a curve, chosen so that its drawing stays the same: highest and lowest of every stretch are kept."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
DRAWN = 1200
"""Points that are drawn of a curve at most; a page has about as many pixels."""


def thinned(values: FloatArray, most: int = DRAWN) -> NDArray[np.intp]:
    """Return indices, ascending, of at most *most* of the *values* (S,), NaN left out.

    The first and the last one are among them, and of each stretch between the lowest and the highest.
    """
    known = np.flatnonzero(np.isfinite(values))
    if len(known) <= most:
        return known
    edges = np.linspace(0, len(known), (most - 2) // 2 + 1).astype(np.intp)
    kept = [known[[0, -1]]]
    for start, stop in pairwise(edges.tolist()):
        stretch = values[known[start:stop]]
        kept.append(known[start + np.array([stretch.argmin(), stretch.argmax()])])
    return np.unique(np.concatenate(kept))


def smoothed(values: FloatArray, width: int) -> FloatArray:
    """Return running means over *width* values (odd), over fewer at both ends."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    place, half = np.arange(len(values)), width // 2
    first, stop = np.maximum(0, place - half), np.minimum(len(values), place + half + 1)
    return (sums[stop] - sums[first]) / (stop - first)
