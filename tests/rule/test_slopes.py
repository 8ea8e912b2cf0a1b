"""Slope estimates: exact where the loss allows it, without bias everywhere, quieter when attributed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from ffzero_lab.device import Reach
from ffzero_lab.rule.directions import DirectionDraw, DirectionKind
from ffzero_lab.rule.heads import Head
from ffzero_lab.rule.losses import LossName, loss_named
from ffzero_lab.rule.prototypes import simplex_prototypes
from ffzero_lab.rule.slopes import against_the_mean, attributed_estimate, output_differences, total_estimate
from ffzero_lab.training.judgement import Judge

FloatArray = NDArray[np.float64]
KINDS: tuple[DirectionKind, ...] = ("rademacher", "gaussian", "orthogonal", "coordinate")
WIDTH, SHARPNESS = 0.3, 4.0


def vectors(n: int, largest: float = 3.0):
    return st.lists(st.floats(-largest, largest), min_size=n, max_size=n).map(np.array)


@given(at=vectors(4), v=vectors(4), amplitude=st.lists(st.floats(1e-2, 10), min_size=4, max_size=4).map(np.array))
def test_the_central_difference_of_a_quadratic_is_its_directional_derivative_at_any_amplitude(
    at: FloatArray, v: FloatArray, amplitude: FloatArray
):
    rng = np.random.default_rng(0)
    curvature, tilt = rng.normal(size=(4, 4)), rng.normal(size=4)
    curvature = curvature + curvature.T

    def loss(theta: FloatArray) -> float:
        return float(0.5 * theta @ curvature @ theta + tilt @ theta)

    difference = loss(at + amplitude * v) - loss(at - amplitude * v)
    derivative = (curvature @ at + tilt) @ (amplitude * v)
    estimate = total_estimate(np.array([difference]), v[np.newaxis], amplitude, 1.0)
    scale = 1.0 + np.abs(v).max() * 1e3 / amplitude.min()
    np.testing.assert_allclose(estimate, derivative * v / amplitude, rtol=1e-9, atol=1e-12 * scale)


@given(at=st.floats(-3, 3), v=st.sampled_from([-1.0, 1.0, 0.5]), epsilon=st.floats(1e-3, 3.0))
def test_the_central_difference_of_a_sine_is_its_slope_times_sin_epsilon_over_epsilon(
    at: float, v: float, epsilon: float
):
    difference = np.sin(at + epsilon * v) - np.sin(at - epsilon * v)
    estimate = total_estimate(np.array([difference]), np.array([[v]]), np.array([epsilon]), 1.0)
    bias = np.sinc(epsilon * v / np.pi)
    np.testing.assert_allclose(estimate, [np.cos(at) * v * v * bias], rtol=1e-9, atol=1e-12)


def test_several_directions_are_averaged_and_the_second_moment_divided_out():
    differences, v = np.array([3.0, -1.0]), np.array([[1.0, 0.0, -1.0], [1.0, 1.0, 0.0]])
    amplitude = np.array([0.5, 0.5, 2.0])
    expected = [(3 - 1) / (2 * 2 * 0.5), -1 / (2 * 2 * 0.5), -3 / (2 * 2 * 2.0)]
    np.testing.assert_allclose(total_estimate(differences, v, amplitude, 1.0), expected)
    np.testing.assert_allclose(total_estimate(differences, v, amplitude, 0.25), 4 * np.array(expected))
    spread = np.repeat(differences[:, np.newaxis], 3, axis=1)
    np.testing.assert_allclose(attributed_estimate(spread, v, amplitude, 0.25), 4 * np.array(expected))


@given(seed=st.integers(0, 2**32))
def test_output_differences_add_the_patterns_up_output_by_output(seed: int):
    rng = np.random.default_rng(seed)
    slope, plus, minus = rng.normal(size=(3, 4, 5))
    expected = [sum(slope[b, j] * (plus[b, j] - minus[b, j]) for b in range(4)) for j in range(5)]
    np.testing.assert_allclose(output_differences(slope, plus - minus), expected, atol=1e-12)


def test_coordinate_over_a_whole_block_is_the_full_finite_difference_gradient():
    rng = np.random.default_rng(3)
    mixing = rng.normal(size=(5, 7))

    def loss(theta: FloatArray) -> float:
        return float(np.sin(mixing @ theta).sum() + np.exp(0.3 * theta).sum())

    at, amplitude = rng.normal(size=7), rng.uniform(0.05, 0.5, 7)
    draw = DirectionDraw("coordinate", [np.arange(3), np.arange(3, 7)], 7, 0, 0)
    v = draw.draw(4, 7)
    measured = np.array([loss(at + amplitude * row) - loss(at - amplitude * row) for row in v])
    steps = np.diag(amplitude)
    expected = [(loss(at + step) - loss(at - step)) / (2 * step.max()) for step in steps]
    np.testing.assert_allclose(total_estimate(measured, v, amplitude, draw.second_moment), expected, rtol=1e-12)


@pytest.mark.parametrize(("size", "blocks"), [(8, 1), (16, 3), (6, 1), (11, 2)])
def test_a_whole_orthogonal_block_gives_the_exact_gradient_of_a_linear_loss(size: int, blocks: int):
    gradient = np.random.default_rng(1).normal(size=size)
    draw = DirectionDraw("orthogonal", [np.arange(size)], size, 0, 0)
    v = draw.draw(2, blocks * size)
    estimate = total_estimate(2 * 0.1 * v @ gradient, v, np.full(size, 0.1), draw.second_moment)
    np.testing.assert_allclose(estimate, gradient, rtol=1e-10)


@dataclass(frozen=True)
class Local:
    """Outputs z = z₀ + A·sin(θ) of which every parameter reaches a few, in groups of very different units."""

    groups: tuple[tuple[int, ...], ...]
    n_parameters: int
    scale: tuple[float, ...]
    loss: LossName

    n_patterns = 4
    n_outputs = 9

    @cached_property
    def reach(self) -> Reach:
        first = np.array([i % (self.n_outputs - 2) for i in range(self.n_parameters)])
        return Reach(first, first + 2 + first % 2, self.n_outputs)

    @cached_property
    def amplitude(self) -> FloatArray:
        return 1e-3 * np.array(self.scale)

    @cached_property
    def fixed(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return A (B, n, P), z₀ (B, n), θ (P,) and prototypes."""
        rng = np.random.default_rng(8)
        mixing = rng.normal(size=(self.n_patterns, self.n_outputs, self.n_parameters))
        for i in range(self.n_parameters):
            mixing[:, : self.reach.first[i], i] = 0.0
            mixing[:, self.reach.stop[i] :, i] = 0.0
        offset = rng.normal(2.0, 1.0, (self.n_patterns, self.n_outputs))
        at = rng.uniform(-1, 1, self.n_parameters) * self.scale
        return mixing, offset, at, simplex_prototypes(3, self.n_outputs, rng)

    labels = np.array([0, 1, 2, 1])

    @cached_property
    def judge(self) -> Judge:
        loss = loss_named(self.loss, margin_width=WIDTH, sharpness=SHARPNESS)
        return Judge(Head(self.fixed[3][np.newaxis], None, centre=True), loss, floor=0.0)

    def outputs(self, theta: NDArray) -> NDArray:
        mixing, offset, _, _ = self.fixed
        return offset + mixing @ np.sin(theta / self.scale)

    def written_out(self, theta: NDArray) -> complex:
        """Return the loss, analytic in complex parameters."""
        z = self.outputs(theta)
        z = z - z.mean(axis=1, keepdims=True)
        s = (z @ self.fixed[3].T) / np.sqrt((z * z).sum(axis=1, keepdims=True))
        own = s[np.arange(4), self.labels]
        if self.loss == "cosine":
            return (1.0 - own).mean()
        return (np.log(np.exp(SHARPNESS * s).sum(axis=1)) - SHARPNESS * own).mean()

    @cached_property
    def gradient(self) -> FloatArray:
        """Return ∂L/∂θ by complex steps, exact to rounding; zero where a parameter is dead."""
        _, _, at, _ = self.fixed
        exact = np.zeros(self.n_parameters)
        for i in (i for group in self.groups for i in group):
            step = np.zeros(self.n_parameters, dtype=complex)
            step[i] = 1e-30j
            exact[i] = self.written_out(at + step).imag / 1e-30
        return exact

    def estimates(self, v: FloatArray, c: float) -> tuple[FloatArray, FloatArray]:
        """Return total and attributed estimates from the same readings along *v* (K, P)."""
        at, base = self.fixed[2], np.zeros((4, 3))
        total, reached = [], []
        for row in v:
            plus, minus = self.outputs(at + self.amplitude * row), self.outputs(at - self.amplitude * row)
            above, below = (self.judge(z, self.labels, base).loss for z in (plus, minus))
            total.append(above - below)
            slope = self.judge.slope_in_outputs(self.judge(0.5 * (plus + minus), self.labels, base))
            reached.append(self.reach.sum_reached(output_differences(slope, plus - minus)))
        return (
            total_estimate(np.array(total), v, self.amplitude, c),
            attributed_estimate(np.array(reached), v, self.amplitude, c),
        )


