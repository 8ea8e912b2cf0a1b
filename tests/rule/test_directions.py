"""Directions: E[vvᵀ] = c·I of every kind, orthogonality where promised, no state between the draws."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.linalg import hadamard

from ffzero_lab.rule.directions import DirectionDraw, DirectionKind, hadamard_row

KINDS: tuple[DirectionKind, ...] = ("rademacher", "gaussian", "orthogonal", "coordinate")
LAYOUTS: dict[str, tuple[int, Sequence[Sequence[int]]]] = {
    "eight of eight": (8, [range(8)]),
    "six of six": (6, [range(6)]),
    "groups of 8, 5, 0, 1 and 8 with dead channels": (
        27,
        [[0, 1, 2, 4, 5, 6, 7, 8], [10, 11, 12, 13, 14], [], [17], range(18, 26)],
    ),
}


def directions(kind: DirectionKind, layout: str, seed: int = 1, layer: int = 0) -> DirectionDraw:
    n_parameters, groups = LAYOUTS[layout]
    return DirectionDraw(kind, [np.array(group, dtype=np.intp) for group in groups], n_parameters, seed, layer)


def alive_of(layout: str) -> NDArray[np.intp]:
    return np.array([index for group in LAYOUTS[layout][1] for index in group])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_second_moment_of_every_kind_is_c_times_the_identity(kind: DirectionKind, layout: str):
    """Draws a whole block apart are independent, so that the standard error of their mean holds."""
    draw, alive = directions(kind, layout), alive_of(layout)
    n_draws, apart = 2500, len(alive)
    drawn = np.concatenate([draw.draw(step * apart, 1) for step in range(n_draws)])[:, alive]
    products = np.einsum("ki,kj->kij", drawn, drawn)
    c = 1.0 / len(alive) if kind == "coordinate" else 1.0
    assert draw.second_moment == c
    off = products.mean(axis=0) - c * np.eye(len(alive))
    error = products.std(axis=0, ddof=1) / np.sqrt(n_draws)
    certain = error == 0.0
    np.testing.assert_allclose(off[certain], 0.0, atol=1e-12)
    z = off[~certain] / error[~certain]
    assert np.abs(z).max(initial=0.0) < 5.0
    assert np.abs(drawn.mean(axis=0) - (c if kind == "coordinate" else 0.0)).max() < 5.0 / np.sqrt(n_draws)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30)
@given(seed=st.integers(0, 2**40), step=st.integers(0, 10**6), n_directions=st.integers(1, 20))
def test_dead_channels_never_move(kind: DirectionKind, layout: str, seed: int, step: int, n_directions: int):
    drawn = directions(kind, layout, seed=seed).draw(step, n_directions)
    assert drawn.shape == (n_directions, LAYOUTS[layout][0])
    assert drawn.dtype == np.float64
    assert np.isfinite(drawn).all()
    assert not np.delete(drawn, alive_of(layout), axis=1).any()
    assert drawn[:, alive_of(layout)].any(axis=1).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@given(seed=st.integers(0, 2**40), step=st.integers(0, 10**6))
def test_rademacher_moves_every_living_parameter_by_exactly_one(layout: str, seed: int, step: int):
    drawn = directions("rademacher", layout, seed=seed).draw(step, 3)
    assert (np.abs(drawn[:, alive_of(layout)]) == 1.0).all()


def test_rademacher_signs_are_fair_and_gaussian_components_normal():
    layout = "groups of 8, 5, 0, 1 and 8 with dead channels"
    signs, normal = (
        np.concatenate([directions(kind, layout).draw(step, 1) for step in range(1000)])[:, alive_of(layout)]
        for kind in ("rademacher", "gaussian")
    )
    assert stats.binomtest(int((signs > 0).sum()), signs.size).pvalue > 1e-3
    assert stats.kstest(normal.ravel(), "norm").pvalue > 1e-3


@given(size=st.integers(1, 24), seed=st.integers(0, 2**40), step=st.integers(0, 1000), rows=st.integers(1, 50))
def test_orthogonal_rows_have_rms_one_whatever_the_size(size: int, seed: int, step: int, rows: int):
    drawn = DirectionDraw("orthogonal", [np.arange(size)], size, seed, 0).draw(step, rows)
    np.testing.assert_allclose(np.sqrt((drawn**2).mean(axis=1)), 1.0, rtol=1e-12)
    if size in (1, 2, 4, 8, 16):
        assert (np.abs(drawn) == 1.0).all()


@pytest.mark.parametrize("size", [1, 2, 4, 16, 64, 3, 5, 6, 12, 33])
def test_a_full_set_of_orthogonal_rows_spans_the_space_evenly(size: int):
    drawn = DirectionDraw("orthogonal", [np.arange(size)], size, 5, 2).draw(7, size)
    np.testing.assert_allclose(drawn @ drawn.T, size * np.eye(size), atol=1e-10)
    np.testing.assert_allclose(drawn.T @ drawn, size * np.eye(size), atol=1e-10)


@given(size=st.integers(2, 30), share=st.floats(0, 1), step=st.integers(0, 1000))
def test_fewer_haar_rows_than_parameters_are_orthogonal_with_norm_root_size(size: int, share: float, step: int):
    size += size & (size - 1) == 0
    rows = max(1, round(share * size))
    drawn = DirectionDraw("orthogonal", [np.arange(size)], size, 3, 0).draw(step, rows)
    np.testing.assert_allclose(drawn @ drawn.T, size * np.eye(rows), atol=1e-10)


def test_more_haar_rows_than_parameters_come_in_orthogonal_sets():
    drawn = DirectionDraw("orthogonal", [np.arange(6)], 6, 3, 0).draw(2, 15)
    for start in (0, 6, 12):
        rows = drawn[start : start + 6]
        np.testing.assert_allclose(rows @ rows.T, 6 * np.eye(len(rows)), atol=1e-10)
    assert np.abs(drawn[:6] - drawn[6:12]).max() > 0.1


def test_a_single_haar_row_points_anywhere_on_the_sphere():
    drawn = np.concatenate([DirectionDraw("orthogonal", [np.arange(6)], 6, 0, 0).draw(step, 1) for step in range(2000)])
    coordinate = stats.beta(2.5, 2.5, loc=-np.sqrt(6), scale=2 * np.sqrt(6))
    assert min(stats.kstest(drawn[:, j], coordinate.cdf).pvalue for j in range(6)) > 1e-4


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_draw_is_the_same_in_whatever_order_steps_are_recomputed(kind: DirectionKind, layout: str):
    steps = [3, 0, 41, 7, 1000, 8, 2]
    forward = {step: directions(kind, layout).draw(step, 4) for step in steps}
    reused = directions(kind, layout)
    for step in reversed(steps):
        for other in range(12):
            directions(kind, layout, seed=100 + other).draw(step, 4)
        assert np.array_equal(reused.draw(step, 4), forward[step])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_steps_seeds_and_layers_give_different_directions(kind: DirectionKind, layout: str):
    keys = [(seed, layer, step) for seed in (1, 2) for layer in (0, 1) for step in (0, 1)]
    drawn = [directions(kind, layout, seed=s, layer=layer).draw(step, 30) for s, layer, step in keys]
    for first in range(len(keys)):
        for second in range(first):
            assert not np.array_equal(drawn[first], drawn[second])


def test_groups_of_one_size_move_independently():
    layout = "groups of 8, 5, 0, 1 and 8 with dead channels"
    drawn = directions("orthogonal", layout).draw(0, 64)
    assert not np.array_equal(np.abs(drawn[:, :8] @ drawn[:, :8].T), np.abs(drawn[:, 18:26] @ drawn[:, 18:26].T))
    assert 0.2 < (drawn[:, 0] * drawn[:, 18] > 0).mean() < 0.8


@pytest.mark.parametrize(
    ("kind", "size"), [("orthogonal", 1), ("orthogonal", 8), ("orthogonal", 32), ("coordinate", 7)]
)
@pytest.mark.parametrize("block", [0, 3])
def test_one_direction_a_step_walks_through_the_same_block_as_all_at_once(kind: DirectionKind, size: int, block: int):
    draw = DirectionDraw(kind, [np.arange(size)], size, 5, 1)
    one_by_one = np.concatenate([draw.draw(block * size + step, 1) for step in range(size)])
    assert np.array_equal(one_by_one, draw.draw(block, size))


@pytest.mark.parametrize("kind", ["orthogonal", "coordinate"])
def test_a_block_may_end_in_the_middle_of_a_step(kind: DirectionKind):
    draw = DirectionDraw(kind, [np.arange(8)], 8, 5, 1)
    one_by_one = np.concatenate([draw.draw(number, 1) for number in range(24)])
    in_threes = np.concatenate([draw.draw(step, 3) for step in range(8)])
    assert np.array_equal(one_by_one, in_threes)


@given(seed=st.integers(0, 2**40), block=st.integers(0, 1000))
def test_coordinate_visits_every_living_parameter_once_a_block(seed: int, block: int):
    layout = "groups of 8, 5, 0, 1 and 8 with dead channels"
    alive = alive_of(layout)
    drawn = directions("coordinate", layout, seed=seed).draw(block, len(alive))
    assert (np.sort(drawn.argmax(axis=1)) == alive).all()
    assert drawn.sum() == len(alive)
    assert (np.abs(drawn).sum(axis=1) == 1.0).all()


def test_coordinate_order_and_hadamard_order_change_from_block_to_block():
    for kind in ("coordinate", "orthogonal"):
        draw = DirectionDraw(kind, [np.arange(16)], 16, 0, 0)
        assert not np.array_equal(draw.draw(0, 16), draw.draw(1, 16))


@pytest.mark.parametrize("size", [1, 2, 4, 8, 64, 256])
def test_hadamard_rows_are_scipys(size: int):
    assert np.array_equal([hadamard_row(index, size) for index in range(size)], hadamard(size))
