"""Optimizers against recursions written out by hand, their memory, and the schedules."""

import io
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ffzero_lab.rule.optimizers import Optimizer, OptimizerName, optimizer_named, scheduled

FloatArray = NDArray[np.float64]
NAMES: tuple[OptimizerName, ...] = ("sgd", "momentum", "adam")


def by_hand(name: OptimizerName, gradients: Sequence[float], rates: Sequence[float]) -> list[float]:
    """Return the changes of one parameter; momentum and moments as explicit sums over the past."""
    changes: list[float] = []
    for t in range(1, len(gradients) + 1):
        past = list(enumerate(gradients[:t], start=1))
        if name == "sgd":
            changes.append(-rates[t - 1] * gradients[t - 1])
        elif name == "momentum":
            changes.append(-rates[t - 1] * sum(0.9 ** (t - i) * g for i, g in past))
        else:
            first = 0.1 * sum(0.9 ** (t - i) * g for i, g in past) / (1 - 0.9**t)
            second = 0.001 * sum(0.999 ** (t - i) * g * g for i, g in past) / (1 - 0.999**t)
            changes.append(-rates[t - 1] * first / (math.sqrt(second) + 1e-8))
    return changes


def run(optimizer: Optimizer, gradients: FloatArray, rates: FloatArray) -> FloatArray:
    return np.array([optimizer.update(g, float(rate)) for g, rate in zip(gradients, rates, strict=True)])


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 12), n=st.integers(1, 4))
def test_updates_follow_the_published_recursion(name: OptimizerName, seed: int, steps: int, n: int):
    rng = np.random.default_rng(seed)
    gradients, rates = rng.normal(size=(steps, n)), rng.uniform(0.001, 0.1, steps)
    expected = np.transpose([by_hand(name, gradients[:, i].tolist(), rates.tolist()) for i in range(n)])
    np.testing.assert_allclose(run(optimizer_named(name, n), gradients, rates), expected, rtol=1e-9, atol=1e-15)


@given(seed=st.integers(0, 2**32), n=st.integers(1, 9), size=st.floats(1e-12, 1e12))
def test_a_normalised_step_has_the_length_it_is_told_however_steep_the_slope(seed: int, n: int, size: float):
    gradient = size * np.random.default_rng(seed).normal(size=n)
    change = optimizer_named("normalised", n).update(gradient, 0.02)
    assert math.isclose(float(np.sqrt(np.mean(change**2))), 0.02, rel_tol=1e-9)
    np.testing.assert_allclose(change / np.linalg.norm(change), -gradient / np.linalg.norm(gradient), atol=1e-12)


def test_a_normalised_step_does_not_depend_on_the_units_of_the_groups():
    gradient, rate, unit = np.array([3.0, -1.0, 0.5]), np.array([0.1, 0.1, 0.2]), np.array([1.0, 1e3, 1e-3])
    change = optimizer_named("normalised", 3).update(gradient, rate)
    np.testing.assert_allclose(optimizer_named("normalised", 3).update(gradient / unit, rate * unit), change * unit)


def test_a_normalised_step_without_any_slope_stays():
    assert not optimizer_named("normalised", 3).update(np.zeros(3), 0.1).any()


@pytest.mark.parametrize("name", [*NAMES, "normalised"])
def test_a_restored_optimizer_goes_on_bit_for_bit(name: OptimizerName):
    rng = np.random.default_rng(1)
    gradients, rates = rng.normal(size=(9, 3)), rng.uniform(0.001, 0.1, 9)
    unbroken = run(optimizer_named(name, 3), gradients, rates)
    before, after = optimizer_named(name, 3), optimizer_named(name, 3)
    run(before, gradients[:4], rates[:4])
    file = io.BytesIO()
    np.savez(file, **before.state())
    file.seek(0)
    with np.load(file) as saved:
        after.restore(saved)
    assert np.array_equal(run(after, gradients[4:], rates[4:]), unbroken[4:])


@pytest.mark.parametrize("name", NAMES)
def test_a_state_once_taken_does_not_change_with_later_updates(name: OptimizerName):
    optimizer = optimizer_named(name, 2)
    optimizer.update(np.array([1.0, -2.0]), 0.1)
    state = optimizer.state()
    kept = {key: value.copy() for key, value in state.items()}
    optimizer.update(np.array([5.0, 5.0]), 0.1)
    assert state.keys() == kept.keys()
    assert all(np.array_equal(state[key], kept[key]) for key in kept)


@pytest.mark.parametrize("name", NAMES)
def test_restoring_does_not_tie_two_optimizers_together(name: OptimizerName):
    first, second = optimizer_named(name, 2), optimizer_named(name, 2)
    first.update(np.array([1.0, -2.0]), 0.1)
    second.restore(first.state())
    first.update(np.array([3.0, 3.0]), 0.1)
    reference = by_hand(name, [1.0, 0.5], [0.1, 0.1])
    assert second.update(np.array([0.5, 0.5]), 0.1)[0] == pytest.approx(reference[1])


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32))
def test_a_parameter_without_slope_stays_put_and_the_gradient_is_left_alone(name: OptimizerName, seed: int):
    rng = np.random.default_rng(seed)
    optimizer = optimizer_named(name, 3)
    for _ in range(5):
        gradient = rng.normal(size=3)
        gradient[1] = 0.0
        kept = gradient.copy()
        assert optimizer.update(gradient, 0.1)[1] == 0.0
        assert np.array_equal(gradient, kept)


@given(scale=st.floats(1e-3, 1e6), seed=st.integers(0, 2**32))
def test_adams_first_update_is_the_learning_rate_against_the_sign(scale: float, seed: int):
    gradient = scale * np.random.default_rng(seed).choice([-1.0, 1.0], 5)
    np.testing.assert_allclose(optimizer_named("adam", 5).update(gradient, 0.02), -0.02 * np.sign(gradient), rtol=1e-4)


@given(steps=st.integers(2, 5000), step=st.integers(0, 5000))
def test_a_constant_schedule_is_constant(steps: int, step: int):
    assert scheduled("constant", step, steps) == 1.0


@given(steps=st.integers(1, 3000))
def test_a_cosine_schedule_falls_from_the_whole_rate_to_zero(steps: int):
    assert scheduled("cosine", 0, steps) == 1.0
    assert scheduled("cosine", steps, steps) == pytest.approx(0.0, abs=1e-15)
    assert scheduled("cosine", steps - 1, steps) > 0.0
    if steps % 2 == 0:
        assert scheduled("cosine", steps // 2, steps) == pytest.approx(0.5)


@given(steps=st.integers(2, 400))
def test_a_cosine_schedule_never_rises(steps: int):
    rates = [scheduled("cosine", step, steps) for step in range(steps + 1)]
    assert (np.diff(rates) < 0.0).all()
    assert np.mean(rates) == pytest.approx(0.5)


def test_normalised_steps_have_the_length_of_what_was_measured() -> None:
    gradient = np.array([0.0, 3.0, 0.0, -3.0])
    assert optimizer_named("normalised", 4).update(gradient, 0.1).tolist() == pytest.approx([0.0, -0.1, 0.0, 0.1])