PROBLEMS = {
    "eight parameters": (Local((tuple(range(8)),), 8, (1.0,) * 8, "cross-entropy"), 1),
    "six parameters": (Local((tuple(range(6)),), 6, (1.0,) * 6, "cosine"), 2),
    "groups of 8, 5, 0 and 1 in three units with dead channels": (
        Local(
            ((0, 1, 2, 4, 5, 6, 7, 8), (10, 11, 12, 13, 14), (), (17,)),
            18,
            (1.0,) * 9 + (1e-3,) * 6 + (50.0,) * 3,
            "cross-entropy",
        ),
        3,
    ),
}


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_estimate_is_the_true_gradient_total_and_attributed(kind: DirectionKind, problem: str):
    """Steps a whole block apart are independent, so that z-scores hold; groups count in units of their amplitude."""
    local, n_directions = PROBLEMS[problem]
    draw = DirectionDraw(kind, [np.array(g, dtype=np.intp) for g in local.groups], local.n_parameters, 12, 0)
    alive = np.concatenate(draw.groups)
    apart, n_estimates = len(alive), 1200 // n_directions
    drawn = [local.estimates(draw.draw(apart * step, n_directions), draw.second_moment) for step in range(n_estimates)]
    gradient = local.gradient
    for estimates in (np.array(kind_of_slope) for kind_of_slope in zip(*drawn, strict=True)):
        assert not np.delete(estimates, alive, axis=1).any()
        error = estimates.std(axis=0, ddof=1)[alive] / np.sqrt(n_estimates)
        z = (estimates.mean(axis=0) - gradient)[alive] / error
        assert np.abs(z).max() < 5.0
        assert 0.05 < np.mean(z**2) < 2.8
        along = (estimates * local.amplitude**2) @ gradient / np.sum((local.amplitude * gradient) ** 2)
        assert abs(along.mean() - 1.0) < 5.0 * along.std(ddof=1) / np.sqrt(n_estimates)
        assert along.std(ddof=1) / np.sqrt(n_estimates) < 0.08


