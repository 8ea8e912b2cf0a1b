"""MNIST and Fashion-MNIST from IDX files: where they are found, and each way in which they can be wrong."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffzero_lab.datasets import Dataset, anchored, load_dataset
from ffzero_lab.errors import InputError

FIRST_OF_FASHION = np.array([9, 2, 1, 1, 6, 1, 4, 6, 5, 7] * 2, dtype=np.uint8)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("form", ["{}-{}-idx{}-ubyte", "{}-{}.idx{}-ubyte"])
@pytest.mark.parametrize("folder", ["", "mnist"])
def test_files_are_found_plain_and_gzipped_under_either_spelling(files, folder: str, form: str, zipped: bool) -> None:
    files.write(folder, form, zipped)
    dataset = load_dataset("mnist", files.root)
    expected = files.drawings(30, 1).reshape(30, 784) / 255.0
    assert (expected.min(), expected.max()) == (0.0, 1.0)
    low, high = expected.min(axis=1, keepdims=True), expected.max(axis=1, keepdims=True)
    np.testing.assert_allclose(dataset.train_inputs, (expected - low) / (high - low), rtol=1e-6)
    assert dataset.train_labels.tolist() == [*range(10)] * 3
    assert dataset.test_labels.tolist() == [*range(9, -1, -1)] * 2
    assert dataset.test_inputs.shape == (20, 784)
    assert dataset.classes == tuple("0123456789")
    assert dataset.name == "mnist"


def test_a_gzipped_file_without_its_suffix_is_read_as_well(files) -> None:
    folder = files.write()
    for path in folder.iterdir():
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert load_dataset("mnist", folder).train_inputs.shape == (30, 784)


def test_views_are_asked_for_behind_the_name(files) -> None:
    folder = files.write()
    for spec, n_features in (("mnist:8x8", 64), ("mnist:crop8x8", 64), ("mnist:fourier8x8", 128), ("mnist:4x4", 16)):
        dataset = load_dataset(spec, folder)
        assert dataset.name == spec
        assert (dataset.n_features, dataset.test_inputs.shape[1]) == (n_features, n_features)
    crop = files.drawings(20, 2)[:, 10:18, 10:18].reshape(20, 64).astype(np.float64)
    low, high = crop.min(axis=1, keepdims=True), crop.max(axis=1, keepdims=True)
    np.testing.assert_allclose(load_dataset("mnist:crop8x8", folder).test_inputs, (crop - low) / (high - low))


def test_the_variable_names_the_folder_unless_one_is_given(files, monkeypatch: pytest.MonkeyPatch) -> None:
    here = files.write("here/mnist")
    files.write("there/mnist", t10k_labels=files.idx(np.full(20, 3, dtype=np.uint8)))
    monkeypatch.setenv("FFZERO_DATA", str(here.parent))
    assert load_dataset("mnist").test_labels[0] == 9
    assert load_dataset("mnist", files.root / "there").test_labels[0] == 3
    monkeypatch.setenv("FFZERO_DATA", "")
    with pytest.raises(InputError, match=r"no folder is named by --data-dir or FFZERO_DATA; .*datasets fetch mnist"):
        load_dataset("mnist")


def test_a_set_in_a_folder_of_its_name_goes_before_one_beside_it(files) -> None:
    files.write()
    files.write("fashion-mnist", t10k_labels=files.idx(FIRST_OF_FASHION))
    fashion = load_dataset("fashion-mnist", files.root)
    assert fashion.test_labels[:3].tolist() == [9, 2, 1]
    assert fashion.classes[9] == "Ankle boot"
    assert load_dataset("mnist", files.root).test_labels[:3].tolist() == [9, 8, 7]


def test_the_files_of_one_set_are_not_taken_for_the_other(files) -> None:
    folder = files.write(t10k_labels=files.idx(FIRST_OF_FASHION))
    with pytest.raises(InputError, match=r"holds the files of fashion-mnist, expected those of mnist"):
        load_dataset("mnist", folder)
    assert load_dataset("fashion-mnist", folder).n_classes == 10


def test_no_file_at_all_names_the_folders_and_the_way_to_get_them(files) -> None:
    with pytest.raises(InputError, match=r"no file of it is in .*/nowhere/mnist and .*/nowhere; .*fetch mnist"):
        load_dataset("mnist:8x8", files.root / "nowhere")


def test_a_wrong_view_is_told_before_any_file_is_read(files) -> None:
    with pytest.raises(InputError, match=r"'mnist:8': '8' is no view"):
        load_dataset("mnist:8", files.root)


Content = Callable[[Any], bytes | None]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t10k_labels", lambda f: None, r"no such file: .*t10k-labels-idx1-ubyte"),
        ("train_images", lambda f: b"", r"train-images-idx3-ubyte is empty \(0 bytes\)"),
        ("train_images", lambda f: f.idx(f.drawings(30))[:-1], r"train-images.* is truncated: 23535 .* expected 23536"),
        (
            "train_images",
            lambda f: f.idx(f.drawings(30)) + b"\0",
            r"train-images.* has bytes left over: 23537 bytes, e",
        ),
        ("train_images", lambda f: f.idx(f.drawings(30))[:9], r"train-images.* is truncated: 9 bytes, expected a head"),
        ("train_images", lambda f: b"<!DOCTYPE html>", r"train-images.* is not an IDX file: .*0x3c21444f.* 0x00000803"),
        ("train_labels", lambda f: b"PK\3\4archive", r"train-labels.* is not an IDX file: .* expected 0x00000801"),
        ("train_labels", lambda f: b"\0\0\x08", r"train-labels.* is not an IDX file: it begins with 0x000008, expec"),
        (
            "train_images",
            lambda f: f.idx(np.arange(30, dtype=np.uint8)),
            r"train-images.* holds labels .*expected imag",
        ),
        ("t10k_labels", lambda f: f.idx(f.drawings(20)), r"t10k-labels.* holds images .*, expected labels"),
        ("t10k_labels", lambda f: f.idx(np.ones((4, 5), np.uint8)), r"t10k-labels.* holds an array of 2 dimensions"),
        (
            "t10k_labels",
            lambda f: f.idx(np.arange(20, dtype=">f4"), 0x0D),
            r"t10k-labels.* holds 32-bit floating.*unsig",
        ),
        (
            "t10k_labels",
            lambda f: f.idx(np.arange(20, dtype=np.uint8), 0x07),
            r"t10k-labels.* unknown type 0x07, expec",
        ),
        (
            "train_images",
            lambda f: f.idx(f.drawings(0)),
            r"train-images.* array of \(0, 28, 28\), expected at least one",
        ),
        ("t10k_images", lambda f: f.idx(f.drawings(20, 1, 32)), r"t10k-images.* of 32 x 32 pixels, expected 28 x 28"),
        ("t10k_images", lambda f: f.idx(f.drawings(19)), r"t10k-labels.* holds 20 labels, expected 19 .*t10k-images"),
        (
            "train_labels",
            lambda f: f.idx(np.full(30, 10, np.uint8)),
            r"train-labels.*: label 1 .* is 10, expected 0 to 9",
        ),
        (
            "train_images",
            lambda f: gzip.compress(f.idx(f.drawings(30)))[:999],
            r"train-images.* is a corrupt gzip file",
        ),
        (
            "train_images",
            lambda f: gzip.compress(f.idx(f.drawings(30)))[:-8] + bytes(8),
            r"train-images.* is a corrupt gzip file: CRC",
        ),
        ("train_images", lambda f: b"\x1f\x8b\x08garbage, not gzip", r"train-images.* is a corrupt gzip file"),
    ],
)
def test_a_fault_is_one_message_with_file_found_and_expected(files, name: str, content: Content, message: str) -> None:
    folder = files.write(**{name: content(files)})
    with pytest.raises(InputError, match=message):
        load_dataset("mnist", folder)


def test_a_run_is_told_where_its_data_set_stands_whatever_the_folder_and_the_environment(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FFZERO_DATA", "data")
    assert anchored("mnist:8x8", None) == tmp_path / "data"
    assert anchored("mnist", Path("elsewhere")) == tmp_path / "elsewhere"
    assert anchored("csv:x.csv", None) == tmp_path
    assert anchored("csv:x.csv", Path("sub")) == tmp_path / "sub"
    assert anchored("digits", None) is None
    monkeypatch.delenv("FFZERO_DATA")
    assert anchored("mnist", None) is None


@pytest.fixture(scope="module")
def real() -> Dataset:
    if not os.environ.get("FFZERO_DATA"):
        pytest.skip("no MNIST: FFZERO_DATA names no folder")
    return load_dataset("mnist")


def test_the_real_mnist_has_its_published_counts_and_statistics(real: Dataset) -> None:
    # Samples of each digit, as published with the set; mean and deviation of pixels divided by 255, as widely quoted:
    # a few images end below 255 and are stretched a little.
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(real.train_labels).tolist() == train
    assert np.bincount(real.test_labels).tolist() == test
    assert real.train_inputs.dtype == np.float32
    assert real.train_inputs.mean(dtype=np.float64) == pytest.approx(0.1307, abs=3e-4)
    assert real.train_inputs.std(dtype=np.float64) == pytest.approx(0.3081, abs=3e-4)


def test_the_real_mnist_pooled_to_8x8_keeps_its_classes_apart(real: Dataset) -> None:
    small = load_dataset("mnist:8x8")
    assert small.train_inputs.dtype == np.float64
    assert (small.train_inputs.min(axis=1) == 0.0).all()
    assert (small.train_inputs.max(axis=1) == 1.0).all()
    means = np.stack([small.train_inputs[small.train_labels == digit].mean(axis=0) for digit in range(10)])
    distance = (means**2).sum(axis=1) - 2.0 * small.test_inputs @ means.T
    nearest_mean = (distance.argmin(axis=1) == real.test_labels).mean()
    assert nearest_mean == pytest.approx(0.82, abs=0.02)  # 0.8203 on all 784 pixels (LeCun's data, nearest class mean)
