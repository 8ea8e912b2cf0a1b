"""CSV tables: what is accepted, and that each fault is named with file, row and column."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffzero_lab.datasets import Dataset, load_dataset
from ffzero_lab.datasets.tables import load_csv
from ffzero_lab.errors import InputError

ROWS = "1,10,a\n2,20,b\n3,30,a\n4,40,b\n"


@pytest.fixture
def load(tmp_path: Path):
    def write_and_load(text: str | bytes, name: str = "data.csv") -> Dataset:
        content = text.encode() if isinstance(text, str) else text
        (tmp_path / name).write_bytes(content)
        return load_dataset(f"csv:{name}", tmp_path)

    return write_and_load


def samples(dataset: Dataset) -> set[tuple[float | str, ...]]:
    """All samples as (features..., class name), wherever the split put them."""
    inputs = np.vstack([dataset.train_inputs, dataset.test_inputs]).tolist()
    labels = np.concatenate([dataset.train_labels, dataset.test_labels])
    return {(*row, dataset.classes[label]) for row, label in zip(inputs, labels, strict=True)}


EXPECTED = {(1.0, 10.0, "a"), (2.0, 20.0, "b"), (3.0, 30.0, "a"), (4.0, 40.0, "b")}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(ROWS, id="plain"),
        pytest.param("u,v,kind\n" + ROWS, id="header"),
        pytest.param("0,1,label\n" + ROWS, id="numbered header"),
        pytest.param("u,v,kind\n\n" + ROWS.replace("\n", "\r\n") + "\n  \n", id="blank lines, CRLF"),
        pytest.param(ROWS.replace(",", ";"), id="semicolon"),
        pytest.param(ROWS.replace(",", "\t"), id="tab"),
        pytest.param("\ufeff" + ROWS, id="byte order mark"),
        pytest.param(ROWS.replace("a", '"a"').replace("0,", "0 ,"), id="quotes and spaces"),
        pytest.param("Label;u;v\na;1;10\nb;2;20\na;3;30\nb;4;40\n", id="label first"),
        pytest.param("u,y,v\n1,a,10\n2,b,20\n3,a,30\n4,b,40\n", id="y between"),
    ],
)
def test_a_table_is_read_whatever_its_header_delimiter_and_label_column(load, text: str) -> None:
    dataset = load(text)
    assert samples(dataset) == EXPECTED
    assert dataset.classes == ("a", "b")
    assert dataset.name == "csv:data.csv"


def test_classes_sort_numerically_when_all_are_numbers_and_alphabetically_otherwise(load) -> None:
    assert load("1,10\n2,9\n3,10.0\n4,9\n").classes == ("9", "10")
    assert load("1,10\n2,9\n3,10\n4,9\n5,x\n6,x\n").classes == ("10", "9", "x")


def test_whole_labels_are_told_apart_beyond_the_precision_of_floats(load) -> None:
    identifiers = ("9007199254740992", "9007199254740993", "10000000000000000")
    assert load("".join(f"1,{label}\n2,{label}\n" for label in reversed(identifiers))).classes == identifiers
    assert load("1,1e16\n2,10000000000000000\n3,-0.0\n4,0\n").classes == ("0", "10000000000000000")


def test_digits_with_underscores_are_a_word(load) -> None:
    assert load("1,1_000\n2,1000\n3,1_000\n4,1000\n").classes == ("1000", "1_000")


def test_a_class_named_y_in_the_first_row_is_a_sample_not_a_header(load) -> None:
    dataset = load("1,10,y\n2,20,n\n3,30,y\n4,40,n\n")
    assert (1.0, 10.0, "y") in samples(dataset)


def test_beside_a_label_column_y_is_a_feature(load) -> None:
    assert samples(load("x,y,label\n" + ROWS)) == EXPECTED


def test_a_relative_path_starts_at_the_working_directory_without_a_data_folder(load, tmp_path, monkeypatch) -> None:
    load(ROWS)
    monkeypatch.chdir(tmp_path)
    assert samples(load_dataset("csv:data.csv")) == EXPECTED
    assert samples(load_dataset(f"csv:{tmp_path / 'data.csv'}", Path("/nonexistent"))) == EXPECTED


def test_the_split_is_the_same_at_every_load_and_takes_a_fifth_of_each_class(load) -> None:
    text = "".join(f"{i},{i % 2}\n" for i in range(100))
    first, again = load(text), load(text)
    assert first.fingerprint == again.fingerprint
    assert np.bincount(first.test_labels).tolist() == [10, 10]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x1,x2,x3,y\n" + "1,2,3,a\n" * 5 + "1,2,nan,a\n", r"NaN in .*data\.csv, row 7, column 'x3'"),
        ("1,2,a\n3,-inf,b\n", r"infinity in .*data\.csv, row 2, column 2;"),
        ("1,2,a\n3,1e999,b\n", r"infinity in .*data\.csv, row 2, column 2;"),
        ("1,,a\n3,4,b\n", r"empty cell in .*data\.csv, row 1, column 2;"),
        ("u,v,y\n1,2,a\n\n3,two,b\n", r"'two' in .*data\.csv, row 4, column 'v' is not a number"),
        ("u,v,y\n1,2,a\n3,1_000,b\n", r"'1_000' in .*row 3, column 'v' is not a number"),
        ("u;v;y\n1;2,5;a\n", r"'2,5' in .*row 2, column 'v' is not a number \(decimal comma"),
        ("u,v,y\n1,2,a\n3,4,\n", r"empty label in .*data\.csv, row 3, column 'y'"),
        ("1,2,1\n3,4,nan\n", r"NaN in .*data\.csv, row 2, column 3; every row needs a label"),
        ("y,u,v\na,1,2\nb,1,x\n", r"'x' in .*row 3, column 'v' is not a number"),
        ("1,2,a\n3,4,b\n5,6\n", r"data\.csv, row 3 has 2 columns, the rows before have 3"),
        ("u,v,y\n1,2,3,a\n", r"data\.csv, row 2 has 4 columns, the rows before have 3"),
        ("1,abc,a\n3,4,b\n", r"data\.csv, row 1 is neither a header nor numbers: column 2 holds 'abc'"),
        ("setosa,1,2\nvirginica,3,4\n", r"row 1 is neither a header nor numbers: column 1 holds 'setosa'"),
        (",u,v,y\n0,1,2,a\n", r"data\.csv, row 1: column 1 has no name in the header"),
        ("", r"data\.csv is empty"),
        ("\n \n", r"data\.csv has no rows"),
        ("u,v,y\n", r"data\.csv has no rows below its header"),
        ("1 2 a\n3 4 b\n", r"data\.csv has one column; .*commas, semicolons or tabs"),
        ("1,2,a\n3,4,a\n", r"data\.csv has one class only \('a'\); at least 2"),
        ("1,a\n2,a\n3,b\n", r"data\.csv: class 'b' has 1 sample\(s\); at least 2 needed"),
        ('1,2,a\n3,4,"b\n', r"data\.csv, row 2 is not CSV"),
        (b"1,2,a\n3,4,\xe9t\xe9\n", r"data\.csv, row 2 is not UTF-8"),
        ("1,2,a\n".encode("utf-16"), r"data\.csv, row 1 is not UTF-8"),
    ],
)
def test_a_fault_is_named_with_file_row_and_column(load, text: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(text)


def test_a_missing_file_is_named_with_its_nearest_neighbour(tmp_path: Path) -> None:
    (tmp_path / "flowers.csv").write_text(ROWS)
    with pytest.raises(InputError, match=r"no such file: .*flower\.csv \(did you mean 'flowers\.csv'\?\)"):
        load_dataset("csv:flower.csv", tmp_path)
    with pytest.raises(InputError, match=r"the folder .*nowhere does not exist"):
        load_dataset("csv:nowhere/flower.csv", tmp_path)


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        load_dataset("csv:.", tmp_path)


@settings(deadline=None)  # it writes a file; a busy disk is no failure
@given(st.binary(max_size=60) | st.text("1ay.,;\t\n\"' -e\x00", max_size=60).map(str.encode))
def test_any_bytes_are_a_dataset_or_one_input_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    try:
        dataset = load_csv(path, "any", "classification")
    except InputError as error:
        message = str(error)
    else:
        message = "any.csv"
        assert np.isfinite(dataset.train_inputs).all()
    assert "any.csv" in message
