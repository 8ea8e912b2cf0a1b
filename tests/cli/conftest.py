"""Runs the command line in-process, in a folder of the test's own."""

import json
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


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """Two well separated classes of three features, 40 rows."""
    rows = [f"{0.1 * (i % 5)},{1 + 0.1 * (i % 3)},{i % 7},{'rose' if i % 2 else 'tulip'}" for i in range(40)]
    bright = [row if "rose" in row else "5" + row[1:] for row in rows]
    path = tmp_path / "flowers.csv"
    path.write_text("a,b,c,label\n" + "\n".join(bright) + "\n")
    return path


@pytest.fixture
def trained(cli: Command, flowers: Path) -> Path:
    """A short, complete run on an eight-port twin."""
    ended = cli("train", "--dataset", f"csv:{flowers}", "--set", "device.ports=8", "--steps", 200, "--json")
    assert ended.code == 0, ended.err
    return Path(ended.json["run"])
