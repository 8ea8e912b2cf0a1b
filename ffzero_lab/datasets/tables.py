"""Data sets from a user's own files: CSV and NPZ, labelled for training and unlabelled for prediction."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.datasets._csv import read_labelled_csv, read_unlabelled_csv
from ffzero_lab.datasets._labels import class_indices, label_values, require_samples
from ffzero_lab.datasets._npz import features, label_names, read_arrays
from ffzero_lab.datasets.dataset import Dataset, Task
from ffzero_lab.datasets.split import TEST_FRACTION, split_generator, stratified_split
from ffzero_lab.errors import InputError

_CSV_SUFFIXES = (".csv", ".tsv", ".txt")


def load_csv(path: Path, name: str, task: Task) -> Dataset:
    """Load a table with one sample per row for *task*; `load_dataset` says what it may look like.

    Raises
    ------
    InputError
        For a file, row, column or class that cannot be used; the message names it.
    """
    inputs, names = read_labelled_csv(path)
    return _split_off_test(name, inputs, names, path, task)


def load_npz(path: Path, name: str, task: Task) -> Dataset:
    """Load the arrays ``x`` (S, F) and ``y`` (S,) for *task*, and ``x_test``, ``y_test`` as test part when present.

    Raises
    ------
    InputError
        For a file, array, element or class that cannot be used; the message names it.
    """
    arrays = read_arrays(path)
    inputs = features(arrays, "x", path)
    names = label_names(arrays, "y", inputs.shape[0], path)
    if "x_test" not in arrays and "y_test" not in arrays:
        return _split_off_test(name, inputs, names, path, task)
    if "x_test" not in arrays:
        raise InputError(f"{path} has 'y_test' but no 'x_test'; a test part needs both")

    test_inputs = features(arrays, "x_test", path)
    if test_inputs.shape[1] != inputs.shape[1]:
        raise InputError(f"{path}: 'x_test' has {test_inputs.shape[1]} features per sample, 'x' has {inputs.shape[1]}")
    test_names = label_names(arrays, "y_test", test_inputs.shape[0], path)
    if task == "regression":
        targets, test_targets = label_values(names, path, "label"), label_values(test_names, path, "test label")
        return Dataset.of_values(name, inputs, targets, test_inputs, test_targets)
    labels, classes = class_indices([*names, *test_names], path)
    train_labels, test_labels = labels[: len(names)], labels[len(names) :]
    require_samples(train_labels, classes, 1, path, "in 'y': what stands in 'y_test' only cannot be learned")
    return Dataset(name, inputs, train_labels, test_inputs, test_labels, classes)


def read_unlabelled(path: Path, n_features: int) -> NDArray[np.float64]:
    """Read samples (S, n_features) to predict, from a CSV table or the array ``x`` of an NPZ file.

    A CSV table may keep its label column when a header names it ``label`` or ``y``; it is ignored.

    Raises
    ------
    InputError
        For a file or cell that cannot be used, or another number of features; the message names it.
    """
    suffix = path.suffix.lower()
    if suffix in _CSV_SUFFIXES:
        return read_unlabelled_csv(path, n_features)
    if suffix != ".npz":
        raise InputError(f"{path}: the suffix {suffix!r} is unknown; allowed: {', '.join((*_CSV_SUFFIXES, '.npz'))}")
    inputs = features(read_arrays(path), "x", path)
    if inputs.shape[1] != n_features:
        raise InputError(f"{path}: 'x' has {inputs.shape[1]} features per sample, needed are {n_features}")
    return inputs


def _split_off_test(name: str, inputs: NDArray[np.float64], names: list[str], path: Path, task: Task) -> Dataset:
    if task == "regression":
        targets = label_values(names, path, "label")
        if len(targets) < 2:
            raise InputError(f"{path} has 1 sample; at least 2 are needed (one for training, one for test)")
        train, test = stratified_split(np.zeros(len(targets)), TEST_FRACTION, split_generator())
        return Dataset.of_values(name, inputs[train], targets[train], inputs[test], targets[test])
    labels, classes = class_indices(names, path)
    require_samples(labels, classes, 2, path, "(one for training, one for test)")
    train, test = stratified_split(labels, TEST_FRACTION, split_generator())
    return Dataset(name, inputs[train], labels[train], inputs[test], labels[test], classes)
