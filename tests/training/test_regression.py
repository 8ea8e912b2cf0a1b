"""Regression: one prototype, a mean-square loss on scaled targets, R² on the original scale."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from typer.testing import CliRunner

from ffzero_lab import open_device
from ffzero_lab.cli import app
from ffzero_lab.datasets import Dataset
from ffzero_lab.errors import InputError
from ffzero_lab.rule.losses import loss_named
from ffzero_lab.training import Session, TrainSettings
from ffzero_lab.training.aim import Numbers, aim_from, aim_of
from ffzero_lab.training.baselines import linear_baseline


def slope_and_bend(n: int = 240) -> Dataset:
    rng = np.random.default_rng(5)
    inputs = rng.uniform(-1.0, 1.0, (n, 2))
    targets = 40.0 + 10.0 * np.sin(2.0 * inputs[:, 0]) + 3.0 * inputs[:, 1]
    return Dataset.of_values("bend", inputs[:180], targets[:180], inputs[180:], targets[180:])


def test_training_targets_fill_minus_one_to_one() -> None:
    dataset = slope_and_bend()
    train, test = aim_of(dataset).wanted(dataset)
    assert (train.min(), train.max()) == pytest.approx((-1.0, 1.0))
    assert dataset.train_targets is not None
    assert dataset.test_targets is not None
    slope, offset = np.polyfit(dataset.train_targets, train, 1)
    assert_allclose(test, slope * dataset.test_targets + offset, atol=1e-12)


@given(lower=st.floats(-1e3, 1e3), span=st.floats(1e-3, 1e3), seed=st.integers(0, 999))
def test_r2_is_that_of_the_answers_on_the_original_scale(lower: float, span: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    aim = Numbers(lower, lower + span)
    similarity, scaled = rng.uniform(-0.5, 0.5, (2, 30, 1)), rng.uniform(-1.0, 1.0, 30)
    found = np.array([value for value, _ in aim.answers(similarity, "sum")], dtype=np.float64)
    targets = lower + span * 0.5 * (scaled + 1.0)
    expected = 1.0 - ((targets - found) ** 2).sum() / ((targets - targets.mean()) ** 2).sum()
    assert aim.scores(similarity, scaled)["sum"] == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_the_aim_is_read_back_from_what_is_saved() -> None:
    assert aim_from(Numbers(-2.0, 7.5).to_arrays()) == Numbers(-2.0, 7.5)


def test_the_mean_square_loss_has_the_slope_of_its_finite_difference() -> None:
    loss = loss_named("mse", margin_width=1.0, sharpness=1.0)
    rng = np.random.default_rng(0)
    similarity, targets = rng.uniform(-1.0, 1.0, (6, 1)), rng.uniform(-1.0, 1.0, 6)
    for row in range(6):
        moved = np.zeros_like(similarity)
        moved[row] = 1e-6
        expected = (loss(similarity + moved, targets).mean - loss(similarity - moved, targets).mean) / 2e-6
        assert loss(similarity, targets).slope[row, 0] == pytest.approx(expected, rel=1e-6)


def session(**settings: Any) -> Session:
    device = open_device("twin", ports=8, preset="ideal", mesh={"random_offsets": True})
    return Session(
        device, slope_and_bend(), TrainSettings(**{"steps": 300, "batch": 180, "learning_rate": 0.03} | settings)
    )


def test_a_mesh_learns_a_function_better_than_a_straight_line() -> None:
    running = session()
    list(running.run())
    assert running.trained is not None
    scores = running.network.aim.scores(running.trained.similarity, running.test_wanted)
    assert set(scores) == {"sum", "last"}
    straight = linear_baseline(slope_and_bend())["linear_regression"]
    assert 0.8 < straight < scores["sum"]


def test_a_validation_part_of_numbers_is_held_back_at_random_and_never_trained_on() -> None:
    running = session(validation=0.25, check_every=10, patience=2, steps=40)
    list(running.run())
    assert len(running._validation_rows) == 45
    assert not set(running._validation_rows) & set(running._train_rows)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "margin"}, "loss 'margin' is not for a regression.*allowed: mse"),
        ({"readout": "vote"}, "readout 'vote' is not for a regression"),
    ],
)
def test_what_numbers_do_not_have_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        session(**settings)


def test_targets_that_are_all_the_same_are_refused() -> None:
    data = Dataset.of_values("flat", np.eye(4), np.ones(4), np.eye(4), np.ones(4))
    with pytest.raises(InputError, match="all training targets are 1; there is nothing to learn"):
        Session(open_device("twin", ports=6), data, TrainSettings())


def test_classes_have_no_mean_square() -> None:
    data = Dataset("x", np.eye(4), np.array([0, 1, 0, 1]), np.eye(4), np.array([0, 1, 0, 1]), ("a", "b"))
    with pytest.raises(InputError, match=r"loss 'mse' is not for a classification.*cross-entropy"):
        Session(open_device("twin", ports=6), data, TrainSettings(loss="mse"))


def test_a_regression_run_is_summed_up_evaluated_listed_and_predicts_numbers(tmp_path: Path) -> None:
    table = tmp_path / "bend.csv"
    data = slope_and_bend()
    assert data.train_targets is not None
    rows = [f"{a},{b},{y}" for (a, b), y in zip(data.train_inputs, data.train_targets, strict=True)]
    table.write_text("\n".join(["a,b,y", *rows]))
    unlabelled = tmp_path / "new.csv"
    unlabelled.write_text("a,b\n0.5,0.5\n-0.5,0.1\n")
    cli = CliRunner()
    options = ["--task", "regression", "--steps", "40", "--set", "device.ports=8", "--preset", "ideal", "--json"]
    told = cli.invoke(app, ["train", "--dataset", f"csv:{table}", "--run-dir", str(tmp_path / "runs"), *options])
    assert told.exit_code == 0, told.output
    summary = json.loads(told.output)
    assert set(summary["test_r2"]) == {"sum", "last"}
    assert "test_accuracy" not in summary
    assert set(summary["layers"][0]) >= {"train_r2", "test_r2"}
    assert set(summary["baselines"]) == {"untrained_device", "linear_regression"}
    again = json.loads(cli.invoke(app, ["evaluate", summary["run"], "--json"]).output)
    assert again["test_r2"] == pytest.approx(summary["test_r2"], abs=1e-9)
    predicted = json.loads(cli.invoke(app, ["predict", summary["run"], str(unlabelled), "--json"]).output)
    assert all(
        data.train_targets.min() - 30 < row["value"] < data.train_targets.max() + 30 for row in predicted["predictions"]
    )
    shown = cli.invoke(app, ["runs", "show", summary["run"]]).output
    assert "R²" in shown
    listed = json.loads(cli.invoke(app, ["runs", "list", "--run-dir", str(tmp_path / "runs"), "--json"]).output)
    assert listed["runs"][0]["test_r2"] == pytest.approx(summary["test_r2"]["sum"])