@pytest.mark.parametrize("problem", PROBLEMS)
def test_coordinate_over_a_whole_block_needs_no_averaging_in_either_kind_of_slope(problem: str):
    local, _ = PROBLEMS[problem]
    draw = DirectionDraw("coordinate", [np.array(g, dtype=np.intp) for g in local.groups], local.n_parameters, 1, 0)
    n_alive = sum(map(len, local.groups))
    for estimate in local.estimates(draw.draw(0, n_alive), draw.second_moment):
        relative = (estimate - local.gradient) * local.amplitude / np.abs(local.gradient * local.amplitude).max()
        np.testing.assert_allclose(relative, 0.0, atol=1e-4)


def test_with_every_output_in_reach_attributed_is_total_up_to_the_curvature():
    local, _ = PROBLEMS["eight parameters"]
    everywhere = Local(local.groups, local.n_parameters, local.scale, local.loss)
    reach = Reach(np.zeros(8, dtype=np.intp), np.full(8, local.n_outputs), local.n_outputs)
    everywhere.__dict__["fixed"] = local.fixed
    everywhere.__dict__["reach"] = reach
    draw = DirectionDraw("gaussian", [np.arange(8)], 8, 3, 0)
    for step in range(20):
        total, attributed = everywhere.estimates(draw.draw(step, 2), 1.0)
        np.testing.assert_allclose(attributed, total, rtol=1e-4, atol=1e-6 * np.abs(total).max())


