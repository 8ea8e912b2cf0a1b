"""Which perturbation tells most about the gradient: measured slopes against amplitude in, amplitude out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

MISFIT = 4.0
"""The largest amplitudes are left out while χ² is above its expectation by so many of its standard deviations."""
FEWEST = 5
"""Amplitudes that are never left out: three coefficients, and two to see whether they fit."""
AS_GOOD, ERROR_ALLOWED = 0.99, 2.0
"""Of the amplitudes that keep this share of the best correlation, and have at most so many times the least mean-square
error, the smallest is chosen."""
SURE = 3.0
"""Standard uncertainties above zero from which E[s²] begins to be believed; at twice that it is believed whole."""
ROUNDS = 10
"""Rounds in which the noise is fitted: its weights are its own inverse."""
FINE = 200
"""Amplitudes at which the model is compared."""


@dataclass(frozen=True)
class Amplitude:
    """The chosen amplitude, and the model it was chosen by; amplitudes are multiples of the typical change.

    Attributes
    ----------
    multiple
        The amplitude: the smallest that is as good as the best.
    best
        The one of the largest correlation.
    signal_to_noise
        RMS slope over the noise of one slope, there; curvature counts as slope.
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
    best: float
    signal_to_noise: float
    correlation: float
    multiples: FloatArray
    correlations: FloatArray
    noise: float
    fitted_up_to: float

    def kept_at(self, multiple: float) -> float | None:
        """Return what share of the best correlation another amplitude keeps; None where the model says nothing."""
        largest = float(self.correlations.max())
        if not self.multiples[0] <= multiple <= self.fitted_up_to or largest <= 0.0:
            return None
        return float(np.interp(float(np.log(multiple)), np.log(self.multiples), self.correlations)) / largest

    def is_as_good(self, multiple: float) -> bool:
        """Return whether another amplitude is as good as the best: between :attr:`multiple` and it."""
        return self.multiple <= multiple <= self.best

    def signal_to_noise_at(self, multiple: float) -> float:
        """Return RMS slope over the noise of one slope at another amplitude, if both are the same there."""
        return self.signal_to_noise * multiple / self.multiple


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
    r"""Return the smallest amplitude ε at which measured slopes tell as much about the true ones as at the best.

    A slope measured with ± ε is ŝ = s + b ε² + c ε⁴ + noise: s, b and c differ by direction, and the noise of a loss
    difference does not know ε, so that the slope's variance is N/ε². Setpoints that are off by up to half a step q,
    uniformly, add E[s²] q²/(24 ε²). A common factor f of all slopes does no harm, the optimizer's step takes it up; so
    with the bias β = b ε² + c ε⁴ the mean-square error that counts is, relative to the slopes, e² = (E[(β − (f−1) s)²]
    + N/ε²)/(f² E[s²]) with f = 1 + E[s β]/E[s²]. A measured slope has the correlation 1/√(1 + e²) with the true one,
    and the estimate from K of P random directions the cosine √(K/P)/√(1 + e²) with the true gradient, K ≪ P. Where
    slopes cannot be told from noise, as at the end of training, neither can the factor: f = 1 then, and the bias
    counts whole.

    The correlation falls slowly with the noise on one side of its peak and fast with the curvature on the other; noise
    averages out over the steps of training, bias does not. So of the amplitudes that keep 99 % of the largest
    correlation, and have at most twice the least e², the smallest is chosen: wrong by a little, it costs less.

    The moments E[·] are those of weighted least squares for s, b and c, less the scatter that noise gave them. The
    noise of a loss may grow with the amplitude, as the loss is steeper there: N = n₀ + n₁ ε².

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
    while kept > FEWEST and found.misfit > _allowed(kept, slopes.shape[2]):
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
    taken = int(np.argmax(_as_good(correlation))) if correlation.any() else best
    noise_taken = float(noise_there[taken]) ** 0.5
    near = int(np.argmin(np.abs(np.log(multiples / fine[taken]))))
    seen = float(np.square(mean[near]).mean()) - float(noise[near]) / repeats / float(multiples[near]) ** 2
    return Amplitude(
        multiple=float(fine[taken]),
        best=float(fine[best]),
        signal_to_noise=max(seen, 0.0) ** 0.5 * float(fine[taken]) / noise_taken,
        correlation=float(correlation[taken]),
        multiples=fine,
        correlations=correlation,
        noise=noise_taken,
        fitted_up_to=top,
    )


def _as_good(correlations: FloatArray) -> NDArray[np.bool_]:
    """Return which correlations (F,) are as good as the largest; e² is 1/correlation² − 1."""
    largest = float(correlations.max())
    least_error = 1.0 / largest**2 - 1.0
    enough = max(AS_GOOD * largest, 1.0 / (1.0 + ERROR_ALLOWED * least_error) ** 0.5)
    return correlations >= min(enough, largest)


def _allowed(amplitudes: int, directions: int) -> float:
    """Return the largest χ² per degree of freedom; losses along one direction count as one, they move together."""
    return 1.0 + MISFIT * (2.0 / ((amplitudes - 3) * directions)) ** 0.5


def _noise(multiples: FloatArray, flat: FloatArray) -> FloatArray:
    """Return N (A,), the variance of one slope times ε², from slopes (A, R, C) measured R times; rounding at least.

    Variances have errors in proportion to themselves, so n₀ + n₁ ε², neither below zero, is fitted to ratios.
    """
    scaled: FloatArray = flat * multiples[:, np.newaxis, np.newaxis]
    scatter: FloatArray = scaled.var(axis=1, ddof=1).mean(axis=1)
    least = max(float(np.finfo(float).eps * np.mean(np.square(scaled))), np.finfo(float).tiny)
    measured = np.maximum(scatter, least)
    terms = np.stack([np.ones_like(multiples), np.square(multiples / multiples[-1])], axis=1)
    fitted = measured
    for _ in range(ROUNDS):
        fitted = terms @ _not_negative(terms / fitted[:, np.newaxis], measured / fitted)
    return np.maximum(fitted, measured.min())  # n₀ is never nothing


def _not_negative(terms: FloatArray, values: FloatArray) -> FloatArray:
    """Return the two coefficients of least squares, neither below zero."""
    both: FloatArray = np.asarray(np.linalg.lstsq(terms, values, rcond=None)[0], dtype=np.float64)
    if both.min() >= 0.0:
        return both
    alone = np.diag(terms.T @ values / np.square(terms).sum(axis=0))
    return min(alone, key=lambda one: float(np.square(values - terms @ one).sum()))


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
