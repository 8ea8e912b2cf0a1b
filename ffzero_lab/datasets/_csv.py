"""Reads CSV tables of finite numbers; every fault names file, row (line in the file) and column."""

import csv
import io
import math
from array import array
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.datasets._files import read_bytes
from ffzero_lab.datasets._labels import as_number, label_fault, number
from ffzero_lab.errors import InputError

_LABEL_NAMES = ("label", "y")  # in this order: beside a column 'label', 'y' may be a coordinate


class _Row(NamedTuple):
    line: int
    cells: list[str]


def read_labelled_csv(path: Path) -> tuple[NDArray[np.float64], list[str]]:
    """Read features (S, F) and S label texts; the label is the column named label or y, else the last one."""
    first, rest = _open(path)
    width = len(first.cells)
    if width < 2:
        raise InputError(
            f"{path} has one column; needed: at least one feature and the label, "
            "delimited by commas, semicolons or tabs"
        )
    named = _named_label(first.cells)
    label = width - 1 if named is None else named
    if not _is_header(first, label, path):
        return _read_table(chain([first], rest), width, None, width - 1, path)
    return _read_table(rest, width, first.cells, label, path)


def read_unlabelled_csv(path: Path, n_features: int) -> NDArray[np.float64]:
    """Read features (S, n_features); one more column is ignored when a header names it label or y."""
    first, rest = _open(path)
    width = len(first.cells)
    label = _named_label(first.cells) if width == n_features + 1 else None
    if width != n_features and (label is None or not _is_header(first, label, path)):
        raise InputError(
            f"{path} has {width} columns, needed are {n_features} features "
            "(one more is ignored only if a header names it 'label' or 'y')"
        )
    header = first.cells if _is_header(first, label, path) else None
    rows = rest if header else chain([first], rest)
    return _read_table(rows, width, header, label, path, check_labels=False)[0]


def _open(path: Path) -> tuple[_Row, Iterator[_Row]]:
    rows = _rows(path)
    first = next(rows, None)
    if first is None:
        raise InputError(f"{path} has no rows: every line is blank")
    return first, rows


def _rows(path: Path) -> Iterator[_Row]:
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, row {line} is not UTF-8 text; save the table as CSV in UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        for raw in reader:
            cells = [cell.strip() for cell in raw]
            if cells and cells != [""]:
                yield _Row(reader.line_num, cells)
    except csv.Error as error:
        raise InputError(f"{path}, row {reader.line_num} is not CSV: {error}") from None


def _delimiter(text: str) -> str:
    """Take what occurs in the first line that is not blank: a tab, else a semicolon, else a comma."""
    first = text.lstrip("\r\n ").partition("\n")[0]
    return next((mark for mark in "\t;" if mark in first), ",")


def _named_label(cells: list[str]) -> int | None:
    lowered = [cell.lower() for cell in cells]
    return next((lowered.index(name) for name in _LABEL_NAMES if name in lowered), None)


def _is_header(first: _Row, label: int | None, path: Path) -> bool:
    """Tell names from numbers; refuse what could be either, as a wrong guess would drop a sample silently."""
    features = [cell for position, cell in enumerate(first.cells) if position != label]
    words = [cell for cell in features if cell and as_number(cell) is None]
    if not words:
        # Data frames write numbered columns. Not so for 'y', which may be a class (of yes and no).
        return label is not None and first.cells[label].lower() == "label"
    named = label is not None and first.cells[label].lower() in _LABEL_NAMES
    if not named and any(as_number(cell) is not None for cell in features):
        column = first.cells.index(words[0]) + 1
        raise InputError(
            f"{path}, row {first.line} is neither a header nor numbers: column {column} holds {words[0]!r}; "
            "correct the cell, or name the label column 'label' in a header, or move it to the end"
        )
    if "" in first.cells:
        raise InputError(
            f"{path}, row {first.line}: column {first.cells.index('') + 1} has no name in the header "
            "(a row index? save the table without it)"
        )
    return True


def _read_table(
    rows: Iterator[_Row],
    width: int,
    header: list[str] | None,
    label: int | None,
    path: Path,
    *,
    check_labels: bool = True,
) -> tuple[NDArray[np.float64], list[str]]:
    values = array("d")  # grows in place: a list of Python floats would need four times the memory
    labels: list[str] = []
    for line, cells in rows:
        if len(cells) != width:
            raise InputError(f"{path}, row {line} has {len(cells)} columns, the rows before have {width}")
        try:
            row = [number(cell) for position, cell in enumerate(cells) if position != label]
        except ValueError:
            row = [math.nan]
        finite = all(map(math.isfinite, row))
        if not finite or (check_labels and label is not None and label_fault(cells[label])):
            raise _bad_cell(_Row(line, cells), header, label, path)
        values.extend(row)
        if label is not None:
            labels.append(cells[label])
    if not values:
        raise InputError(f"{path} has no rows below its header")
    n_features = width - (label is not None)
    return np.array(values, dtype=np.float64).reshape(-1, n_features), labels


def _bad_cell(row: _Row, header: list[str] | None, label: int | None, path: Path) -> InputError:
    """Blame the first feature of *row* that is no finite number; if there is none, the label."""
    numbers = [as_number(cell) for cell in row.cells]
    features = (position for position in range(len(numbers)) if position != label)
    faulty = (p for p in features if not math.isfinite(math.nan if (n := numbers[p]) is None else n))
    position = next(faulty, -1 if label is None else label)
    cell, value = row.cells[position], numbers[position]
    where = f"{path}, row {row.line}, column {repr(header[position]) if header else position + 1}"
    if position == label:
        return InputError(f"{label_fault(cell)} in {where}; every row needs a label, a word or a finite number")
    if cell and value is None:
        hint = " (decimal comma? write a point)" if as_number(cell.replace(",", ".")) is not None else ""
        return InputError(f"{cell[:40]!r} in {where} is not a number{hint}")
    kind = "empty cell" if value is None else "NaN" if math.isnan(value) else "infinity"
    return InputError(f"{kind} in {where}; every feature must be a finite number")