@pytest.mark.parametrize("noise", [0.0, 0.02, 1.0])
def test_attributed_slopes_have_the_variance_of_the_outputs_in_reach_alone(noise: float):
    """Linear outputs z = Aθ + noise, loss w·z, Rademacher: both variances in closed form.

    total: Σ_{j≠i} g_j² + n w²σ²/(2ε²); attributed: Σ_{j≠i} (Σ_{o∈reach i} w_o A_oj)² + r w²σ²/(2ε²).
    """
    n, width, epsilon, n_draws = 32, 4, 0.1, 3000
    rng = np.random.default_rng(21)
    first = np.arange(n) // width * width
    reach = Reach(first, first + width, n)
    mask = np.zeros((n, n))
    for i in range(n):
        mask[first[i] : first[i] + width, i] = 1.0
    mixing, weights = rng.normal(size=(n, n)) * mask, rng.choice([-1.0, 1.0], n)
    seen_by = (mask.T * weights) @ mixing
    gradient = weights @ mixing
    np.testing.assert_allclose(np.diag(seen_by), gradient)
    draw = DirectionDraw("rademacher", [np.arange(n)], n, 4, 0)
    estimates = np.empty((2, n_draws, n))
    for step in range(n_draws):
        v = draw.draw(step, 1)
        noisy = noise * rng.normal(size=(2, 1, n))
        plus, minus = (sign * epsilon * v @ mixing.T + added for sign, added in zip((1, -1), noisy, strict=True))
        per_output = output_differences(weights[np.newaxis], plus - minus)
        amplitude = np.full(n, epsilon)
        estimates[0, step] = total_estimate(np.array([per_output.sum()]), v, amplitude, 1.0)
        estimates[1, step] = attributed_estimate(reach.sum_reached(per_output)[np.newaxis], v, amplitude, 1.0)
    by_noise = noise**2 / (2 * epsilon**2)
    total = (gradient**2).sum() - gradient**2 + n * by_noise
    attributed = (seen_by**2).sum(axis=1) - gradient**2 + width * by_noise
    measured = estimates.var(axis=1, ddof=1)
    np.testing.assert_allclose(measured[0] / total, 1.0, atol=0.15)
    np.testing.assert_allclose(measured[1] / attributed, 1.0, atol=0.15)
    ratio = measured[0].mean() / measured[1].mean()
    assert ratio == pytest.approx(total.mean() / attributed.mean(), rel=0.05)
    assert ratio > 0.9 * n / width


def test_the_expectation_test_would_notice_a_wrong_constant():
    """A tenth too much, which a forgotten 1/K or c always exceeds, lies far outside the accepted band."""
    local, _ = PROBLEMS["eight parameters"]
    draw = DirectionDraw("rademacher", [np.arange(8)], 8, 12, 0)
    estimates = np.array([local.estimates(draw.draw(step, 8), 1.5)[1] for step in range(300)])
    along = estimates @ local.gradient / (local.gradient @ local.gradient)
    assert stats.ttest_1samp(along, 1.0).pvalue < 1e-6


def estimates_by(order: str, gradient: FloatArray, readings: int, draws: int, noise: float) -> FloatArray:
    """Return estimates (draws, P) of the gradient of a linear loss from so many noisy readings each."""
    rng = np.random.default_rng(11)
    epsilon, size = 0.1, len(gradient)
    amplitude = np.full(size, epsilon)
    found = np.empty((draws, size))
    for draw in range(draws):
        k = readings if order == "group" else readings // 2
        v = rng.choice([-1.0, 1.0], (k, size))
        slopes = epsilon * v @ gradient
        if order == "group":
            differences = against_the_mean(slopes + noise * rng.standard_normal(k))
        else:
            differences = 2.0 * slopes + noise * (rng.standard_normal(k) - rng.standard_normal(k))
        found[draw] = total_estimate(differences, v, amplitude, 1.0)
    return found


@pytest.mark.parametrize("readings", [2, 4, 16])
def test_a_group_against_its_mean_estimates_the_gradient_without_bias(readings: int):
    gradient = np.random.default_rng(2).normal(size=12)
    found = estimates_by("group", gradient, readings, 6000, 0.05)
    error = found.std(axis=0, ddof=1) / 6000**0.5
    assert (np.abs(found.mean(axis=0) - gradient) < 5.5 * error).all()


def test_a_group_has_about_half_the_variance_of_pairs_from_as_many_readings():
    gradient = np.random.default_rng(3).normal(size=40)
    group, pairs = (estimates_by(order, gradient, 16, 3000, 0.0).var(axis=0).mean() for order in ("group", "pair"))
    assert group / pairs == pytest.approx(0.5 * 16 / 15, rel=0.05)


def test_a_group_cancels_a_loss_that_all_readings_share():
    values = np.random.default_rng(4).normal(size=(5, 3))
    np.testing.assert_allclose(against_the_mean(values + 1e3), against_the_mean(values), atol=1e-10)
