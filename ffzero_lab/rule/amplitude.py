"""Which perturbation tells most about the gradient: measured slopes against amplitude in, amplitude out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

MISFIT = 1.5
"""The largest amplitudes are left out while the polynomial misses the slopes by half of their noise, in variance."""
FEWEST = 4
"""Amplitudes that are never left out: three coefficients, and one to see whether they fit."""
FINE = 200
"""Amplitudes at which the model is compared."""


@dataclass(frozen=True)
class Amplitude:
    """The chosen amplitude, and the model it was chosen by; amplitudes are multiples of the typical change.

    Attributes
    ----------
    multiple
        The amplitude.
    signal_to_noise
        RMS slope over the noise of one slope, there.
    correlation
        Between a measured slope and the true one, there, as the model has it.
    multiples, correlations
        (F,) the whole model curve.
    noise
        RMS noise of one slope times its amplitude.
    fitted_up_to
        Largest amplitude that the polynomial describes.
    """

    multiple: float
    signal_to_noise: float
    correlation: float
    multiples: FloatArray
    correlations: FloatArray
    noise: float
    fitted_up_to: float


def ladder(lowest: float, highest: float, count: int) -> FloatArray:
    """Return *count* amplitudes in geometric progression."""
    return np.geomspace(lowest, highest, count)


def best_amplitude(multiples: FloatArray, slopes: FloatArray, *, odd: bool, step: float = 0.0) -> Amplitude:
    r"""Return the amplitude ε at which measured slopes tell most about the true ones.

    A slope measured with ± ε is ŝ = s + b ε² + c ε⁴ + noise: s, b and c differ by direction, and the noise of a loss
    difference does not know ε, so that the slope's variance is N/ε². Setpoints that are off by up to half a step q,
    uniformly, add E[s²] q²/(24 ε²). The estimate from K of P random directions has the cosine √(K/P)·ρ with the true
    gradient, K ≪ P, where ρ² = E[s ŝ]² / (E[s²] E[ŝ²]): how far directions miss the gradient is common to all ε and
    drops out, and so does a common factor of all slopes, which the optimizer's step takes up. So the largest ρ is
    the least mean-square error of slopes up to a common factor.

    The moments E[·] are those of weighted least squares for s, b and c, less the scatter that noise gave them, made
    positive semi-definite.

    Parameters
    ----------
    multiples
        (A,) amplitudes, ascending.
    slopes
        (A, R, K, Q) slopes measured at each, R times along K directions, of Q losses (1: one loss).
    odd
        Whether even orders cancel, as they do between two sides; else the model is s + b ε + c ε².
    step
        q, the RMS over the parameters, as a multiple of the typical change like the amplitudes.
    """
    count, repeats = slopes.shape[:2]
    flat = slopes.reshape(count, repeats, -1)
    noise = float(np.mean(flat.var(axis=1, ddof=1) * np.square(multiples)[:, np.newaxis]))
    mean, powers = flat.mean(axis=1), (2.0 if odd else 1.0)
    kept = count
    moments, misfit = _moments(multiples, mean, noise / repeats, powers)
    while kept > FEWEST and misfit > MISFIT:
        kept -= 1
        moments, misfit = _moments(multiples[:kept], mean[:kept], noise / repeats, powers)
    top = float(multiples[kept - 1])
    fine = np.geomspace(multiples[0], top, FINE)
    terms = _terms(fine / top, powers)
    measured = np.einsum("ft,tu,fu->f", terms, moments, terms)
    blurred = (noise + moments[0, 0] * step**2 / 24.0) / np.square(fine)
    whole = moments[0, 0] * (measured + blurred)
    correlation = np.sqrt(np.divide(np.square(terms @ moments[0]), whole, out=np.zeros_like(fine), where=whole > 0.0))
    best = int(np.argmax(correlation)) if correlation.any() else FINE - 1  # nothing but noise: as far as it goes
    signal = float(np.sqrt(measured[best])) * float(fine[best])
    return Amplitude(
        multiple=float(fine[best]),
        signal_to_noise=signal / noise**0.5 if noise > 0.0 else float("inf"),
        correlation=float(correlation[best]),
        multiples=fine,
        correlations=correlation,
        noise=noise**0.5,
        fitted_up_to=top,
    )


def _terms(share: FloatArray, power: float) -> FloatArray:
    return np.stack([np.ones_like(share), share**power, share ** (2.0 * power)], axis=1)


def _moments(multiples: FloatArray, slopes: FloatArray, noise: float, power: float) -> tuple[FloatArray, float]:
    """Return E[ββᵀ] (3, 3) of the coefficients in ε over the largest amplitude, and χ² per degree of freedom."""
    terms = _terms(multiples / multiples[-1], power)
    weighted = terms * multiples[:, np.newaxis]
    covariance = np.linalg.inv(weighted.T @ weighted)
    coefficients = covariance @ weighted.T @ (slopes * multiples[:, np.newaxis])
    left = (slopes - terms @ coefficients) * multiples[:, np.newaxis]
    freedom = (len(multiples) - terms.shape[1]) * slopes.shape[1]
    squares = float(np.sum(np.square(left)))
    scatter = max(noise, np.finfo(float).eps * float(np.mean(np.square(slopes * multiples[:, np.newaxis]))))
    moments = coefficients @ coefficients.T / slopes.shape[1] - noise * covariance
    values, vectors = np.linalg.eigh(moments)
    return (vectors * np.maximum(values, 0.0)) @ vectors.T, squares / (freedom * scatter) if scatter > 0.0 else 0.0
