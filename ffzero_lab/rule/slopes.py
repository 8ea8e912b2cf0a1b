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


def output_differences(slope_in_outputs: FloatArray, change: FloatArray) -> FloatArray:
    """Return Σ_b (∂L/∂z_bj)·Δz_bj for each output j, shape (n,), of a *change* Δz (B, n) such as z⁺ − z⁻."""
    return np.einsum("bn,bn->n", slope_in_outputs, change)


def against_the_mean(values: FloatArray) -> FloatArray:
    """Return what K readings (K, …), one for each direction, differ from their mean, as ± differences would.

    The mean stands for the reading at the centre that nobody takes. It contains a K-th of each reading, so that the
    deviations are 1 − 1/K too small; a pair is twice as far apart as a reading from the centre. With independent
    directions of mean zero the estimate has no bias to first order, and from the same number of readings half the
    variance of pairs (a REINFORCE estimate with its mean as baseline: Kool et al. 2019).
    """
    n_readings = len(values)
    return (2.0 * n_readings / (n_readings - 1.0)) * (values - values.mean(axis=0))
