"""The command says what is missing, and where it listens."""

import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from ffzero_lab.dashboard.access import Access, is_loopback, new_token
from ffzero_lab.dashboard.serving import address_of, listening


def test_without_the_extra_one_message_names_it(ask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("starlette", "uvicorn")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith("ffzero_lab.dashboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette", None)
    code, _, told = ask("dashboard", "--run-dir", tmp_path)
    assert code == 2
    assert "pip install 'ffzero-lab[dashboard]'" in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--run-dir", "nowhere"), "--run-dir nowhere is no folder"),
        (("--run-dir", ".", "--port", "70000"), "--port 70000: allowed are 0"),
        (("--run-dir", ".", "--host", "no.such.host.invalid"), "cannot listen on no.such.host.invalid"),
    ],
)
def test_bad_input_is_one_message(ask: Any, options: tuple[str, ...], told: str) -> None:
    code, _, complained = ask("dashboard", *options)
    assert code == 2
    assert told in complained


def test_a_port_that_is_taken_is_told_with_the_way_out(ask: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, told = ask("dashboard", "--run-dir", ".", "--port", port)
    assert code == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in told
    assert "--port" in told


def test_the_address_is_one_that_a_browser_takes() -> None:
    with listening("127.0.0.1", 0) as listener:
        assert address_of(listener, "127.0.0.1") == f"http://127.0.0.1:{listener.getsockname()[1]}/"
        assert address_of(listener, "0.0.0.0").startswith("http://localhost:")
        assert address_of(listener, "::1").startswith("http://[::1]:")


def test_loopback_is_known_by_address() -> None:
    assert [host for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost") if not is_loopback(host)] == []
    assert [host for host in ("0.0.0.0", "::", "192.168.0.5", "localhost.example") if is_loopback(host)] == []


def test_a_token_is_long_another_each_time_and_not_in_any_printout() -> None:
    first, second = new_token(), new_token()
    assert first != second
    assert len(first) >= 43
    assert first not in repr(Access.of(first, "127.0.0.1"))
