"""The live view's server in a process of its own, and a browser, for what is measured of them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wired_bench import environment

BROWSER_NAMES = ("chromium", "chromium-browser", "google-chrome")


class Served:
    """``ffzero-lab dashboard`` over a folder of runs, as a context."""

    def __init__(self, runs: Path) -> None:
        command = [sys.executable, "-m", "ffzero_lab", "dashboard", "--run-dir", str(runs), "--port", "0", "--json"]
        self._process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.address = json.loads(self._process.stdout.readline())["address"].rstrip("/")
        self.get("/api/token")

    def get(self, path: str) -> tuple[float, Any]:
        """Return the seconds that an answer took, and what it holds."""
        began_s = time.perf_counter()
        with urllib.request.urlopen(self.address + path) as answer:
            content = json.load(answer)
        return time.perf_counter() - began_s, content

    def resident_mb(self) -> float:
        """Return the memory that the server holds, and its highest mark, in MB."""
        told = Path(f"/proc/{self._process.pid}/status").read_text()
        return float(next(line for line in told.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024

    def cpu_s(self) -> float:
        """Return the processor time that the server took so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def process_id(self) -> int:
        """Its number."""
        return self._process.pid

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(10.0)


@contextmanager
def browser() -> Generator[Any]:
    """Start a browser without a window; None where there is none."""
    found = next(filter(None, map(shutil.which, BROWSER_NAMES)), None)
    if found is None:
        yield None
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        yield playwright.chromium.launch(executable_path=found, args=arguments)
