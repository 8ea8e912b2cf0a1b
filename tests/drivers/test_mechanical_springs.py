"""Springs behind servos: the leaf's law, servo steps, play and creep, each against a computation of its own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from drivers.twin.mechanical.leaf import Leaf
from drivers.twin.mechanical.springs import ServoSprings
from drivers.twin.mechanical.tables import Springs

FREE = np.array([], dtype=np.intp)
"""No slider is jammed."""
LOWER, UPPER = 10.0, 1000.0


def nominal(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stiffness of a steel leaf in SI units: 3EI/L³, the free length going from one end of the travel to the other."""
    modulus_pa, width_m, thickness_m = 200e9, 5e-3, 0.2e-3
    bending = modulus_pa * width_m * thickness_m**3 / 12.0
    longest_m, shortest_m = ((3.0 * bending / k) ** (1.0 / 3.0) for k in (LOWER, UPPER))
    return 3.0 * bending / (longest_m + position * (shortest_m - longest_m)) ** 3


def positions_of(stiffness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert the law by a table."""
    table = np.linspace(0.0, 1.0, 200_001)
    return np.interp(stiffness, nominal(table), table)


def made(count: int = 1, **constants: float) -> ServoSprings:
    return ServoSprings(Springs.model_validate(constants), np.ones(count))


def test_stiffness_is_that_of_a_cantilever_whose_free_length_the_slider_sets():
    leaf, position = Leaf(Springs()), np.linspace(0.0, 1.0, 101)
    np.testing.assert_allclose(leaf.stiffness(position), nominal(position), rtol=1e-12)
    np.testing.assert_allclose(leaf.position(leaf.stiffness(position)), position, atol=1e-12)


@pytest.mark.parametrize("bits", [1, 4, 12, 16])
def test_the_stated_resolution_is_the_largest_step_and_setpoints_are_the_nearest_codes(bits: int):
    leaf = Leaf(Springs(servo_bits=bits))
    codes = np.arange(2**bits) / (2**bits - 1)
    levels = nominal(codes)
    assert leaf.resolution_n_per_m == pytest.approx(np.diff(levels).max(), rel=1e-6)
    wanted = np.random.default_rng(bits).uniform(LOWER, UPPER, 50)
    nearest = np.abs(positions_of(wanted)[:, np.newaxis] - codes).argmin(axis=1)
    np.testing.assert_allclose(leaf.stiffness(leaf.position(wanted)), levels[nearest], rtol=1e-9)


def test_continuous_servos_have_no_resolution():
    assert Leaf(Springs()).resolution_n_per_m == 0.0


@given(st.floats(1e-3, 1e5), st.floats(1.01, 1e4), st.integers(0, 20))
def test_setpoints_stay_within_the_range_and_can_be_written_back(lower: float, ratio: float, bits: int):
    upper = min(lower * ratio, 1e6)
    springs = ServoSprings(
        Springs(lower_n_per_m=lower, upper_n_per_m=max(upper, 1.02 * lower), servo_bits=bits), np.ones(3)
    )
    springs.write(np.array([lower, (lower * upper) ** 0.5, max(upper, 1.02 * lower)]), 0.0, FREE)
    reported = springs.setpoints
    assert (reported >= lower).all()
    assert (reported <= max(upper, 1.02 * lower)).all()
    springs.write(reported, 0.0, FREE)
    np.testing.assert_allclose(springs.setpoints, reported, rtol=0.0 if bits else 1e-12)


def test_a_spring_just_made_is_at_its_softest():
    springs = ServoSprings(Springs(), np.array([0.9, 1.1]))
    assert springs.setpoints.tolist() == [LOWER, LOWER]
    np.testing.assert_allclose(springs.stiffness(0.0), [9.0, 11.0])


def pushed(servo: list[float], play: float) -> list[float]:
    """Push a slider along by a fork of width *play*, in tiny steps of the servo; returns where each move ends."""
    slider, at, seen = 0.0, 0.0, []
    for target in servo:
        for point in np.linspace(at, target, 4001):
            if point - play / 2 > slider:  # the fork's rear wall
                slider = point - play / 2
            elif point + play / 2 < slider:  # its front wall
                slider = point + play / 2
        at = target
        seen.append(min(max(slider, 0.0), 1.0))
    return seen


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12))
def test_play_moves_the_slider_as_a_fork_with_walls_would(servo: list[float]):
    play, springs = 0.05, made(backlash=0.05)
    for target, expected in zip(servo, pushed(servo, play), strict=True):
        springs.write(nominal(np.array([target])), 0.0, FREE)
        assert positions_of(springs.stiffness(0.0))[0] == pytest.approx(expected, abs=1e-6)
        assert positions_of(springs.setpoints)[0] == pytest.approx(target, abs=1e-6)


def test_where_a_slider_ends_depends_on_the_direction_of_travel_by_the_whole_play():
    springs, middle = made(backlash=0.02), nominal(np.array([0.5]))
    springs.write(middle, 0.0, FREE)
    from_below = positions_of(springs.stiffness(0.0))
    springs.write(nominal(np.array([0.9])), 0.0, FREE)
    springs.write(middle, 0.0, FREE)
    from_above = positions_of(springs.stiffness(0.0))
    np.testing.assert_allclose(from_above - from_below, 0.02, atol=1e-6)
    springs.write(nominal(np.array([0.515])), 0.0, FREE)  # a reversal within the play moves nothing
    np.testing.assert_array_equal(positions_of(springs.stiffness(0.0)), from_above)


def test_homing_takes_up_the_play():
    springs = made(backlash=0.05)
    springs.write(np.array([UPPER]), 0.0, FREE)
    springs.home(0.0, FREE)
    np.testing.assert_allclose(springs.stiffness(0.0), LOWER)


def test_creep_is_the_solution_of_its_differential_equation_through_any_history():
    share, time_s = 0.2, 7.0
    springs = made(2, creep=share, creep_s=time_s)
    rng = np.random.default_rng(3)
    moments_s = np.cumsum(rng.uniform(0.5, 10.0, 6))
    targets = np.vstack([np.full(2, LOWER), rng.uniform(LOWER, UPPER, (6, 2))])

    following, began_s = np.full(2, LOWER), 0.0
    for number, moment_s in enumerate([*moments_s, moments_s[-1] + 3.0]):
        leg = solve_ivp(
            lambda _, r, n=number: (targets[n] - r) / time_s, (began_s, moment_s), following, rtol=1e-10, atol=1e-9
        )
        following, began_s = leg.y[:, -1], moment_s
        expected = (1 - share) * targets[number] + share * following
        np.testing.assert_allclose(springs.stiffness(moment_s), expected, rtol=1e-7)
        if number < 6:
            springs.write(targets[number + 1], moment_s, FREE)


def test_a_share_of_a_change_arrives_late_and_all_of_it_in_the_end():
    springs = made(creep=0.1, creep_s=20.0)
    springs.write(np.array([510.0]), 100.0, FREE)
    missing = [510.0 - springs.stiffness(100.0 + t)[0] for t in (0.0, 20.0, 1e4)]
    assert missing == pytest.approx([0.1 * 500.0, 0.1 * 500.0 / np.e, 0.0], abs=1e-9)


def test_looking_often_changes_nothing_but_rounding():
    one, other = (made(creep=0.3, creep_s=5.0) for _ in range(2))
    for springs in (one, other):
        springs.write(np.array([700.0]), 1.0, FREE)
    for moment_s in np.linspace(1.0, 9.0, 200):
        one.stiffness(float(moment_s))
    np.testing.assert_allclose(one.stiffness(9.0), other.stiffness(9.0), rtol=1e-12)


def test_a_jammed_slider_stays_while_its_servo_reports_what_was_asked():
    springs = made(3)
    springs.write(np.full(3, 50.0), 0.0, FREE)
    for act in (lambda: springs.write(np.full(3, 500.0), 1.0, np.array([1])), lambda: springs.home(2.0, np.array([1]))):
        act()
        assert springs.stiffness(2.0)[1] == pytest.approx(50.0)
        assert springs.setpoints[1] == springs.setpoints[0] == pytest.approx(springs.stiffness(2.0)[0])


def test_the_state_put_back_goes_on_to_the_bit():
    constants = {"servo_bits": 12, "backlash": 0.01, "creep": 0.1, "creep_s": 3.0}
    one, other = made(5, **constants), made(5, **constants)
    moves = np.random.default_rng(0).uniform(LOWER, UPPER, (20, 5))
    for number, move in enumerate(moves[:10]):
        one.write(move, float(number), FREE)
    other.restore({name: np.array(values) for name, values in one.state().items()})
    for number, move in enumerate(moves[10:], start=10):
        for springs in (one, other):
            springs.write(move, float(number), FREE)
        np.testing.assert_array_equal(one.stiffness(number + 0.5), other.stiffness(number + 0.5))
        np.testing.assert_array_equal(one.setpoints, other.setpoints)


@pytest.mark.parametrize("ends", [(10.0, 10.0), (100.0, 10.0), (1e-2, 1e3)])
def test_a_range_that_is_empty_or_beyond_reason_is_refused(ends: tuple[float, float]):
    with pytest.raises(ValueError, match=r"it must be 1\.01 to 10,000 times lower_n_per_m"):
        Springs(lower_n_per_m=ends[0], upper_n_per_m=ends[1])
