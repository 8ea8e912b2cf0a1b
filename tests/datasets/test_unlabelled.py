"""Samples to predict: no label is needed; a wrong number of features is refused with both counts."""

from pathlib import Path

import numpy as np
import pytest

from ffzero_lab.datasets import read_unlabelled
from ffzero_lab.errors import InputError


@pytest.mark.parametrize(
    "text",
    [
        "1,2\n3,4\n",
        "u,v\n1,2\n3,4\n",
        "u,y\n1,2\n3,4\n",
        "u,v,y\n1,2,a\n3,4,\n",
        "u,v,label\n1,2,a\n3,4,b\n",
        "0;1;label\n1;2;7\n3;4;8\n",
    ],
    ids=["plain", "header", "feature y", "y ignored", "label ignored", "numbered header"],
)
def test_a_table_with_or_without_header_and_label_column_gives_its_features(tmp_path: Path, text: str) -> None:
    path = tmp_path / "new.csv"
    path.write_text(text)
    np.testing.assert_array_equal(read_unlabelled(path, 2), [[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3\n", r"new\.csv has 3 columns, needed are 2 features"),
        ("1,2,a\n", r"new\.csv has 3 columns, needed are 2 features"),
        ("u,v,w\n1,2,3\n", r"new\.csv has 3 columns, needed are 2 features"),
        ("1\n", r"new\.csv has 1 columns, needed are 2 features"),
        ("u,v\n1,2\n3,nan\n", r"NaN in .*new\.csv, row 3, column 'v'"),
        ("1,x\n", r"row 1 is neither a header nor numbers: column 2 holds 'x'"),
        ("u,v\n", r"new\.csv has no rows"),
        ("u,y,v\n1,,x\n", r"'x' in .*row 2, column 'v' is not a number"),
    ],
)
def test_a_fault_in_a_table_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "new.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_unlabelled(path, 2)


def test_the_array_x_of_an_npz_file_is_read_flattened_and_labels_are_not_needed(tmp_path: Path) -> None:
    path = tmp_path / "new.npz"
    np.savez(path, x=np.arange(8).reshape(2, 2, 2))
    np.testing.assert_array_equal(read_unlabelled(path, 4), np.arange(8.0).reshape(2, 4))
    with pytest.raises(InputError, match=r"new\.npz: 'x' has 4 features per sample, needed are 5"):
        read_unlabelled(path, 5)


def test_another_suffix_is_refused_with_the_allowed_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"suffix '\.xlsx' is unknown; allowed: \.csv, \.tsv, \.txt, \.npz"):
        read_unlabelled(tmp_path / "new.xlsx", 2)
