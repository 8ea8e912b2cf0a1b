"""Listens, shows where, and serves until a signal comes."""

import os
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from ffzero_lab.dashboard.access import Access
from ffzero_lab.dashboard.app import Dashboard
from ffzero_lab.errors import InputError

ENDED_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NICE = 5
"""The server is so much nicer than what else was started: where a run wants the same processor, the run goes first."""


class _Server(uvicorn.Server):
    """Ends in order on a signal, as an operator means it: that is no failure."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in ENDED_BY}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raises InputError when it cannot."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except (OSError, OverflowError) as error:
        told = getattr(error, "strerror", None) or error
        raise InputError(
            f"cannot listen on {host} port {port}: {told}; choose another --port (0: any that is free) or --host"
        ) from error
    return listener


def address_of(listener: socket.socket, host: str) -> str:
    """Return the address a browser opens."""
    port = listener.getsockname()[1]
    shown = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)  # noqa: S104 - told, not bound to
    return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"


def serve(run_dir: Path, listener: socket.socket, access: Access, ready: Callable[[], None]) -> None:
    """Serve on *listener* until SIGINT, SIGTERM or SIGHUP; *ready* is called when connections are accepted."""
    server: _Server
    os.nice(NICE)

    def ending() -> bool:
        return server.should_exit

    app = Dashboard(run_dir, access, ending).app()
    config = uvicorn.Config(
        app,
        access_log=False,  # no address, and so no ticket, is ever written down
        log_level="error",
        lifespan="off",
        ws="none",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
    )
    server = _Server(config)
    ready()
    server.run(sockets=[listener])
