"""The figure of the idea is drawn from measured numbers that agree with each other."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "make_idea_figure.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def idea(script: dict[str, Any]) -> Any:
    return script["measure"](steps=150)


def test_the_prototypes_stand_at_equal_angles_in_the_plane_that_is_drawn(idea: Any) -> None:
    np.testing.assert_allclose(idea.prototypes @ idea.prototypes.T, 1.5 * np.eye(3) - 0.5, atol=1e-12)
    np.testing.assert_allclose(idea.prototypes[0], [0.0, 1.0], atol=1e-12)


def test_the_slopes_of_the_outputs_add_up_to_the_slope_of_the_two_readings(script: dict[str, Any], idea: Any) -> None:
    of_the_pair = np.diff(idea.pair)[0] / (2.0 * script["DRAWN_EPSILON_RAD"])
    assert abs(of_the_pair) > 0.1  # there is a slope to be seen
    assert idea.slopes.sum() == pytest.approx(of_the_pair, rel=0.1)


def test_training_turns_the_outputs_towards_their_prototypes(script: dict[str, Any], idea: Any) -> None:
    right = [np.mean(np.argmax(at @ idea.prototypes.T, axis=1) == idea.labels) for at in (idea.before, idea.after)]
    assert right[0] < 0.5 < right[1]
    assert script["draw"](idea).axes
