"""``ffzero-lab datasets``: lists the data sets that go by a name, and fetches those that come without the package."""

from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ffzero_lab.cli.outcome import outcome, print_json
from ffzero_lab.datasets import IMAGE_SETS, SHIPPED, load_dataset
from ffzero_lab.datasets.fetch import fetch_images
from ffzero_lab.datasets.mnist import N_TEST, N_TRAIN, SIZE, folder_of
from ffzero_lab.errors import InputError

_FOOT = """\
To get what is not found: ffzero-lab datasets fetch NAME --data-dir DIR
Views of images: mnist:8x8 (averaged), mnist:crop8x8, mnist:fourier8x8, mnist:magnitude8x8, or another size
Files of your own: csv:PATH, npz:PATH. Numbers instead of classes: --task regression"""


def list_command(data_dir: Path | None, *, as_json: bool) -> None:
    """List what can be named: samples, features, classes and where each set stands."""
    with outcome(as_json=as_json):
        rows = [*map(_shipped, SHIPPED), *(_images(name, data_dir) for name in IMAGE_SETS)]
        if as_json:
            print_json({"datasets": rows})
            return
        table = Table()
        for column in ("name", "training", "test", "features", "classes", "where"):
            table.add_column(column, justify="left" if column in {"name", "where"} else "right", overflow="fold")
        for row in rows:
            counts = (f"{row[key]:,}" for key in ("train", "test", "features"))
            classes = str(len(row["classes"])) if row["classes"] else row["task"]
            where = "see below" if row["problem"] else row["where"] or "not found"
            table.add_row(*map(Text, (row["name"], *counts, classes, where)))
        console = Console()
        console.print(table)
        for row in rows:
            if row["problem"]:
                console.print(f"problem: {row['problem']}", markup=False, highlight=False, soft_wrap=True)
        console.print(_FOOT, markup=False, highlight=False, soft_wrap=True)


def fetch_command(name: str, data_dir: Path | None, url: str | None, *, as_json: bool) -> None:
    """Download what is missing of an image set."""
    with outcome(as_json=as_json):
        fetched = fetch_images(name, data_dir, url, None if as_json else _tell)
        if as_json:
            counts = {"train": fetched.n_train, "test": fetched.n_test}
            files = list(fetched.downloaded)
            print_json({"dataset": name, "folder": str(fetched.folder), **counts, "downloaded": files})
            return
        typer.echo(f"{name}: {fetched.n_train:,} training and {fetched.n_test:,} test images in {fetched.folder}")


def _tell(path: Path) -> None:
    typer.echo(f"{path.name}  {path.stat().st_size / 1e6:.1f} MB")


def _shipped(name: str) -> dict[str, Any]:
    loaded = load_dataset(name)
    return {
        "name": name,
        "task": loaded.task,
        "train": loaded.n_train,
        "test": loaded.n_test,
        "features": loaded.n_features,
        "classes": list(loaded.classes),
        "where": "in the package",
        "problem": None,
    }


def _images(name: str, data_dir: Path | None) -> dict[str, Any]:
    """Say what the files of an image set hold; they are read whole, since a name alone proves nothing."""
    classes = list(IMAGE_SETS[name].classes)
    row: dict[str, Any] = {"name": name, "task": "classification", "train": N_TRAIN, "test": N_TEST}
    row |= {"features": SIZE[0] * SIZE[1], "classes": classes, "where": None, "problem": None}
    folder = folder_of(name, data_dir)
    if folder is None:
        return row
    try:
        found = load_dataset(f"{name}:4x4", data_dir)
    except InputError as error:
        return row | {"problem": str(error)}
    return row | {"train": found.n_train, "test": found.n_test, "where": str(folder)}
