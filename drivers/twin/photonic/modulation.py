"""Input modulators: what the engine drives becomes fields in the waveguides."""

import numpy as np
from numpy.typing import NDArray

from drivers.twin.photonic.tables import Modulators

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def modulated(patterns: NDArray[np.floating], gain: FloatArray, constants: Modulators) -> FloatArray | ComplexArray:
    """Return the fields (S, N) of *patterns*.

    Amplitude modulators take x (S, N) in 0–1: E = g·(x + (1 − x)·√leak)·exp(iκ(1 − x)). *gain* g (N,) is the amplitude
    of each port at full drive; at zero drive the power is the leak, and the chirp κ turns the phase. Without chirp the
    fields are real. IQ modulators take I and Q (S, 2N) in ±1: E = g·(I + iQ + √leak), the carrier that is left.
    """
    drive = np.asarray(patterns, dtype=np.float64)
    leak = constants.leak**0.5
    if constants.kind == "iq":
        ports = len(gain)
        return (drive[:, :ports] + 1j * drive[:, ports:] + leak) * gain
    amplitudes = (drive * (1.0 - leak) + leak) * gain
    return amplitudes if constants.chirp_rad == 0.0 else amplitudes * np.exp(1j * constants.chirp_rad * (1.0 - drive))
