"""From two readings on either side of the parameters to an estimate of the gradient."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def total_estimate(
    loss_differences: FloatArray, directions: FloatArray, amplitude: FloatArray, second_moment: float
) -> FloatArray:
    """Return ĝ = (1/cK) Σ_k [L(θ+εv_k) − L(θ−εv_k)]/(2ε)·v_k, the paper's rule.

    Parameters
    ----------
    loss_differences
        (K,) L(θ+εv_k) − L(θ−εv_k).
    directions
        (K, P) directions v_k with E[vvᵀ] = c·I.
    amplitude
        (P,) RMS amplitude ε of each parameter's group, in the parameter's unit.
    second_moment
        c.
    """
    return (loss_differences @ directions) / (2.0 * second_moment * len(directions) * amplitude)


def attributed_estimate(
    reached_differences: FloatArray, directions: FloatArray, amplitude: FloatArray, second_moment: float
) -> FloatArray:
    """Return the same estimate from differences (K, P) that hold, for each parameter, only the outputs it reaches.

    The other outputs' differences come from other parameters' perturbations: they average out and are pure noise.
    """
    weighted = np.einsum("kp,kp->p", reached_differences, directions)
    return weighted / (2.0 * second_moment * len(directions) * amplitude)


def output_differences(slope_in_outputs: FloatArray, plus: FloatArray, minus: FloatArray) -> FloatArray:
    """Return Σ_b (∂L/∂z_bj)(z⁺ − z⁻)_bj for each output j, shape (n,), the slope taken at the midpoint."""
    return np.einsum("bn,bn->n", slope_in_outputs, plus - minus)
