"""Data sets: the shipped ones, a user's tables, and the encoder that turns features into drive amplitudes."""

from pathlib import Path

from ffzero_lab.datasets.dataset import Dataset
from ffzero_lab.datasets.encoder import EncodedInputs, Encoder
from ffzero_lab.datasets.shipped import SHIPPED
from ffzero_lab.datasets.split import stratified_split
from ffzero_lab.datasets.tables import load_csv, load_npz, read_unlabelled
from ffzero_lab.errors import InputError, not_one_of

__all__ = [
    "SHIPPED",
    "Dataset",
    "EncodedInputs",
    "Encoder",
    "load_dataset",
    "read_unlabelled",
    "stratified_split",
]

_FROM_FILE = {"csv": load_csv, "npz": load_npz}


def load_dataset(spec: str, data_dir: Path | None = None) -> Dataset:
    """Load the data set that a command line or a configuration names.

    Parameters
    ----------
    spec
        A name in `SHIPPED` (``digits``), or a file:

        ``csv:PATH``
            One sample per row, delimited by commas, semicolons or tabs, with or without a header row. The
            label is the column named ``label`` or ``y``, else the last one; the other columns are numbers.
        ``npz:PATH``
            Arrays ``x`` (samples first, the rest flattened) and ``y``; optionally ``x_test`` and ``y_test``.

        Without a test part of its own, a fifth of each class is set aside, the same samples in every run.
    data_dir
        Folder that relative paths start from; the working directory when None.

    Raises
    ------
    InputError
        For an unknown name, or a file that cannot be used; one message says what, where and what is allowed.
    """
    kind, _, location = spec.partition(":")
    if kind in _FROM_FILE:
        if not location:
            raise InputError(f"dataset {spec!r} names no file; write {kind}:PATH")
        path = Path(location)
        path = path.expanduser() if location.startswith("~/") else path  # shells expand no ~ behind 'csv:'
        return _FROM_FILE[kind](path if data_dir is None else data_dir / path, spec)
    if spec not in SHIPPED:
        raise not_one_of("dataset", spec, [*SHIPPED, *(f"{known}:PATH" for known in _FROM_FILE)])
    return SHIPPED[spec]()
