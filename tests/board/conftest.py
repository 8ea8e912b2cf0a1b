"""Boards of both kinds: the emulation in Python, and the reference firmware compiled for this computer."""

import importlib
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from drivers.board import Board
from drivers.emulator import Emulation
from drivers.emulator.board_firmware import compiled, compiler

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
OPTIONS: dict[str, Any] = {
    "ports": 4,
    "layers": 2,
    "preset": "ideal",
    "seed": 1,
    "kernel": "numpy",
    "drive": "volts",
}
PATIENT = {"deadline_s": 20.0, "quiet_s": 0.03, "pause_s": 0.005, "park_s": 300.0}
"""Of the driver, whatever the computer is busy with; the boards drop what has stopped after GAP_MS."""
GAP_MS = 20
WATCHDOG_MS = 60_000
"""Unless a test is about the watchdog."""


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("board_bench")


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Callable[[str], Path]:
    """Compile a program of the firmware, once for all workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "firmware"
    folder.mkdir(exist_ok=True)

    def compile_it(name: str) -> Path:
        if compiler() is None:
            pytest.skip("no C++ compiler")
        with FileLock(folder / f"{name}.lock"):
            return compiled(name, folder)

    return compile_it


class Served:
    """A board at a pseudo-terminal."""

    def __init__(self, port: str, power_cut: Callable[[], None], file: Callable[..., dict[str, Any]]) -> None:
        self.port = port
        self.power_cut = power_cut
        self.file = file

    def open(self, **more: Any) -> Board:
        return Board.open(Board.Config.model_validate(self.file(**more)))


Serve = Callable[..., Served]


@pytest.fixture(params=["emulation", "firmware"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def serve(
    kind: str, bench: Any, program: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[Serve]:
    """Serve a board around the twin of some options; more options are those of the board."""
    stack = ExitStack()

    def start(options: Mapping[str, Any] | None = None, *, baud: int = 2_000_000, **more: Any) -> Served:
        options = {**OPTIONS, **(options or {})}
        board = {"gap_ms": GAP_MS, "watchdog_ms": WATCHDOG_MS, **more}
        witness = tmp_path / "witness.jsonl"
        if kind == "emulation":
            emulation = stack.enter_context(Emulation(bench.board_spec(options, witness=witness, baud=baud, **board)))
            port = str(emulation.ports["board"])
            power_cut = emulation._lines["board"]._station.power_up
            restart = emulation._lines["board"]._restart

            def cut() -> None:
                power_cut()
                restart()

        else:
            firmware = stack.enter_context(
                bench.firmware_board(program("board-host"), options, baud=baud, witness=witness, **board)
            )
            port, cut = firmware.port, firmware.power_cut
        return Served(port, cut, lambda **m: bench.board_file(options, port, **{**PATIENT, "baud": baud, **m}))

    with stack:
        yield start
