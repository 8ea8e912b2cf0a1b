"""The shipped data sets, the lookup by name, and the fingerprint of a data set."""

import dataclasses
import subprocess
import sys
from importlib import resources

import numpy as np
import pytest

from ffzero_lab.datasets import SHIPPED, load_dataset
from ffzero_lab.errors import InputError


def test_digits_have_1437_training_and_360_test_samples_of_64_pixels_within_0_and_1() -> None:
    digits = load_dataset("digits")
    assert digits.name == "digits"
    assert digits.train_inputs.shape == (1437, 64)
    assert digits.test_inputs.shape == (360, 64)
    assert digits.train_inputs.dtype == np.float64
    assert digits.train_labels.dtype == np.int64
    assert (digits.train_inputs.min(), digits.train_inputs.max()) == (0.0, 1.0)
    assert digits.classes == tuple("0123456789")
    assert (digits.n_features, digits.n_classes) == (64, 10)


def test_digits_keep_the_class_counts_of_the_published_test_part() -> None:
    # optdigits.names (UCI 1998): samples per class in optdigits.tes.
    published = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    digits = load_dataset("digits")
    train, test = (np.bincount(labels) for labels in (digits.train_labels, digits.test_labels))
    np.testing.assert_array_equal(train + test, published)
    assert (np.abs(test - np.array(published) / 5) < 1.0).all()


def test_a_nearest_prototype_finds_most_test_digits_so_images_and_labels_belong_together() -> None:
    digits = load_dataset("digits")
    means = np.stack([digits.train_inputs[digits.train_labels == c].mean(axis=0) for c in range(10)])
    nearest = np.argmin(((digits.test_inputs[:, None] - means) ** 2).sum(axis=2), axis=1)
    assert (nearest == digits.test_labels).mean() > 0.85


def whole(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of both parts together."""
    loaded = load_dataset(name)
    return np.vstack([loaded.train_inputs, loaded.test_inputs]), np.concatenate(
        [loaded.train_labels, loaded.test_labels]
    )


def test_iris_has_the_class_means_that_fisher_published() -> None:
    # Fisher (1936), Table II: mean sepal length, sepal width, petal length, petal width in cm, 50 plants each.
    published = {
        "setosa": (5.006, 3.428, 1.462, 0.246),
        "versicolor": (5.936, 2.770, 4.260, 1.326),
        "virginica": (6.588, 2.974, 5.552, 2.026),
    }
    iris = load_dataset("iris")
    inputs, labels = whole("iris")
    assert iris.classes == tuple(published)
    assert (iris.train_inputs.shape, iris.test_inputs.shape) == ((105, 4), (45, 4))
    assert np.bincount(iris.test_labels).tolist() == [15, 15, 15]
    for number, means in enumerate(published.values()):
        assert (labels == number).sum() == 50
        np.testing.assert_allclose(inputs[labels == number].mean(axis=0), means, atol=1e-12)


def test_iris_reads_as_in_fishers_paper_where_the_repository_is_wrong() -> None:
    rows = [tuple(row) for row in whole("iris")[0].tolist()]
    assert (4.9, 3.6, 1.4, 0.1) in rows  # the 38th; the repository has 3.1, 1.5
    assert rows.count((4.9, 3.1, 1.5, 0.2)) == 1  # the 35th; the repository has a width of 0.1
    assert rows.count((4.9, 3.1, 1.5, 0.1)) == 1  # the 10th


def test_wine_has_the_counts_and_the_ranges_of_its_published_description() -> None:
    wine = load_dataset("wine")
    inputs, labels = whole("wine")
    assert (wine.train_inputs.shape, wine.test_inputs.shape) == ((124, 13), (54, 13))
    assert np.bincount(labels).tolist() == [59, 71, 48]  # wine.names, UCI
    assert (np.abs(np.bincount(wine.test_labels) - 0.3 * np.bincount(labels)) < 1.0).all()
    assert (inputs[:, 0].min(), inputs[:, 0].max()) == (11.03, 14.83)  # alcohol in % by volume
    assert (inputs[:, 12].min(), inputs[:, 12].max()) == (278.0, 1680.0)  # proline in mg/l


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("DIGITS", ["E. Alpaydin and C. Kaynak", "1998", "https://doi.org/10.24432/C50P49"]),
        ("IRIS", ["R. A. Fisher", "1936", "https://doi.org/10.24432/C56C76"]),
        ("WINE", ["S. Aeberhard and M. Forina", "1992", "https://doi.org/10.24432/C5PC7J"]),
    ],
)
def test_a_licence_stands_beside_each_file_and_credits_the_authors(file: str, words: list[str]) -> None:
    text = resources.files("ffzero_lab.datasets").joinpath(f"{file}-LICENCE.txt").read_text(encoding="utf-8")
    for word in [*words, f"{file.lower()}.npz holds", "UCI Machine Learning Repository", "CC BY 4.0", "scikit-learn"]:
        assert word in text


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_shipped_set_has_all_classes_or_targets_in_both_parts_and_finite_inputs(name: str) -> None:
    dataset = load_dataset(name)
    for n, inputs, labels, targets in (
        (dataset.n_train, dataset.train_inputs, dataset.train_labels, dataset.train_targets),
        (dataset.n_test, dataset.test_inputs, dataset.test_labels, dataset.test_targets),
    ):
        assert inputs.shape == (n, dataset.n_features)
        assert np.isfinite(inputs).all()
        assert labels.size == (n if dataset.task == "classification" else 0)
        assert set(labels.tolist()) == set(range(dataset.n_classes))
        assert targets is None or (targets.shape == (n,) and np.isfinite(targets).all())


def test_an_unknown_name_gets_the_near_match_and_the_ways_to_name_a_file() -> None:
    with pytest.raises(InputError, match=r"'digit' is unknown \(did you mean 'digits'\?\).*csv:PATH.*npz:PATH"):
        load_dataset("digit")


def test_a_file_specification_without_a_path_is_refused() -> None:
    with pytest.raises(InputError, match="'csv:' names no file; write csv:PATH"):
        load_dataset("csv:")


def test_the_fingerprint_is_stable_ignores_the_name_and_sees_every_content() -> None:
    digits = load_dataset("digits")
    same = dataclasses.replace(digits, name="other", train_inputs=np.asfortranarray(digits.train_inputs))
    assert same.fingerprint == load_dataset("digits").fingerprint
    assert len(digits.fingerprint) == 64

    moved = digits.test_inputs.copy()
    moved[0, 0] += 1e-15
    changes = [
        dataclasses.replace(digits, test_inputs=moved),
        dataclasses.replace(digits, train_labels=digits.train_labels[::-1]),
        dataclasses.replace(digits, classes=tuple("abcdefghij")),
        dataclasses.replace(digits, train_inputs=digits.train_inputs.reshape(-1, 32)),
    ]
    assert len({digits.fingerprint, *(changed.fingerprint for changed in changes)}) == 5


def test_importing_the_package_loads_neither_pandas_nor_scikit_learn_nor_scipy_nor_pooch() -> None:
    code = (
        "import sys, ffzero_lab.datasets; "
        "print([m for m in ('pandas', 'sklearn', 'scipy', 'matplotlib', 'pooch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
