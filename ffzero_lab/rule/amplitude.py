"""Which perturbation tells most about the gradient: measured slopes against amplitude in, amplitude out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

MISFIT = 1.5
"""The largest amplitudes are left out while the polynomial misses the slopes by half of their noise, in variance."""
FEWEST = 4
"""Amplitudes that are never left out: three coefficients, and one to see whether they fit."""
SURE = 3.0
"""Standard uncertainties above zero from which E[s²] begins to be believed; at twice that it is believed whole."""
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


@dataclass(frozen=True)
class _Moments:
    """Moments (3, 3) of the coefficients, the standard uncertainty of E[s²] by noise, and χ² per degree of freedom."""

    moments: FloatArray
    uncertainty: float
    misfit: float


def ladder(lowest: float, highest: float, count: int) -> FloatArray:
    """Return *count* amplitudes in geometric progression."""
    return np.geomspace(lowest, highest, count)


def best_amplitude(multiples: FloatArray, slopes: FloatArray, *, odd: bool, step: float = 0.0) -> Amplitude:
    r"""Return the amplitude ε at which measured slopes tell most about the true ones.

    A slope measured with ± ε is ŝ = s + b ε² + c ε⁴ + noise: s, b and c differ by direction, and the noise of a loss
    difference does not know ε, so that the slope's variance is N/ε². Setpoints that are off by up to half a step q,
    uniformly, add E[s²] q²/(24 ε²). A common factor f of all slopes does no harm, the optimizer's step takes it up; so
    with the bias β = b ε² + c ε⁴ the mean-square error that counts is, relative to the slopes, e² = (E[(β − (f−1) s)²]
    + N/ε²)/(f² E[s²]) with f = 1 + E[s β]/E[s²], and the least is chosen. The estimate from K of P random directions
    has the cosine √(K/P)/√(1 + e²) with the true gradient, K ≪ P. Where slopes cannot be told from noise, as at the
    end of training, neither can the factor: f = 1 then, and the bias counts whole.

    The moments E[·] are those of weighted least squares for s, b and c, less the scatter that noise gave them.

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
    mean: FloatArray = flat.mean(axis=1)
    noise = _noise(multiples, flat)
    powers = 2.0 if odd else 1.0
    kept = count
    found = _moments(multiples, mean, noise / repeats, powers)
    while kept > FEWEST and found.misfit > MISFIT:
        kept -= 1
        found = _moments(multiples[:kept], mean[:kept], noise[:kept] / repeats, powers)
    top = float(multiples[kept - 1])
    fine = ladder(float(multiples[0]), top, FINE)
    bias = _terms(fine / top, powers)[:, 1:]
    signal, with_slope = float(found.moments[0, 0]), bias @ found.moments[1:, 0]
    squares = np.maximum(np.einsum("ft,tu,fu->f", bias, found.moments[1:, 1:], bias), 0.0)
    sure = float(np.clip(signal / (SURE * found.uncertainty) - 1.0, 0.0, 1.0)) if found.uncertainty > 0.0 else 1.0
    factor = 1.0 + (sure * with_slope / signal if signal > 0.0 else np.zeros(FINE))
    own = np.maximum(squares - (sure * with_slope**2 / signal if signal > 0.0 else 0.0), 0.0)
    signal = max(signal, found.uncertainty)
    noise_there = np.exp(np.interp(np.log(fine), np.log(multiples), np.log(noise)))
    blurred = (noise_there + signal * step**2 / 24.0) / np.square(fine)
    # A factor that turns the slopes round, or nearly so, is no use however small the rest.
    kept_signal = signal * np.square(np.maximum(factor, 0.0))
    correlation = np.sqrt(
        np.divide(kept_signal, kept_signal + own + blurred, out=np.zeros(FINE), where=kept_signal > 0.0)
    )
    best = int(np.argmax(correlation)) if correlation.any() else FINE - 1  # nothing but noise: as far as it goes
    slope = float(np.sqrt(kept_signal[best])) * float(fine[best])
    noise_best = float(noise_there[best]) ** 0.5
    return Amplitude(
        multiple=float(fine[best]),
        signal_to_noise=slope / noise_best,
        correlation=float(correlation[best]),
        multiples=fine,
        correlations=correlation,
        noise=noise_best,
        fitted_up_to=top,
    )


def _noise(multiples: FloatArray, flat: FloatArray) -> FloatArray:
    """Return the variance (A,) of one slope times ε² from slopes (A, R, C) measured R times; rounding at least."""
    scaled: FloatArray = flat * multiples[:, np.newaxis, np.newaxis]
    variance = scaled.var(axis=1, ddof=1).mean(axis=1)
    return np.maximum(variance, max(float(np.finfo(float).eps * np.mean(np.square(scaled))), np.finfo(float).tiny))


def _terms(share: FloatArray, power: float) -> FloatArray:
    return np.stack([np.ones_like(share), share**power, share ** (2.0 * power)], axis=1)


def _moments(multiples: FloatArray, slopes: FloatArray, noise: FloatArray, power: float) -> _Moments:
    """Return E[ββᵀ] of the coefficients β = (s, b, c) in ε over the largest amplitude, of the `_noise` (A,)."""
    weights = multiples / np.sqrt(noise)
    weighted = _terms(multiples / multiples[-1], power) * weights[:, np.newaxis]
    covariance = np.linalg.inv(weighted.T @ weighted)
    coefficients = covariance @ weighted.T @ (slopes * weights[:, np.newaxis])
    left = slopes * weights[:, np.newaxis] - weighted @ coefficients
    count = slopes.shape[1]
    freedom = (len(multiples) - weighted.shape[1]) * count
    moments = coefficients @ coefficients.T / count - covariance
    uncertainty = float(covariance[0, 0]) * (2.0 / count) ** 0.5
    return _Moments(moments, uncertainty, float(np.sum(np.square(left))) / freedom)
