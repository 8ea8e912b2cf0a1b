"""Run folders made in moments, and the server over them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from ffzero_lab.dashboard.access import Access
from ffzero_lab.dashboard.app import Dashboard

TOKEN = "the-token-of-this-test"


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
