"""Short runs of all kinds of device, made once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ffzero_lab.cli import app


@pytest.fixture(scope="session")
def run_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Train with these arguments, once, and return the run folder."""
    made: dict[tuple[str, ...], Path] = {}

    def trained(*arguments: object) -> Path:
        words = tuple(str(argument) for argument in arguments)
        if words not in made:
            folder = tmp_path_factory.mktemp("runs")
            result = CliRunner().invoke(app, ["train", "--run-dir", str(folder), *words, "--json"])
            assert result.exit_code == 0, result.stderr
            (made[words],) = (path for path in folder.iterdir() if path.is_dir())
        return made[words]

    return trained


@pytest.fixture(scope="session")
def mesh_run(run_of: Callable[..., Path]) -> Path:
    """Two layers of five ports."""
    return run_of("--dataset", "iris", "--set", "device.ports=5", "--steps", 120)
