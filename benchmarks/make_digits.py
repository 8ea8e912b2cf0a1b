"""Makes ffzero_lab/datasets/digits.npz from scikit-learn's digits; run once, kept as a record.

Usage: ``python benchmarks/make_digits.py`` in an environment with scikit-learn. The split is the fixed one
of `ffzero_lab.datasets.split` (its seed, a fifth of each class), stored so that it outlives that code.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from ffzero_lab.datasets.split import SPLIT_SEED, TEST_FRACTION, split_generator, stratified_split

TARGET = Path(__file__).parent.parent / "ffzero_lab" / "datasets" / "digits.npz"


def main() -> None:
    """Write images (1797, 64) and labels (1797,) as bytes, and the mask of the test part."""
    images, labels = load_digits(return_X_y=True)
    _, test = stratified_split(labels, TEST_FRACTION, split_generator())
    is_test = np.zeros(labels.size, dtype=np.bool_)
    is_test[test] = True
    np.savez_compressed(TARGET, images=images.astype(np.uint8), labels=labels.astype(np.uint8), is_test=is_test)
    print(f"{TARGET}: {(~is_test).sum()} training, {is_test.sum()} test, seed {SPLIT_SEED}")
    print(f"test part per class: {np.bincount(labels[is_test])}")


if __name__ == "__main__":
    main()
