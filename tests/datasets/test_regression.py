"""Sets whose targets are numbers: the two functions, digits as numbers, and columns of a user's table."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ffzero_lab.datasets import Dataset, load_dataset
from ffzero_lab.errors import InputError


def function1(x1: float, x2: float) -> float:
    return math.sin(x1) + math.cos(x2)


def function2(x1: float, x2: float, x3: float, x4: float, x5: float) -> float:
    return math.exp(x1) * math.sin(x2) + x3 * math.cos(x4) - x5 * x1


FUNCTIONS = [("function1", function1, 2), ("function2", function2, 5)]


def targets(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    assert dataset.train_targets is not None
    assert dataset.test_targets is not None
    return dataset.train_targets, dataset.test_targets


@pytest.mark.parametrize(("name", "function", "n_features"), FUNCTIONS)
def test_test_targets_are_the_function_and_training_targets_have_5_percent_of_noise(name, function, n_features) -> None:
    dataset = load_dataset(name)
    assert dataset.task == "regression"
    assert (dataset.n_train, dataset.n_test, dataset.n_features) == (10_000, 2_000, n_features)
    train, test = targets(dataset)
    np.testing.assert_allclose(test, [function(*row) for row in dataset.test_inputs], rtol=1e-12)
    exact = np.array([function(*row) for row in dataset.train_inputs])
    noise = (train - exact) / (0.05 * exact.std())
    low, high = stats.chi2.interval(0.999, 10_000)
    assert low < (noise**2).sum() < high
    assert abs(noise.mean()) < 3.3 / math.sqrt(10_000)
    assert stats.kstest(noise, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(noise, exact)[0, 1]) < 3.3 / math.sqrt(10_000)


@pytest.mark.parametrize(("name", "function", "n_features"), FUNCTIONS)
def test_points_are_uniform_over_the_cube_and_differ_between_the_parts(name, function, n_features) -> None:
    dataset = load_dataset(name)
    for inputs in (dataset.train_inputs, dataset.test_inputs):
        for column in inputs.T:
            assert stats.kstest(column, "uniform", (-1.0, 2.0)).pvalue > 1e-3
    assert not set(dataset.train_inputs[:, 0].tolist()) & set(dataset.test_inputs[:, 0].tolist())
    assert dataset.fingerprint == load_dataset(name).fingerprint


def test_a_regression_has_targets_and_neither_labels_nor_classes() -> None:
    dataset = load_dataset("function1")
    assert (dataset.n_classes, dataset.train_labels.size, dataset.test_labels.size) == (0, 0, 0)
    digits = load_dataset("digits")
    assert digits.task == "classification"
    assert digits.train_targets is None
    assert (digits.n_train, digits.n_test) == (1437, 360)


def test_digits_can_be_read_as_numbers() -> None:
    classes, values = load_dataset("digits"), load_dataset("digits", task="regression")
    train, test = targets(values)
    np.testing.assert_array_equal(train, classes.train_labels)
    np.testing.assert_array_equal(test, classes.test_labels)
    assert train.dtype == np.float64
    np.testing.assert_array_equal(values.train_inputs, classes.train_inputs)
    assert values.fingerprint != classes.fingerprint
    moved = dataclasses.replace(values, test_targets=np.where(test == 9.0, 9.5, test))
    assert moved.fingerprint != values.fingerprint


def test_mnist_can_be_read_as_numbers(files) -> None:
    values = load_dataset("mnist:8x8", files.write(), "regression")
    assert targets(values)[1].tolist() == [*range(9, -1, -1)] * 2


def test_a_table_of_numbers_is_split_and_keeps_each_target_with_its_row(tmp_path: Path) -> None:
    (tmp_path / "melt.csv").write_text("t,p,y\n" + "".join(f"{i},{2 * i},{i / 8}\n" for i in range(10)))
    dataset = load_dataset("csv:melt.csv", tmp_path, "regression")
    train, test = targets(dataset)
    assert (dataset.n_train, dataset.n_test) == (8, 2)
    np.testing.assert_array_equal(dataset.train_inputs[:, 0] / 8, train)
    np.testing.assert_array_equal(dataset.test_inputs[:, 1] / 16, test)


def test_arrays_are_split_or_keep_their_test_part(tmp_path: Path) -> None:
    x, y = np.arange(20.0).reshape(10, 2), np.linspace(-1.0, 1.0, 10) / 3.0
    np.savez(tmp_path / "one.npz", x=x, y=y)
    train, test = targets(load_dataset("npz:one.npz", tmp_path, "regression"))
    assert sorted([*train, *test]) == y.tolist()
    np.savez(tmp_path / "two.npz", x=x, y=y, x_test=x[:2], y_test=y[:2] + 5.0)
    train, test = targets(load_dataset("npz:two.npz", tmp_path, "regression"))
    np.testing.assert_array_equal(train, y)
    np.testing.assert_array_equal(test, y[:2] + 5.0)


def test_words_are_no_targets(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2,3\n4,5,six\n")
    with pytest.raises(InputError, match=r"a\.csv: the label of sample 2 .* is 'six'; a regression needs numbers"):
        load_dataset("csv:a.csv", tmp_path, "regression")
    (tmp_path / "b.csv").write_text("1,2,3\n")
    with pytest.raises(InputError, match=r"b\.csv has 1 sample; at least 2"):
        load_dataset("csv:b.csv", tmp_path, "regression")
    np.savez(tmp_path / "c.npz", x=np.ones((2, 2)), y=[1.0, 2.0], x_test=np.ones((1, 2)), y_test=["one"])
    with pytest.raises(InputError, match=r"c\.npz: the test label of sample 1 .* is 'one'"):
        load_dataset("npz:c.npz", tmp_path, "regression")
    with pytest.raises(InputError, match=r"'iris' is no regression: its classes \(setosa, .*\) are no numbers"):
        load_dataset("iris", task="regression")


def test_numbers_are_no_classes() -> None:
    with pytest.raises(InputError, match="'function1' is a regression, it has no classes"):
        load_dataset("function1", task="classification")
