"""Downloads the files of an image set, each whole and with the right checksum or not at all."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from ffzero_lab.datasets.mnist import (
    DATA_VARIABLE,
    IMAGE_SETS,
    data_folder,
    file_names,
    folder_of,
    load_images,
    present,
)
from ffzero_lab.datasets.shipped import SHIPPED
from ffzero_lab.errors import InputError, not_one_of

TIMEOUT_S: Final = 30.0


@dataclass(frozen=True)
class Fetched:
    """Where a set stands now, how many samples it has, and which of its files were downloaded for that."""

    folder: Path
    n_train: int
    n_test: int
    downloaded: tuple[str, ...]


def fetch_images(
    name: str, data_dir: Path | None, url: str | None = None, tell: Callable[[Path], None] | None = None
) -> Fetched:
    """Download what is missing of the set *name* into a folder of that name; files that are there stay as they are.

    Parameters
    ----------
    name
        ``mnist`` or ``fashion-mnist``.
    data_dir
        Folder of data sets; None: the one that FFZERO_DATA names.
    url
        Folder on the web that holds the four gzipped files; None: the set's own.
    tell
        Called with every file that has been downloaded.

    Raises
    ------
    InputError
        For another name, no folder, no pooch, or files in the folder that are not the set's.
    OSError
        When a download fails or has another checksum; it leaves nothing behind, complete files before it stay.
    """
    root = data_folder(data_dir)
    if name in SHIPPED:
        raise InputError(f"dataset {name!r} comes with the package; there is nothing to fetch")
    if name not in IMAGE_SETS:
        raise not_one_of("dataset", name, IMAGE_SETS)
    if root is None:
        raise InputError(f"no folder is named to fetch {name} into; use --data-dir DIR, or set {DATA_VARIABLE}")
    with suppress(InputError):
        return _standing(name, root, ())
    folder, known = root / name, IMAGE_SETS[name]
    downloaded: list[str] = []
    for file, sha256 in zip(file_names(), known.sha256, strict=True):
        if present(folder, file) is None:
            path = _download(f"{(url or known.url).rstrip('/')}/{file}.gz", sha256, folder)
            downloaded.append(path.name)
            if tell is not None:
                tell(path)
    try:
        return _standing(name, root, tuple(downloaded))
    except InputError as error:
        error.add_note("move that file away, then fetch again")
        raise


def _standing(name: str, root: Path, downloaded: tuple[str, ...]) -> Fetched:
    """Tell what stands under *root*; raises InputError when it is not the whole set."""
    loaded = load_images(name, "4x4", root)  # reads all of every file, and keeps little
    return Fetched(folder_of(name, root) or root, loaded.n_train, loaded.n_test, downloaded)


def _download(url: str, sha256: str, folder: Path) -> Path:
    """Download one file into *folder* under a passing name, and give it its own once its checksum is right."""
    try:
        pooch: Any = import_module("pooch")  # an extra; it has no complete types
    except ModuleNotFoundError:
        raise InputError(
            "fetching needs pooch: pip install 'ffzero-lab[fetch]'; or put the files there yourself, from "
            f"{url.rpartition('/')[0]} into {folder}"
        ) from None
    pooch.get_logger().setLevel(logging.WARNING)
    file = url.rpartition("/")[2]
    # In one piece (26 MB at most), as streams are left open after an error. Some servers offer gzipped files as a
    # gzipped transfer, which would arrive unpacked.
    get = pooch.HTTPDownloader(timeout=TIMEOUT_S, stream=False, headers={"Accept-Encoding": "identity"})
    is_new = not folder.exists()
    try:
        path = Path(pooch.retrieve(url, f"sha256:{sha256}", file, folder, downloader=get))
    except (OSError, ValueError) as error:  # of the connection, the server or the disk; of the checksum or the address
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        raise OSError(f"cannot download {url}: {error}. Nothing of this file is left behind; fetch again") from None
    path.chmod(0o644)  # it was made for its owner alone
    return path
