"""What the general procedures conclude from readings, against series whose law is known."""

import numpy as np
import pytest

from calibration.general.drift import rooted, walks_of
from calibration.general.latency import line_through
from calibration.general.noise import allan
from calibration.general.settling import SETTLED, settled_after


def test_white_noise_has_an_allan_deviation_that_falls_with_the_root_of_the_time() -> None:
    series = 0.3 * np.random.default_rng(0).standard_normal((4096, 4))
    time_s, deviation, spread = allan(series, 0.01)
    expected = 0.3 * np.sqrt(0.01 / time_s)
    assert np.abs((deviation - expected) / np.maximum(spread, 1e-9)).max() < 4.0


def test_a_random_walk_has_an_allan_deviation_that_rises_with_the_root_of_the_time() -> None:
    steps = 0.01 * np.random.default_rng(1).standard_normal((8192, 4))
    time_s, deviation, _ = allan(np.cumsum(steps, axis=0), 1.0)
    # σ²(τ) = q² (2 m² + 1)/(6 m), m = τ/τ0, of a sampled walk of step q
    expected = 0.01 * np.sqrt((2.0 * time_s**2 + 1.0) / (6.0 * time_s))
    early = time_s < 200.0
    assert deviation[early] == pytest.approx(expected[early], rel=0.2)


def looks_at(walk: float, noise: float, rng: np.random.Generator, shared: bool = False) -> np.ndarray:
    """Return 21 looks, 15 s apart, at 16 patterns of 3 outputs; *shared*: all walk as one."""
    steps = walk * np.sqrt(15.0 / 3600.0) * rng.standard_normal((21, 1, 1) if shared else (21, 16, 3))
    return np.cumsum(np.broadcast_to(steps, (21, 16, 3)), axis=0) + noise * rng.standard_normal((21, 16, 3))


@pytest.mark.parametrize(
    ("walk", "noise", "shared"), [(0.05, 0.003, False), (0.05, 0.0005, True), (0.02, 0.01, False), (0.0, 0.003, False)]
)
def test_walks_and_their_uncertainties_are_those_of_a_known_walk(walk: float, noise: float, shared: bool) -> None:
    rng = np.random.default_rng(2)
    found = [walks_of(looks_at(walk, noise, rng, shared), 15.0) for _ in range(60)]
    means = np.array([each.square.mean() for each in found])
    scores = np.array([(each.square - walk**2) / each.spread for each in found])
    assert means.mean() == pytest.approx(walk**2, abs=4.0 * means.std() / np.sqrt(60.0))
    assert (np.abs(scores) < 1.96).mean() > (0.75 if shared else 0.9)
    assert scores.std() > 0.5, "not by stating too much"
    step = walk**2 * 15.0 / 3600.0
    noises = np.array([each.noise.mean() for each in found])
    assert noises.mean() == pytest.approx(noise**2, abs=0.2 * noise**2 + 0.3 * step)


def test_a_square_that_may_be_zero_has_a_root_with_room_up_to_its_uncertainty() -> None:
    assert rooted(-1.0, 0.04) == (0.0, pytest.approx(0.2))
    assert rooted(4.0, 0.4) == (2.0, pytest.approx(0.1))


def test_a_thermal_response_is_seen_with_its_time_constant() -> None:
    rng = np.random.default_rng(3)
    times_s = 1e-5 * np.arange(96)
    decay = np.exp(-times_s / 1e-4)[np.newaxis, :, np.newaxis]
    series = 0.5 + 0.2 * decay * rng.choice([-1.0, 1.0], (24, 1, 4)) + 0.002 * rng.standard_normal((24, 96, 4))
    time_s, constant_s, spread_s = settled_after(series, 1e-5)
    assert constant_s == pytest.approx(1e-4, abs=4.0 * spread_s)
    assert 3e-4 < time_s < 7e-4
    assert SETTLED < 96


def test_nothing_but_noise_has_settled_at_once() -> None:
    series = 0.5 + 0.002 * np.random.default_rng(4).standard_normal((24, 96, 4))
    time_s, constant_s, _ = settled_after(series, 1e-5)
    assert time_s <= 1e-5
    assert np.isnan(constant_s)


def test_a_shot_and_what_a_reading_takes_besides_follow_from_batches() -> None:
    rng = np.random.default_rng(5)
    sizes = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0])
    seconds = 0.004 + 2e-4 * sizes * (1.0 + 0.05 * rng.standard_normal((12, 8)))
    shot_s, shot_spread, reading_s, reading_spread = line_through(sizes, seconds)
    assert shot_s == pytest.approx(2e-4, abs=4.0 * shot_spread)
    assert reading_s == pytest.approx(0.004, abs=4.0 * reading_spread)
