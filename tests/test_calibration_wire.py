"""A calibration over the wire: what it finds is what it finds of the same chip in-process, and what is true."""

import importlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from drivers.emulator import read_witness
from ffzero_lab.calibrations import load, records_in

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
FAULTS = [
    {"kind": "open", "parameter": "phi[0]"},
    {"kind": "short", "parameter": "theta[4]"},
    {"kind": "stuck", "parameter": "gamma[2]", "volts": 1.3},
]
SHORTENED = "noise,drift,latency,settling,epsilon,crosstalk,modulators"


@pytest.fixture
def wired(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The modules of the benchmark: how a chip is calibrated over the wire and beside it."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setenv("FFZERO_LOCK_DIR", str(tmp_path / "locks"))
    return importlib.import_module("calibration_wire")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("faults", [[], FAULTS], ids=["sound", "faulty"])
def test_a_chip_behind_instruments_is_calibrated_as_in_process(
    wired: Any, tmp_path: Path, faults: list[dict[str, Any]]
) -> None:
    ports, skip = (4, f"{SHORTENED},offsets") if faults else (3, SHORTENED)
    options = wired.options_of(seed=1, ports=ports, faults=faults)
    wire = wired.over_the_wire(tmp_path / "wire", options, skip)
    alone = wired.in_process(tmp_path / "alone", options, skip)
    assert wired.dead_in(wire.record) == wired.dead_in(alone.record) == wired.injected(faults, ports)
    seen = read_witness(tmp_path / "wire" / "witness.jsonl")
    assert not seen.refused
    assert not seen.left_on()
    rows = wired.beside_each_other(wire, alone)
    assert {"fringes.pi_setting", "fringes.pi_power", "detectors.gain"} <= rows.keys()
    for name, (difference, spread) in rows.items():
        if not name.startswith("offsets"):  # the drift meanwhile, which was not measured, is in none of their errors
            assert (abs(difference) < 5.0 * spread).all(), name
    if not faults:
        for name, (error, spread) in wired.beside_truth(wire, options).items():
            # The twin behind the wire lives in real time: its noise is another in each run, and so is its drift.
            assert (spread < 10.0 * wired.LIMITS[name]).all(), name
            assert (abs(error) < wired.LIMITS[name] + 5.0 * spread).all(), name


@pytest.mark.slow
def test_a_calibration_that_loses_its_bench_is_gone_on_with_when_the_bench_is_back(
    wired: Any, tmp_path: Path, ask: Any
) -> None:
    bench = importlib.import_module("wired_bench")
    options = wired.options_of(seed=2, ports=4, faults=[])
    content = bench.bench_of(options, link={"connect_s": 1.0, "pause_s": 0.01})
    with bench.Emulated(tmp_path, content) as emulated:
        command = [sys.executable, "-m", "ffzero_lab", "calibrate", "--device", str(emulated.file), "--no-report"]
        calibrator = subprocess.Popen(
            [*command, "--only", "electrical,fringes"],
            cwd=tmp_path, env=bench.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        until_s = time.monotonic() + 60.0
        while len(list(tmp_path.glob("calibrations/*/*.unfinished/0*.npz"))) < 5:
            assert time.monotonic() < until_s
            assert calibrator.poll() is None
            time.sleep(0.01)
        emulated.kill()
        _, told = calibrator.communicate(timeout=60.0)
        assert calibrator.returncode == 3, told
        lines = told.strip().splitlines()
        assert lines[-1].startswith("ffzero-lab calibrate --resume ")
        kept = len(list(tmp_path.glob("calibrations/*/*.unfinished/0*.npz")))
        emulated.restart()
        code, told, complained = ask(*lines[-1].split()[1:])
        assert code == 0, told + complained
        assert f"theta[{kept}]" in told or "phi" in told
        ((path, record),), _ = records_in(Path("calibrations"))
        assert load(path).procedures == ("electrical", "fringes")
        assert not record.layers[0].dead
        assert not read_witness(emulated.witness).left_on()


@pytest.mark.slow
def test_a_signal_leaves_every_output_of_the_bench_off(wired: Any, tmp_path: Path) -> None:
    bench = importlib.import_module("wired_bench")
    with bench.Emulated(tmp_path, bench.bench_of(wired.options_of(seed=2, ports=4, faults=[]))) as emulated:
        command = [sys.executable, "-m", "ffzero_lab", "calibrate", "--device", str(emulated.file), "--no-report"]
        calibrator = subprocess.Popen(
            command, cwd=tmp_path, env=bench.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        until_s = time.monotonic() + 60.0
        while len(list(tmp_path.glob("calibrations/*/*.unfinished/0*.npz"))) < 3:
            assert time.monotonic() < until_s
            time.sleep(0.01)
        while not read_witness(emulated.witness).left_on():  # every part parks
            assert time.monotonic() < until_s
        calibrator.send_signal(signal.SIGTERM)
        _, told = calibrator.communicate(timeout=30.0)
        assert calibrator.returncode == 143, told
        assert not read_witness(emulated.witness).left_on()
