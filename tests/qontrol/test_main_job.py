"""The main job over a serial line: iris on eight ports, a rack for heaters and inputs, beside the same twin here."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivers.emulator import read_witness
from ffzero_lab.cli.measure import network_of
from ffzero_lab.runs import RunReader

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TWIN = {"ports": 8, "layers": 1, "preset": "ideal", "seed": 3, "kernel": "numpy"}
JOB = ("--dataset", "iris", "--uncalibrated", "--batch", 12, "--set", "learning_rate=0.015", "--set", "epsilon=0.05")
WITHIN_V = 2e-3
"""The rack has steps of 0.2 mV, the ideal twin has none: what slopes are made of is off by some of them."""
QUIET = ("--set", "baselines=false")


@pytest.mark.parametrize(("form", "steps"), [("binary", 6), pytest.param("ascii", 40, marks=pytest.mark.slow)])
def test_iris_on_a_rack_comes_to_what_the_twin_comes_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ask: Any, form: str, steps: int
):
    monkeypatch.setenv("FFZERO_LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.syspath_prepend(BENCHMARKS)
    wired, racked = importlib.import_module("wired_bench"), importlib.import_module("qontrol_bench")
    content = racked.rack_bench_of(TWIN, baud=2_000_000, form=form, read_back="reading", rack={"buffer_bytes": 1024})

    def trained(device: object, *more: object) -> RunReader:
        code, told, complained = ask("train", "--device", device, *JOB, *QUIET, "--steps", steps, *more)
        assert code == 0, told + complained
        return RunReader(max(Path("runs").iterdir(), key=lambda path: path.stat().st_mtime_ns).resolve())

    with wired.Emulated(tmp_path, wired.patient(content)) as emulated:
        on_a_rack = trained(emulated.file, "--name", "rack")
    of_the_twin = [f"--set=device.{key}={value}" for key, value in {**TWIN, "drive": "volts"}.items()]
    in_process = trained("twin", *of_the_twin, "--name", "twin")
    own, others = (network_of(run).layers[0].parameters for run in (on_a_rack, in_process))
    assert np.abs(own - others).max() < WITHIN_V
    assert on_a_rack.summary is not None
    assert in_process.summary is not None
    assert on_a_rack.summary["test_accuracy"] == in_process.summary["test_accuracy"]
    seen = read_witness(emulated.witness)
    assert not seen.refused
    assert not seen.left_on()
