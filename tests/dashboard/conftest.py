"""Run folders made in moments, and the server over them."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from ffzero_lab.dashboard.access import Access
from ffzero_lab.dashboard.app import Dashboard

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TOKEN = "the-token-of-this-test"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that writes run folders."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("made_runs")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder of runs, still empty."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def token() -> str:
    """The token of the server."""
    return TOKEN


@pytest.fixture
def serve(runs: Path) -> Callable[..., TestClient]:
    """Starts the server bound to an address, and reaches it by another."""

    def start(host: str, base: str) -> TestClient:
        return TestClient(Dashboard(runs, Access.of(TOKEN, host)).app(), base_url=base)

    return start


@pytest.fixture
def server(serve: Callable[..., TestClient]) -> TestClient:
    """The server on loopback, as a browser on the same machine reaches it."""
    return serve("127.0.0.1", "http://localhost:8730")
