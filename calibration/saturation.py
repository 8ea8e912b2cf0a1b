"""Which readings stand at an end of the detectors' range, and so tell a bound instead of a value.

Single readings are judged: a mean of some that saturated and some that did not looks sound and is not.
"""

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import LayerDescription

CLIPPED = 1e-6
"""Share of full scale within which a reading counts as saturated: sweeps are kept in single precision."""


def saturated(described: LayerDescription, readings: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which single readings (…, n_out) are at either end of the range."""
    return np.abs(readings) >= described.output_upper * (1.0 - CLIPPED)
