"""Property tests draw the same examples every time; a bench in real time for what must be seen from outside."""

import importlib
import os
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from typer.testing import CliRunner

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # as the command line does, before NumPy is imported
    os.environ.setdefault(variable, "1")
os.environ["FFZERO_REPORT"] = "0"  # drawing takes seconds; what is tested of reports asks for them

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("repeatable")


TRIES = 8


@pytest.fixture
def within() -> Callable[[float, Callable[[], float]], None]:
    """Holds a promise in seconds against samples, each taken anew: a busy computer breaks it now and then, not always.

    What must never be late, such as parking, is not judged so, but by the order of what was seen.
    """

    def judge(limit_s: float, sample: Callable[[], float]) -> None:
        taken_s: list[float] = []
        while not taken_s or taken_s[-1] >= limit_s:
            assert len(taken_s) < TRIES, f"{taken_s} s, promised are {limit_s} s"
            taken_s.append(sample())

    return judge


@pytest.fixture
def until() -> Callable[..., None]:
    """Waits for something; whoever waits for what never comes fails after a minute."""

    def wait(true: Callable[[], object], within_s: float = 60.0) -> None:
        until_s = time.monotonic() + within_s
        while not true():
            assert time.monotonic() < until_s, "it did not come about"
            time.sleep(0.005)

    return wait


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the bench that is watched from outside."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("recorded_bench")


@pytest.fixture
def table(tmp_path: Path, recorded: Any) -> Generator[Any]:
    """A bench in real time that the test watches, and the command line in processes of their own."""
    table = recorded.Table(tmp_path, recorded.PATIENT)
    yield table
    table.close()


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
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process, in the folder of the test; returns exit code, output and errors."""
    from ffzero_lab.cli import app

    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        return result.exit_code, result.stdout, result.stderr

    return run


ALLOWED_SKIPS = ("no MNIST", "no C++ compiler", "no browser", "no bench")
"""Beginnings of the reasons for which a test may be skipped; any other skip is a failure."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.removeprefix("Skipped: ").startswith(ALLOWED_SKIPS):
            report.outcome = "failed"
            report.longrepr = f"{reason}: not among the allowed reasons {ALLOWED_SKIPS}"
    return report
