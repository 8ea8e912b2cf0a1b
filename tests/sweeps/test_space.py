"""The settings that a sweep tries."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero_lab.errors import InputError
from ffzero_lab.sweeps.space import SweepTable, points_of


def points(**table: Any) -> list[dict[str, Any]]:
    return points_of(SweepTable.model_validate(table))


def test_a_grid_has_every_combination_once_the_last_setting_moving_first() -> None:
    found = points(settings={"seed": [0, 1], "device": {"ports": [8, 16]}, "loss": ["margin"]})
    assert found == [{"seed": seed, "device.ports": ports, "loss": "margin"} for seed in (0, 1) for ports in (8, 16)]


def test_a_range_in_a_grid_is_evenly_spaced_or_by_equal_ratios() -> None:
    found = points(settings={"a": {"from": 1, "to": 2, "count": 5}})
    assert [point["a"] for point in found] == pytest.approx([1.0, 1.25, 1.5, 1.75, 2.0])
    found = points(settings={"a": {"from": 0.001, "to": 10, "count": 5, "scale": "log"}})
    assert [point["a"] for point in found] == pytest.approx([0.001, 0.01, 0.1, 1.0, 10.0])


@given(st.integers(0, 2**40), st.sampled_from(["linear", "log"]), st.booleans())
def test_drawn_values_stay_within_their_range(seed: int, scale: str, whole: bool) -> None:
    span = {"from": 2, "to": 700, "scale": scale, "whole": whole}
    for point in points(kind="random", points=20, seed=seed, settings={"a": span, "b": ["x", "y"]}):
        assert 2 <= point["a"] <= 700
        assert isinstance(point["a"], int) == whole
        assert point["b"] in ("x", "y")


def test_more_points_begin_with_the_same_ones_and_another_seed_gives_others() -> None:
    settings = {"a": {"from": 0.0, "to": 1.0}, "b": [1, 2, 3]}
    few, many = (points(kind="random", points=count, seed=5, settings=settings) for count in (4, 30))
    assert many[:4] == few
    assert len({point["a"] for point in many}) == 30
    assert points(kind="random", points=4, seed=6, settings=settings) != few


def test_values_drawn_on_a_log_scale_are_as_often_in_each_decade() -> None:
    span = {"from": 1e-3, "to": 1.0, "scale": "log"}
    drawn = [point["a"] for point in points(kind="random", points=3000, settings={"a": span})]
    for decade in (1e-3, 1e-2, 1e-1):
        share = sum(decade <= value < 10 * decade for value in drawn) / len(drawn)
        assert share == pytest.approx(1 / 3, abs=5 * (2 / 9 / 3000) ** 0.5)  # five standard deviations


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"settings": {"a": 3}}, r"sweep.settings.a is 3; allowed: a list"),
        ({"settings": {"a": []}}, "allowed: a list"),
        ({"settings": {"a": {"from": 1, "to": 2}}}, "a.count: needed for a range in a grid"),
        ({"kind": "random", "points": 2, "settings": {"a": {"from": 1, "to": 2, "count": 3}}}, "only there"),
        ({"settings": {"a": {"from": 2, "to": 1, "count": 3}}}, "from 2 must be below to 1"),
        ({"settings": {"a": {"from": 0, "to": 1, "count": 3, "scale": "log"}}}, "more than 0"),
        ({"settings": {"a": {"from": 0, "to": 1, "count": 3, "steps": 1}}}, "steps"),
        ({"settings": {"a": {"from": 1, "to": 3, "count": 5, "whole": True}}}, "only 3 of 5 values differ"),
        ({"settings": {"a": {"from": 2.5, "to": 9, "count": 3, "whole": True}}}, "needed: whole numbers"),
        ({"settings": {"a": list(range(400)), "b": list(range(400))}}, "160,000 points"),
    ],
)
def test_what_cannot_be_swept_is_refused_by_name(table: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        points(**table)


@pytest.mark.parametrize("table", [{"kind": "random"}, {"points": 3}])
def test_points_belong_to_a_random_search(table: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needed for kind 'random', and only there"):
        SweepTable.model_validate({**table, "settings": {"a": [1]}})
