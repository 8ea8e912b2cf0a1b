"""The main job over the wire: the twin's own numbers, and going on after whatever ended a run or the bench.

The twin behind the instruments has neither noise nor drift, so that a run that goes on must come to the same bits.
"""

import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from drivers.emulator import read_witness
from ffzero_lab.cli import app
from ffzero_lab.cli.measure import network_of
from ffzero_lab.runs import RunReader

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
TWIN = {"ports": 8, "layers": 2, "preset": "ideal", "seed": 3, "kernel": "numpy"}
JOB = ("--dataset", "iris", "--uncalibrated", "--batch", 20, "--set", "learning_rate=0.015", "--set", "epsilon=0.015")
KILLED = ("--steps", 40, "--set", "log_every=1", "--set", "run.checkpoint_every=0.05")
Train = Callable[..., Path]


@pytest.fixture
def wired(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("wired_bench")


@pytest.fixture
def bench(wired: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Any]:
    """The twin behind instruments that listen in a process of their own."""
    monkeypatch.setenv("FFZERO_LOCK_DIR", str(tmp_path / "locks"))
    with ExitStack() as stack:
        emulated = wired.Emulated(tmp_path, wired.patient(wired.bench_of(TWIN)))
        stack.callback(emulated.kill)
        yield emulated


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, dict[str, float]]:
    """The parameters and the accuracy of the run that others are held against."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("undisturbed")
        patch.setenv("FFZERO_LOCK_DIR", str(folder / "locks"))
        patch.syspath_prepend(BENCHMARKS)
        patch.chdir(folder)
        wired = importlib.import_module("wired_bench")
        with wired.Emulated(folder, wired.patient(wired.bench_of(TWIN))) as emulated:
            arguments = ["train", "--device", emulated.file, *JOB, *KILLED, "--name", "undisturbed"]
            result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output
        run = newest_run()
        return parameters(run), accuracy(run)


@pytest.fixture
def train(ask: Any, bench: Any) -> Train:
    """Train in this process on a device; returns the run folder."""

    def run(device: object, *more: object) -> Path:
        code, told, complained = ask("train", "--device", device, *JOB, *more)
        assert code == 0, told + complained
        return newest_run()

    return run


def newest_run() -> Path:
    return max(Path("runs").iterdir(), key=lambda path: path.stat().st_mtime_ns).resolve()


def parameters(run: Path) -> np.ndarray:
    return np.stack([layer.parameters for layer in network_of(RunReader(run)).layers])


def accuracy(run: Path) -> dict[str, float]:
    summary = RunReader(run).summary
    assert summary is not None
    return summary["test_accuracy"]


def test_the_main_job_over_the_wire_has_the_numbers_of_the_twin_in_this_process(bench: Any, train: Train) -> None:
    over_the_wire = train(bench.file, "--steps", 15, "--name", "wire")
    of_the_twin = [f"--set=device.{key}={value}" for key, value in {**TWIN, "drive": "volts"}.items()]
    in_process = train("twin", *of_the_twin, "--steps", 15, "--name", "twin")
    np.testing.assert_allclose(parameters(over_the_wire), parameters(in_process), rtol=0.0, atol=1e-6)
    assert accuracy(over_the_wire) == accuracy(in_process)
    seen = read_witness(bench.witness)
    assert not seen.refused
    assert not seen.left_on()


class Started:
    """A trainer in a process of its own, to be killed: it takes its time when so many rows are written down."""

    def __init__(self, wired: Any, bench: Any, rows: int, *more: object) -> None:
        held = [BENCHMARKS / "held.py", "ffzero_lab.runs:RunWriter.append", rows, 2.0]
        command = [sys.executable, *held, "train", "--device", bench.file, *JOB, *more]
        self.process = subprocess.Popen(
            [*map(str, command)], env=wired.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def wait(self) -> Path:
        """Return the run folder when the rows are written down; a checkpoint is as well."""
        assert self.process.stderr is not None
        told = ""
        while (line := self.process.stderr.readline()) != "held\n":
            told += line
            assert line, f"the trainer did not get there: {told}"
        (run,) = Path("runs").glob("*-killed")
        assert (run / "checkpoint.npz").exists()
        return run.resolve()

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.communicate()


@pytest.mark.slow
def test_a_trainer_that_is_killed_goes_on_to_the_same_bits_and_parks_before_anything_else(
    wired: Any, bench: Any, undisturbed: tuple[np.ndarray, dict[str, float]], ask: Any
) -> None:
    trainer = Started(wired, bench, 60, *KILLED, "--name", "killed")  # in the second layer
    run = trainer.wait()
    trainer.kill()
    assert {name for name, _ in read_witness(bench.witness).left_on()} >= {"source", "modulator1"}
    killed_s = time.time()
    code, told, complained = ask("train", "--resume", run)
    assert code == 0, told + complained
    np.testing.assert_array_equal(parameters(run), undisturbed[0])
    assert accuracy(run) == undisturbed[1]
    seen = read_witness(bench.witness)
    assert not seen.refused
    assert not seen.left_on()
    for outputs in seen.outputs.values():
        assert next(output for output in outputs if output.time_s > killed_s).value == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("also_the_trainer", [False, True])
def test_a_bench_that_lost_its_power_is_resumed_at_the_same_addresses(
    wired: Any, bench: Any, undisturbed: tuple[np.ndarray, dict[str, float]], ask: Any, also_the_trainer: bool
) -> None:
    content = bench.file.read_text()
    for was, now in (("park_s = 60.0", "park_s = 10.0"), ("deadline_s = 10.0", "deadline_s = 1.5")):
        assert was in content
        content = content.replace(was, now)
    bench.file.write_text(content)  # so long it tries to park, in vain
    trainer = Started(wired, bench, 30, *KILLED, "--name", "killed")
    run = trainer.wait()
    if also_the_trainer:
        trainer.kill()
    bench.kill()
    if not also_the_trainer:
        _, complained = trainer.process.communicate(timeout=200.0)
        assert trainer.process.returncode == 3, complained
        assert "parking failed as well" in complained
        assert f"ffzero-lab train --resume {run}" in complained.replace("resume runs", f"resume {run.parent}")
    code, _, complained = ask("train", "--resume", run)
    assert code == 3  # still dark
    assert "is the instrument on, and the address right?" in complained
    bench.restart()
    code, told, complained = ask("train", "--resume", run)
    assert code == 0, told + complained
    np.testing.assert_array_equal(parameters(run), undisturbed[0])
    assert not read_witness(bench.witness).left_on()
