"""What of a mesh stays as it was made: its columns, splitters and losses."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PassiveMesh:
    """The constants that both kernels start from.

    Attributes
    ----------
    column_starts
        (N + 1,) index of the first MZI of each column.
    splitter_first, splitter_second
        (n_mzi,) deviation of each splitter from 50:50, rad.
    through_mzi, through_mesh
        Factors of the field: couplers of one MZI, waveguides of all columns.
    """

    column_starts: NDArray[np.int64]
    splitter_first: NDArray[np.float64]
    splitter_second: NDArray[np.float64]
    through_mzi: float
    through_mesh: float
