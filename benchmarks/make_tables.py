"""Makes ffzero_lab/datasets/iris.npz and wine.npz from scikit-learn's copies; run once, kept as a record.

Usage: ``python benchmarks/make_tables.py`` in an environment with scikit-learn. The split takes 30 % of each class with
the generator of `ffzero_lab.datasets.split`, stored so that it outlives that code.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris, load_wine

from ffzero_lab.datasets.split import SPLIT_SEED, split_generator, stratified_split

FOLDER = Path(__file__).parent.parent / "ffzero_lab" / "datasets"
TEST_FRACTION = 0.3


def main() -> None:
    """Write features (S, F), labels (S,) as bytes, class names, and the mask of the test part."""
    for name, load, classes in (
        ("iris", load_iris, ("setosa", "versicolor", "virginica")),
        ("wine", load_wine, ("cultivar 1", "cultivar 2", "cultivar 3")),
    ):
        features, labels = load(return_X_y=True)
        _, test = stratified_split(labels, TEST_FRACTION, split_generator())
        is_test = np.zeros(labels.size, dtype=np.bool_)
        is_test[test] = True
        arrays = {"features": features, "labels": labels.astype(np.uint8), "is_test": is_test}
        np.savez_compressed(FOLDER / f"{name}.npz", classes=np.array(classes), **arrays)
        print(f"{name}: {(~is_test).sum()} training, {is_test.sum()} test, seed {SPLIT_SEED}")
        print(f"test part per class: {np.bincount(labels[is_test])}")


if __name__ == "__main__":
    main()
