"""Directions along the leading axes of the inputs: what they span, what they leave alone, bounds that hold."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from ffzero_lab import open_device
from ffzero_lab.datasets import Dataset, load_dataset
from ffzero_lab.device import LayerDescription, ParameterGroup, Reach
from ffzero_lab.errors import InputError
from ffzero_lab.training import Session, TrainSettings
from ffzero_lab.training.subspace import AlongAxes, EachParameter, coordinates_of, leading_axes, narrowed, weights_of

FloatArray = NDArray[np.float64]
N_INPUTS, N_OUTPUTS = 5, 3


def dense(*, dead: tuple[int, ...] = (), shape: tuple[int, ...] = (N_INPUTS, N_OUTPUTS), **options: Any):
    size = int(np.prod(shape))
    column = np.concatenate([np.zeros(2, dtype=int), np.arange(size) % N_OUTPUTS, np.arange(N_OUTPUTS)])
    groups = (("gain", (2,), {}), ("weights", shape, options), ("bias", (N_OUTPUTS,), {}))
    return LayerDescription(
        input_shape=(N_INPUTS,),
        input_lower=-1.0,
        input_upper=1.0,
        input_unit="V",
        output_shape=(N_OUTPUTS,),
        output_upper=1.0,
        output_unit="V",
        one_sign=False,
        groups=tuple(
            ParameterGroup(name=name, shape=of_group, unit="S", upper=2.0, **{"lower": -2.0} | more)
            for name, of_group, more in groups
        ),
        dead=dead,
        reach=Reach(column, column + 1, N_OUTPUTS),
    )


def patterns(n: int = 9000) -> FloatArray:
    rng = np.random.default_rng(2)
    return rng.normal(size=(n, N_INPUTS)) * [1.0, 3.0, 0.5, 2.0, 0.1] @ rng.normal(size=(N_INPUTS, N_INPUTS)) + 7.0


def session(settings: dict[str, Any], dataset: Dataset | None = None, **options: Any) -> Session:
    device = open_device("twin:crossbar", **({"preset": "ideal", "sizes": (4, 6)} | options))
    chosen: dict[str, Any] = {"steps": 12, "batch": 40, "baselines": False} | settings
    return Session(device, dataset or load_dataset("iris"), TrainSettings(**chosen))


def trained_weights(running: Session) -> tuple[FloatArray, FloatArray]:
    """Return the weights (4, 6) of the first layer before and after training."""
    before = running.network.layers[0].parameters[:24].reshape(4, 6)
    list(running.run())
    return before, running.network.layers[0].parameters[:24].reshape(4, 6)


def test_axes_are_the_singular_vectors_of_the_centred_inputs_in_the_rows_given() -> None:
    staged, rows = patterns(), np.arange(0, 9000, 2)
    axes = leading_axes(staged, rows, 3)
    centred = staged[rows] - staged[rows].mean(axis=0)
    expected = np.linalg.svd(centred, full_matrices=False)[2][:3]
    assert_allclose(np.abs(expected @ axes), np.eye(3) * (N_INPUTS / 3) ** 0.5, atol=1e-9)


def test_moves_are_those_of_a_matrix_product_and_keep_the_amplitude() -> None:
    moved = coordinates_of(dense(), patterns(), np.arange(9000), 2)
    assert isinstance(moved, AlongAxes)
    rng = np.random.default_rng(0)
    drawn = rng.choice([-1.0, 1.0], (4000, 2 + 2 * N_OUTPUTS + 3))
    spread = moved.spread(drawn)
    assert_array_equal(spread[:, :2], drawn[:, :2])
    assert_array_equal(spread[:, -3:], drawn[:, -3:])
    expected = moved.axes @ drawn[7, 2:8].reshape(2, N_OUTPUTS)
    assert_allclose(spread[7, 2:17].reshape(N_INPUTS, N_OUTPUTS), expected)
    rms = moved.rms(np.ones(11))
    assert_allclose(np.sqrt(np.mean(rms[2:17] ** 2)), 1.0)
    assert_allclose(np.sqrt((spread**2).mean(axis=0)), rms, rtol=0.06)


def test_a_coefficient_reaches_what_its_weights_reach() -> None:
    described = dense()
    moved = coordinates_of(described, patterns(), np.arange(9000), 2)
    reach = narrowed(described.reach, moved)
    assert reach is not None
    for coordinate, unit in enumerate(np.eye(11)):
        touched = np.flatnonzero(moved.spread(unit))
        assert described.reach is not None
        assert set(described.reach.first[touched]) == {reach.first[coordinate]}
        assert set(described.reach.stop[touched]) == {reach.stop[coordinate]}


def test_dead_weights_and_dead_parameters_beside_them_stay() -> None:
    moved = coordinates_of(dense(dead=(1, 4, 18)), patterns(), np.arange(9000), 2)
    directions = np.zeros(11)
    for group in moved.groups:
        directions[group] = 1.0
    assert_array_equal(np.flatnonzero(moved.spread(directions) == 0.0), [1, 4, 18])


@pytest.mark.parametrize(
    "described",
    [dense(shape=(N_OUTPUTS, N_INPUTS)), dense(shape=(15,)), dense(scale="square", lower=0.0), dense(period=2.0)],
    ids=["outputs first", "no axes", "not linear", "periodic"],
)
def test_other_groups_move_parameter_by_parameter(described: LayerDescription) -> None:
    assert weights_of(described) is None
    assert isinstance(coordinates_of(described, patterns(), np.arange(9000), 2), EachParameter)


def test_all_axes_with_plain_descent_go_where_every_parameter_goes() -> None:
    exact = {"optimizer": "sgd", "directions": "coordinate", "directions_per_step": 30, "epsilon": 1e-5, "steps": 3}
    (before, plain), (_, along) = (trained_weights(session({**exact, **more})) for more in ({}, {"subspace": 4}))
    assert np.abs(plain - before).max() > 1e-3
    assert_allclose(along, plain, atol=1e-6)


@pytest.mark.parametrize("slopes", ["attributed", "total"])
def test_training_changes_weights_only_along_the_axes_and_learns(slopes: str) -> None:
    running = session({"subspace": 2, "slopes": slopes, "steps": 400}, activation="tanh")
    inputs = running.network.encoder.encode(running.dataset.train_inputs).patterns
    axes = leading_axes(inputs, np.arange(len(inputs)), 2)
    before, after = trained_weights(running)
    outside = np.eye(4) - axes @ axes.T / 2.0  # the columns of A have norm √(4/2)
    assert np.abs(after - before).max() > 0.1
    assert_allclose(outside @ (after - before), 0.0, atol=1e-9)
    assert running.trained is not None
    assert running.network.aim.scores(running.trained.similarity, running.test_wanted)["sum"] > 0.8


def test_weights_that_reach_a_bound_stop_there() -> None:
    running = session({"subspace": 2, "learning_rate": 0.5, "epsilon": 0.01}, weight_range=0.5)
    list(running.run())
    assert running.progress is not None
    assert running.progress.layers[0][0].projected > 0
    assert np.abs(running.network.layers[0].parameters).max() <= 0.25


def test_directions_too_large_for_the_range_are_refused_with_the_remedy() -> None:
    with pytest.raises(InputError, match=r"layer 0: along 1 axes .* leaves no room .* smaller epsilon"):
        list(session({"subspace": 1, "epsilon": 0.3}).run())


def test_the_later_layers_of_a_cascade_whose_inputs_nobody_knows_move_by_themselves() -> None:
    running = session({"subspace": 2, "steps": 2}, sizes=(4, 4, 4), topology="cascaded")
    states = [state[0] for _ in running.run() if (state := running.state()) is not None]
    assert ["trainer.axes" in state for state in states if "trainer.parameters" in state] == [True, True, False, False]


def test_a_device_without_weights_is_refused() -> None:
    with pytest.raises(InputError, match=r"subspace: no layer of .* has a parameter group of shape"):
        Session(open_device("twin", ports=8), load_dataset("iris"), TrainSettings(subspace=3))


def test_slopes_are_pulled_back_by_what_spreads_moves() -> None:
    moved = coordinates_of(dense(dead=(1, 3, 18)), patterns(), np.arange(9000), 2)
    rng = np.random.default_rng(1)
    step, slopes = rng.normal(size=len(moved.stands_for)), rng.normal(size=moved.described.n_parameters)
    living = np.isin(np.arange(len(slopes)), moved.described.alive)
    step[~np.isin(np.arange(len(step)), np.concatenate(moved.groups))] = 0.0
    assert moved.spread(step) @ slopes == pytest.approx(step @ moved.pull(slopes))
    assert moved.spread(step) @ np.where(living, 0.0, slopes) == 0.0
