"""Runs the command line in-process, in a folder of the test's own."""

import contextlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ffzero_lab.cli import app

Command = Callable[..., "Ended"]


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ended:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    return run


def written_flowers(folder: Path) -> Path:
    rows = [f"{0.1 * (i % 5)},{1 + 0.1 * (i % 3)},{i % 7},{'rose' if i % 2 else 'tulip'}" for i in range(40)]
    bright = [row if "rose" in row else "5" + row[1:] for row in rows]
    path = folder / "flowers.csv"
    path.write_text("a,b,c,label\n" + "\n".join(bright) + "\n")
    return path


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """Two well separated classes of three features, 40 rows."""
    return written_flowers(tmp_path)


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a short, complete run was trained on an eight-port twin."""
    folder = tmp_path_factory.mktemp("trained")
    arguments = ["train", "--dataset", f"csv:{written_flowers(folder)}", "--set", "device.ports=8", "--steps", "200"]
    with contextlib.chdir(folder):
        result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def trained(cli: Command, flowers: Path, trained_once: Path) -> Path:
    """A short, complete run of the test's own, as if it had been trained in the test's folder."""
    (template,) = (trained_once / "runs").iterdir()
    run = Path("runs") / template.name
    shutil.copytree(template, run)
    manifest = run / "manifest.json"
    manifest.write_text(manifest.read_text().replace(str(trained_once), str(flowers.parent)))
    return run
