"""Data sets: the shipped ones, a user's tables, and the encoder that turns features into drive amplitudes."""

from pathlib import Path

from ffzero_lab.datasets.dataset import Dataset, Task
from ffzero_lab.datasets.encoder import EncodedInputs, Encoder
from ffzero_lab.datasets.mnist import IMAGE_SETS, data_folder, load_images
from ffzero_lab.datasets.shipped import SHIPPED
from ffzero_lab.datasets.split import stratified_split
from ffzero_lab.datasets.tables import load_csv, load_npz, read_unlabelled
from ffzero_lab.errors import InputError, not_one_of

__all__ = [
    "IMAGE_SETS",
    "SHIPPED",
    "Dataset",
    "EncodedInputs",
    "Encoder",
    "Task",
    "anchored",
    "load_dataset",
    "read_unlabelled",
    "stratified_split",
]

_FROM_FILE = {"csv": load_csv, "npz": load_npz}


def load_dataset(spec: str, data_dir: Path | None = None, task: Task | None = None) -> Dataset:
    """Load the data set that a command line or a configuration names.

    Parameters
    ----------
    spec
        A name in `SHIPPED` (``digits``, ``iris``, ``wine``, ``function1``, ``function2``), an image set, or a file:

        ``mnist``, ``fashion-mnist``
            784 pixels of each image, scaled from its own minimum and maximum to 0-1. ``mnist:8x8`` averages them over
            8 x 8 cells, ``mnist:crop8x8`` cuts out the centre, ``mnist:fourier8x8`` gives the 64 lowest spatial
            frequencies (128 features: real parts, then imaginary parts), ``mnist:magnitude8x8`` their magnitudes;
            any other size will do as well.
        ``csv:PATH``
            One sample per row, delimited by commas, semicolons or tabs, with or without a header row. The
            label is the column named ``label`` or ``y``, else the last one; the other columns are numbers. A fifth
            (of each class) is set aside for the test, the same samples in every run.
        ``npz:PATH``
            Arrays ``x`` (samples first, the rest flattened) and ``y``; optionally ``x_test`` and ``y_test``, else
            split like a table.
    data_dir
        Folder that relative paths start from, the working directory when None; and that holds the four IDX files of
        an image set, or a folder of its name with them: when None, the one that the environment variable
        ``FFZERO_DATA`` names.
    task
        Whether the labels are classes or numbers; None: numbers for the functions, classes for all others.

    Raises
    ------
    InputError
        For labels that do not suit *task*, an unknown name, or a file that cannot be used; one message says what,
        where and what is allowed.
    """
    kind, _, location = spec.partition(":")
    if kind in _FROM_FILE:
        if not location:
            raise InputError(f"dataset {spec!r} names no file; write {kind}:PATH")
        path = Path(location)
        path = path.expanduser() if location.startswith("~/") else path  # shells expand no ~ behind 'csv:'
        return _FROM_FILE[kind](path if data_dir is None else data_dir / path, spec, task or "classification")
    if kind in IMAGE_SETS:
        loaded = load_images(kind, location, data_dir)
    elif spec in SHIPPED:
        loaded = SHIPPED[spec]()
    else:
        raise not_one_of("dataset", spec, [*SHIPPED, *IMAGE_SETS, *(f"{known}:PATH" for known in _FROM_FILE)])
    return loaded.for_task(task or loaded.task)


def anchored(spec: str, data_dir: Path | None) -> Path | None:
    """Return the absolute *data_dir* with which *spec* is found again from any folder and environment; None: any."""
    kind = spec.partition(":")[0]
    folder = data_folder(data_dir) if kind in IMAGE_SETS else data_dir
    if folder is None and kind in _FROM_FILE:
        folder = Path()
    return None if folder is None else folder.absolute()
