"""The live view in a real browser: Chromium as the system has it, without a window."""

import importlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
DESK = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def browser() -> Generator[Any]:
    """A browser, for all tests of a module."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        running = playwright.chromium.launch(executable_path=found, args=arguments)
        yield running
        running.close()


@pytest.fixture
def wired(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the bench that is emulated."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("wired_bench")


@pytest.fixture
def violations() -> Callable[[Any], list[str]]:
    """Returns what axe-core finds wrong on a page by WCAG 2.2 A and AA, with the elements."""

    def found_on(shown: Any) -> list[str]:
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(shown, options={"runOnly": {"type": "tag", "values": RULES}}).response
        assert found["passes"], "nothing was looked at"
        return [f"{rule['id']}: {[node['html'] for node in rule['nodes']]}" for rule in found["violations"]]

    return found_on


class View:
    """``ffzero-lab dashboard`` in a process of its own."""

    def __init__(self, runs: Path, environment: dict[str, str], *more: str) -> None:
        command = [sys.executable, "-m", "ffzero_lab", "dashboard", "--run-dir", str(runs), "--port", "0", "--json"]
        command += more
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        self.address, self.token = told["address"].rstrip("/"), told["token"]

    @property
    def process_id(self) -> int:
        """Its number."""
        return self._process.pid

    def get(self, path: str) -> Any:
        """Return what the server answers, as somebody on the same machine."""
        with urllib.request.urlopen(self.address + path, timeout=60.0) as answer:
            return json.load(answer)

    def interrupt(self) -> tuple[int, str, str]:
        """Press Ctrl-C; returns exit code, and what was written since."""
        if self._process.poll() is None:
            self._process.send_signal(2)
            self._said = self._process.communicate(timeout=60.0)
        return self._process.returncode, *self._said


@pytest.fixture
def view(runs: Path, wired: Any) -> Generator[View]:
    """The server over the folder of runs; whatever a test did with it, it ends cleanly and complains of nothing."""
    running = View(runs, wired.environment())
    yield running
    assert running.interrupt() == (0, "", "")


@pytest.fixture
def open_view(runs: Path, wired: Any) -> Generator[View]:
    """The same, but other machines reach it."""
    running = View(runs, wired.environment(), "--host", "0.0.0.0")
    yield running
    assert running.interrupt() == (0, "", "")


@pytest.fixture
def page(browser: Any) -> Generator[Callable[..., Any]]:
    """Opens pages; a test fails when one of them wrote an error or a warning to its console."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def opened(size: dict[str, int] = DESK, scheme: str = "light") -> Any:
        context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        context.set_default_timeout(60_000.0)
        contexts.append(context)
        shown = context.new_page()
        shown.on("console", lambda said: said.type in ("error", "warning") and complaints.append(said.text))
        shown.on("pageerror", lambda error: complaints.append(str(error)))
        return shown

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
