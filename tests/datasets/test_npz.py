"""NPZ files: arrays x and y, an optional test part, and faults named with file, array, row and column."""

from pathlib import Path

import numpy as np
import pytest

from ffzero_lab.datasets import load_dataset
from ffzero_lab.errors import InputError

X = np.arange(20.0).reshape(10, 2)
Y = np.arange(10) % 2


def with_value(value: float) -> np.ndarray:
    x = X.copy()
    x[3, 1] = value
    return x


def load(folder: Path, **arrays: object):
    np.savez_compressed(folder / "data.npz", **arrays)
    return load_dataset("npz:data.npz", folder)


def test_without_a_test_part_a_fifth_of_each_class_is_set_aside(tmp_path: Path) -> None:
    dataset = load(tmp_path, x=X, y=Y)
    assert dataset.name == "npz:data.npz"
    assert dataset.test_labels.tolist() == [0, 1] or dataset.test_labels.tolist() == [1, 0]
    inputs = np.vstack([dataset.train_inputs, dataset.test_inputs])
    assert sorted(inputs.tolist()) == X.tolist()
    labels = np.concatenate([dataset.train_labels, dataset.test_labels])
    np.testing.assert_array_equal(labels, inputs[:, 0] / 2 % 2)


def test_a_test_part_is_kept_as_it_is_and_images_are_flattened_row_by_row(tmp_path: Path) -> None:
    images = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    dataset = load(tmp_path, x=images, y=["b", "a"], x_test=images[:1], y_test=["b"])
    assert dataset.train_inputs[1].tolist() == list(range(12, 24))
    assert dataset.train_inputs.dtype == np.float64
    assert dataset.classes == ("a", "b")
    assert dataset.train_labels.tolist() == [1, 0]
    assert dataset.test_labels.tolist() == [1]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([10, 9] * 5, ("9", "10")),
        ([0.5, -1.0] * 5, ("-1", "0.5")),
        ([True, False] * 5, ("0", "1")),
        (np.array([1, 2] * 5, dtype=np.longdouble), ("1", "2")),
        (["10", "9"] * 5, ("9", "10")),
    ],
    ids=["integers", "floats", "booleans", "long doubles", "numeric text"],
)
def test_labels_of_any_plain_type_name_the_classes(tmp_path: Path, labels, classes: tuple[str, ...]) -> None:
    assert load(tmp_path, x=X, y=labels).classes == classes


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": with_value(np.nan), "y": Y}, r"NaN in .*data\.npz, array 'x', row 4, column 2"),
        ({"x": with_value(-np.inf), "y": Y}, r"infinity in .*data\.npz, array 'x', row 4, column 2"),
        (
            {"x": X, "y": Y, "x_test": with_value(np.nan), "y_test": Y},
            r"NaN in .*array 'x_test', row 4, column 2",
        ),
        ({"x": X, "y": np.where(Y, np.nan, 1.0)}, r"NaN in .*data\.npz, array 'y', row 2"),
        ({"x": X, "y": Y[:9]}, r"array 'y' has shape \(9,\); needed: \(10,\)"),
        ({"x": X, "y": np.eye(2)[Y]}, r"array 'y' has shape \(10, 2\); needed: \(10,\)"),
        ({"x": X}, r"data\.npz has no array 'y'"),
        ({"y": Y, "x_train": X}, r"data\.npz has no array 'x'; it holds: y, x_train"),
        ({"x": X[:, 0], "y": Y}, r"array 'x' has shape \(10,\)"),
        ({"x": X[:0], "y": Y[:0]}, r"array 'x' has shape \(0, 2\)"),
        ({"x": X + 1j, "y": Y}, r"array 'x' has type complex128; allowed: integers and floating"),
        ({"x": X, "y": Y + 1j}, r"array 'y' has type complex128; allowed"),
        ({"x": X.astype(object), "y": Y}, r"data\.npz .*holds Python objects"),
        ({"x": X, "y": Y, "x_test": X[:, :1], "y_test": Y}, r"'x_test' has 1 features per sample, 'x' has 2"),
        ({"x": X, "y": Y, "x_test": X}, r"no array 'y_test'"),
        ({"x": X, "y": Y, "y_test": Y}, r"has 'y_test' but no 'x_test'"),
        (
            {"x": X, "y": Y, "x_test": X, "y_test": Y + 1},
            r"class '2' has 0 sample\(s\); at least 1 needed in 'y'",
        ),
        ({"x": X, "y": Y * 0}, r"one class only \('0'\)"),
        ({"x": X, "y": [0] * 9 + [1]}, r"class '1' has 1 sample\(s\); at least 2"),
    ],
)
def test_a_fault_is_named_with_file_array_row_and_column(tmp_path: Path, arrays, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path, **arrays)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "garbage", "single array"])
def test_a_corrupt_file_is_one_input_error(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "data.npz"
    np.savez_compressed(path, x=X, y=Y)
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[60:90] = bytes(30)
    elif damage == "garbage":
        content = bytearray(b"not a zip archive")
    else:
        np.save(tmp_path / "one.npy", X)
        content = bytearray((tmp_path / "one.npy").read_bytes())
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"data\.npz is (a corrupt|not an) NPZ file"):
        load_dataset("npz:data.npz", tmp_path)
