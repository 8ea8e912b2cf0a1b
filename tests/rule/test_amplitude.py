"""The amplitude of least error: the model recovers what made the slopes, and its choice agrees with brute force."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from ffzero_lab.rule.amplitude import AS_GOOD, ERROR_ALLOWED, best_amplitude, ladder

FloatArray = NDArray[np.float64]
LADDER = ladder(1e-3, 0.5, 7)


def slopes_of(
    rng: np.random.Generator,
    multiples: FloatArray,
    *,
    noise: float,
    bend: float = 0.1,
    along: float = 0.0,
    directions: int = 12,
    losses: int = 8,
    repeats: int = 2,
    even: bool = False,
) -> FloatArray:
    """Slopes (A, R, K, Q) of unit variance; the bias is as large as they are at the amplitude *bend*.

    A share *along* of the bias goes along with the slopes; the noise of a loss difference is *noise*.
    """
    true, own = rng.standard_normal((2, directions, losses))
    bias = np.sqrt(1.0 - along**2) * own - along * true
    shape = (len(multiples), repeats, directions, losses)
    relative = (multiples / bend) ** (1 if even else 2)
    measured = true + relative[:, np.newaxis, np.newaxis] * bias
    return measured[:, np.newaxis] + noise / multiples[:, None, None, None] * rng.standard_normal(shape)


def in_closed_form(
    at: FloatArray, *, noise: float, bend: float = 0.1, along: float = 0.0, even: bool = False
) -> FloatArray:
    """Correlation of such slopes with the true ones."""
    bias = (at / bend) ** (1 if even else 2)
    kept = 1.0 - along * bias
    return kept / np.sqrt(kept**2 + (1.0 - along**2) * bias**2 + (noise / at) ** 2)


def test_the_closed_form_is_the_correlation_that_brute_force_finds() -> None:
    at = np.array([0.02, 0.08])
    rng = np.random.default_rng(9)
    measured = slopes_of(rng, at, noise=0.01, along=0.5, directions=300, losses=100, repeats=1)
    true = np.random.default_rng(9).standard_normal((2, 300, 100))[0]
    found = [np.corrcoef(each.ravel(), true.ravel())[0, 1] for each in measured]
    assert_allclose(found, in_closed_form(at, noise=0.01, along=0.5), atol=0.02)


@pytest.mark.parametrize(("noise", "along", "even"), [(0.003, 0.0, False), (0.01, 0.5, False), (0.003, 0.0, True)])
def test_the_model_curve_is_the_correlation_of_slopes_made_so(noise: float, along: float, even: bool) -> None:
    measured = slopes_of(np.random.default_rng(1), LADDER, noise=noise, along=along, directions=400, even=even)
    found = best_amplitude(LADDER, measured, odd=not even)
    at = np.array([0.01, 0.02, 0.04, 0.08])
    told = np.interp(np.log(at), np.log(found.multiples), found.correlations)
    assert_allclose(told, in_closed_form(at, noise=noise, along=along, even=even), atol=0.02)


@pytest.mark.parametrize("noise", [1e-4, 1e-3, 5e-3, 2e-2])
def test_few_directions_are_enough_for_an_amplitude_within_three_per_cent_of_the_best(noise: float) -> None:
    largest = in_closed_form(ladder(1e-3, 0.5, 500), noise=noise).max()
    kept: list[float] = []
    for seed in range(12):
        found = best_amplitude(LADDER, slopes_of(np.random.default_rng(seed), LADDER, noise=noise), odd=True)
        kept.append(float(in_closed_form(np.array(found.multiple), noise=noise) / largest))
    assert np.mean(kept) > 0.97
    assert min(kept) > 0.93


def test_without_a_share_along_the_slopes_the_best_is_where_the_derivative_of_the_error_vanishes() -> None:
    noise, bend = 3e-3, 0.1
    measured = slopes_of(np.random.default_rng(2), LADDER, noise=noise, bend=bend, directions=400)
    found = best_amplitude(LADDER, measured, odd=True)
    assert found.best == pytest.approx((noise**2 * bend**4 / 2.0) ** (1.0 / 6.0), rel=0.05)
    assert found.noise == pytest.approx(noise, rel=0.03)


def test_ten_times_the_noise_asks_for_about_twice_the_amplitude() -> None:
    chosen = [
        best_amplitude(LADDER, slopes_of(np.random.default_rng(3), LADDER, noise=noise, directions=200), odd=True).best
        for noise in (1e-3, 1e-2)
    ]
    assert chosen[1] / chosen[0] == pytest.approx(10.0 ** (1.0 / 3.0), rel=0.15)


def test_a_common_factor_of_all_slopes_costs_nothing() -> None:
    """Slopes that all shrink alike with the amplitude are as good as before: the peak lies further out."""
    noise = 5e-3
    rng = np.random.default_rng(4)
    true = rng.standard_normal((100, 8))
    shrinking = true * (1.0 - (LADDER / 1.5) ** 2)[:, None, None]
    scattered = true + (LADDER / 1.5)[:, None, None] ** 2 * rng.standard_normal(true.shape)
    chosen: list[float] = []
    for slopes in (shrinking, scattered):
        scatter = rng.standard_normal((len(LADDER), 2, *true.shape))
        measured = slopes[:, None] + noise / LADDER[:, None, None, None] * scatter
        chosen.append(best_amplitude(LADDER, measured, odd=True).best)
    assert chosen[0] > 1.5 * chosen[1]


def test_the_choice_is_the_smallest_amplitude_that_is_as_good_as_the_best() -> None:
    found = best_amplitude(LADDER, slopes_of(np.random.default_rng(5), LADDER, noise=3e-3, directions=50), odd=True)
    assert found.multiple < found.best
    at_choice, largest = found.correlation, float(found.correlations.max())
    assert at_choice >= AS_GOOD * largest
    assert 1.0 / at_choice**2 - 1.0 <= ERROR_ALLOWED * (1.0 / largest**2 - 1.0) * (1.0 + 1e-9)
    assert found.is_as_good(found.best)
    assert found.is_as_good(0.5 * (found.multiple + found.best))
    assert not found.is_as_good(0.8 * found.multiple)
    assert not found.is_as_good(1.1 * found.best)


def test_what_another_amplitude_keeps_is_told_only_where_the_model_holds() -> None:
    found = best_amplitude(LADDER, slopes_of(np.random.default_rng(6), LADDER, noise=1e-2, directions=50), odd=True)
    assert found.kept_at(found.best) == pytest.approx(1.0, abs=1e-3)
    kept = found.kept_at(0.25 * found.multiple)
    assert kept is not None
    assert kept < 0.75
    assert found.kept_at(0.5 * float(LADDER[0])) is None
    assert found.kept_at(2.0 * float(LADDER[-1])) is None


def test_amplitudes_beyond_the_polynomial_are_left_out() -> None:
    """Slopes that break off at a kink are not fitted through it."""
    rng = np.random.default_rng(7)
    measured = slopes_of(rng, LADDER, noise=1e-3, bend=1.0)
    measured[-1] += 30.0 * rng.standard_normal(measured.shape[2:])
    assert best_amplitude(LADDER, measured, odd=True).fitted_up_to < 0.3


def test_where_there_is_nothing_but_noise_the_amplitude_is_large_and_the_signal_small() -> None:
    measured = 1.0 / LADDER[:, None, None, None] * np.random.default_rng(8).standard_normal((7, 2, 12, 8))
    found = best_amplitude(LADDER, measured, odd=True)
    assert found.multiple > 0.1
    assert found.signal_to_noise < 0.5
    assert np.isfinite(found.correlations).all()


def test_without_any_noise_the_smallest_amplitudes_do() -> None:
    rng = np.random.default_rng(10)
    measured = slopes_of(rng, LADDER, noise=0.0)
    found = best_amplitude(LADDER, measured, odd=True)
    assert found.multiple < 0.01
    assert found.correlation > 0.999


def test_steps_of_the_drive_ask_for_a_larger_amplitude() -> None:
    measured = slopes_of(np.random.default_rng(11), LADDER, noise=1e-4, directions=50)
    fine, coarse = (best_amplitude(LADDER, measured, odd=True, step=step).best for step in (0.0, 0.02))
    assert coarse > 2.0 * fine


def test_a_step_of_the_drive_adds_the_variance_that_a_simulation_of_rounded_setpoints_finds() -> None:
    rng, step, count = np.random.default_rng(12), 0.01, 4000
    gradient = rng.standard_normal(40)
    directions = rng.choice((-1.0, 1.0), (count, 40))
    at = rng.uniform(0.02, 0.04, (count, 1))  # steps that know nothing of the amplitude
    centre = rng.uniform(0.0, 1.0, (count, 40))
    above, below = (np.rint((centre + sign * at * directions) / step) * step for sign in (1.0, -1.0))
    error = (above - below) @ gradient - 2.0 * at[:, 0] * (directions @ gradient)
    variance = np.mean(error**2) / np.sum(gradient**2)  # of a loss difference, by E[s²]
    assert_allclose(variance / 4.0, step**2 / 24.0, rtol=0.1)
