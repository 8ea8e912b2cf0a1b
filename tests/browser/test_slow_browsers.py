"""Browsers that stop reading, or are gone, cost the server nothing that grows, and keep it from nothing."""

import os
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ffzero_lab.dashboard.serving import NICE

pytestmark = pytest.mark.slow
BROWSERS = 30


def resident_mb(process_id: int) -> float:
    told = Path(f"/proc/{process_id}/status").read_text()
    return float(next(line for line in told.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def test_browsers_that_stop_reading_fill_no_memory_and_hold_nobody_up(view: Any, runs: Path, made: Any) -> None:
    where = urlsplit(view.address)
    request = f"GET /api/events/run HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode()
    sockets: list[socket.socket] = []
    with made.begun(runs / "run") as run:
        run.append(made.step_row(1))
        try:
            for _ in range(BROWSERS):
                asleep = socket.socket()
                asleep.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                asleep.connect((where.hostname, where.port))
                asleep.sendall(request)
                sockets.append(asleep)
            time.sleep(1.5)
            before_mb = resident_mb(view.process_id)
            for number in range(2, 6000):
                run.append(made.step_row(number))
                if number % 1000 == 0:
                    time.sleep(0.5)
            assert resident_mb(view.process_id) - before_mb < 40.0
            began_s = time.monotonic()
            assert view.get("/api/run/run")["facts"]["spent"]["writes"] == 5999
            assert time.monotonic() - began_s < 2.0
            for gone in sockets[: BROWSERS // 2]:
                gone.close()
            own = os.getpriority(os.PRIO_PROCESS, 0)
            assert os.getpriority(os.PRIO_PROCESS, view.process_id) == min(own + NICE, 19), "a run goes first"
            assert view.interrupt()[0] == 0
        finally:
            for asleep in sockets:
                asleep.close()
