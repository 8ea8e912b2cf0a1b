"""``mnist`` and ``fashion-mnist`` from the four IDX files of each, which stay where the user keeps them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.datasets._idx import read_idx
from ffzero_lab.datasets.dataset import Dataset
from ffzero_lab.datasets.images import View
from ffzero_lab.errors import InputError

DATA_VARIABLE: Final = "FFZERO_DATA"
SIZE: Final = (28, 28)
N_TRAIN: Final = 60_000
N_TEST: Final = 10_000
PARTS: Final = ("train", "t10k")


@dataclass(frozen=True)
class ImageSet:
    """What is known of a set before its files are seen.

    Attributes
    ----------
    classes
        Names of the labels 0 to 9.
    first_test_labels
        The files of both sets have the same names; these labels tell them apart.
    url
        Folder on the web that holds the four files, gzipped.
    sha256
        Checksums of these, in the order of `file_names`.
    """

    classes: tuple[str, ...]
    first_test_labels: tuple[int, ...]
    url: str
    sha256: tuple[str, ...]


IMAGE_SETS: Final = {
    "mnist": ImageSet(
        tuple("0123456789"),
        (7, 2, 1, 0, 4, 1, 4, 9, 5, 9),
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        (
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    "fashion-mnist": ImageSet(
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        (9, 2, 1, 1, 6, 1, 4, 6, 5, 7),
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
        (
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
}
"""LeCun, Cortes and Burges (1998); Xiao, Rasul and Vollgraf (2017): 60,000 + 10,000 images of 28 x 28 pixels."""


def load_images(name: str, view: str, data_dir: Path | None) -> Dataset:
    """Load an image set as `load_dataset` describes it.

    Raises
    ------
    InputError
        When the files are not found, are not what they are named, or do not belong together.
    """
    spec = f"{name}:{view}" if view else name
    seen = View.named(view, SIZE, spec)
    folder = folder_of(name, data_dir)
    if folder is None:
        raise InputError(_not_found(name, data_dir))
    (train, train_labels), (test, test_labels) = (_read_part(folder, part) for part in PARTS)
    _check_set(name, test_labels, folder)
    return Dataset(spec, seen.features(train), train_labels, seen.features(test), test_labels, IMAGE_SETS[name].classes)


def data_folder(data_dir: Path | None) -> Path | None:
    """Return the folder that image sets are looked for in: *data_dir*, else the one that FFZERO_DATA names."""
    named = os.environ.get(DATA_VARIABLE)
    return data_dir if data_dir is not None or not named else Path(named)


def folder_of(name: str, data_dir: Path | None) -> Path | None:
    """Return the folder that holds files of the set *name*, or None."""
    looked_in = _candidates(name, data_dir)
    return next((folder for folder in looked_in if any(present(folder, file) for file in file_names())), None)


def file_names() -> list[str]:
    """Return the names of the four files, images before labels, without a suffix for gzip."""
    return [f"{part}-{kind}-ubyte" for part in PARTS for kind in ("images-idx3", "labels-idx1")]


def _candidates(name: str, data_dir: Path | None) -> list[Path]:
    root = data_folder(data_dir)
    return [] if root is None else [root / name, root]


def present(folder: Path, file: str) -> Path | None:
    """Return the path of *file*, plain or gzipped, also with the dot that some archives put before ``idx``."""
    names = (file, file.replace("-idx", ".idx"))
    paths = (folder / f"{each}{suffix}" for each in names for suffix in ("", ".gz"))
    return next((path for path in paths if path.exists()), None)


def _not_found(name: str, data_dir: Path | None) -> str:
    looked_in = " and ".join(str(folder) for folder in _candidates(name, data_dir))
    where = f"no file of it is in {looked_in}" if looked_in else f"no folder is named by --data-dir or {DATA_VARIABLE}"
    return (
        f"dataset {name!r}: {where}; expected {', '.join(file_names())}, plain or with .gz. "
        f"'ffzero-lab datasets fetch {name} --data-dir DIR' downloads them"
    )


def _read_part(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images (S, 28, 28) and labels (S,) of the training or the test part."""
    image_path, label_path = (
        present(folder, file) or folder / file for file in file_names() if file.startswith(f"{part}-")
    )
    images, labels = read_idx(image_path, 3), read_idx(label_path, 1)
    if images.shape[1:] != SIZE:
        found = " x ".join(str(side) for side in images.shape[1:])
        raise InputError(f"{image_path} holds images of {found} pixels, expected {SIZE[0]} x {SIZE[1]}")
    if len(images) != len(labels):
        raise InputError(f"{label_path} holds {len(labels)} labels, expected {len(images)} as images in {image_path}")
    if labels.max() > 9:
        row = int((labels > 9).argmax())
        raise InputError(f"{label_path}: label {row + 1} (counted from 1) is {labels[row]}, expected 0 to 9")
    return images, labels.astype(np.int64)


def _check_set(name: str, test_labels: NDArray[np.int64], folder: Path) -> None:
    """Refuse the files of another set of the same file names."""
    first = tuple(test_labels[:10].tolist())
    for other, known in IMAGE_SETS.items():
        if other != name and first == known.first_test_labels:
            raise InputError(
                f"{folder} holds the files of {other}, expected those of {name}; keep them in a folder {name}"
            )
