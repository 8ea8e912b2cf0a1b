"""The main job over the wire beside the same twin in-process: accuracy over seeds, and the time of a step.

Run with ``OPENBLAS_NUM_THREADS=1 python benchmarks/wire.py``. Every run is ``ffzero-lab train --dataset iris
--uncalibrated`` on an eight-port mesh for each of two layers, once with heaters, modulators and meters over TCP
(``ffzero-lab emulate`` in a process of its own), once on the twin behind them. The ideal twin has neither noise nor
drift, so that the single precision of the meters is all that tells the two apart. The bare wire is what a step sends
and receives, over blocking sockets with TCP_NODELAY to the same emulation.
"""

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from wired_bench import Emulated, bench_of, environment

from ffzero_lab import open_device
from ffzero_lab.cli.measure import network_of
from ffzero_lab.datasets import load_dataset
from ffzero_lab.runs import RunReader
from ffzero_lab.training import Session, TrainSettings

SETTINGS: dict[str, Any] = {"learning_rate": 0.015, "epsilon": 0.015}
"""In V²; the default steps are smaller, and need four times as many."""
PRESETS = ("ideal", "typical")
STEPS = 400
TIMED_STEPS = 20


def options_of(preset: str, seed: int) -> dict[str, Any]:
    """Return the twin of one seed."""
    return {"ports": 8, "layers": 2, "preset": preset, "seed": seed, "drive": "volts"}


def trained(folder: Path, device: str, options: dict[str, Any], seed: int, steps: int) -> dict[str, Any]:
    """Run the main job as an operator does; return its summary."""
    settings = {**SETTINGS, **{f"device.{key}": value for key, value in options.items()}}
    command = [sys.executable, "-m", "ffzero_lab", "train", "--device", device, "--dataset", "iris", "--uncalibrated"]
    command += ["--steps", str(steps), "--seed", str(seed), "--json"]
    command += [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    ended = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    return json.loads(ended.stdout)


def furthest_apart(folder: Path, one: dict[str, Any], other: dict[str, Any]) -> float:
    """Return the largest difference of any parameter of two runs, in volts."""
    networks = [network_of(RunReader(folder / run["run"])) for run in (one, other)]
    pairs = zip(networks[0].layers, networks[1].layers, strict=True)
    return max(float(np.abs(mine.parameters - its.parameters).max()) for mine, its in pairs)


def step_s(device: str, options: dict[str, Any]) -> float:
    """Return the seconds of one step (two readings of 105 patterns), the median over three stretches of steps."""
    taken: list[float] = []
    settings = TrainSettings(dataset="iris", uncalibrated=True, baselines=False, steps=3 * TIMED_STEPS, **SETTINGS)
    with open_device(device, **options) as opened:
        moments = Session(opened, load_dataset("iris"), settings).run()
        next(moments)
        for _ in range(3):
            began_s = time.perf_counter()
            for _ in range(TIMED_STEPS):
                next(moments)
            taken.append((time.perf_counter() - began_s) / TIMED_STEPS)
        moments.close()
    return statistics.median(taken)


def bare_step_s(file: Path, folder: Path) -> float:
    """Return the seconds in which the bytes of a step go back and forth over bare sockets."""
    log = folder / "exchanges.jsonl"
    names = ("source", "modulator0", "meter0")
    with open_device(str(file), links={name: {"log": str(log)} for name in names}) as opened:
        settings = TrainSettings(dataset="iris", uncalibrated=True, baselines=False, steps=TIMED_STEPS, **SETTINGS)
        moments = Session(opened, load_dataset("iris"), settings).run()
        next(moments)
        before = len(log.read_text().splitlines())
        for _ in range(TIMED_STEPS // 2):
            next(moments)
        moments.close()
        rows = [json.loads(line) for line in log.read_text().splitlines()[before:]]
        addresses = {row["resource"]: row["resource"].split("::")[1:3] for row in rows}
        with_sockets = {name: socket.create_connection((host, int(port))) for name, (host, port) in addresses.items()}
        for connection in with_sockets.values():
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        messages = [(with_sockets[r["resource"]], r["sent"].encode("latin-1"), len(r["received"])) for r in rows]
        began_s = time.perf_counter()
        for connection, sent, expected in messages:
            connection.sendall(sent)
            received = 0
            while received < expected:
                received += len(connection.recv(65_536))
        taken_s = time.perf_counter() - began_s
        for connection in with_sockets.values():
            connection.close()
    return taken_s / (TIMED_STEPS // 2)


def compared(folder: Path, preset: str, seed: int, steps: int) -> dict[str, Any]:
    """Train over the wire and in-process; return the figures of both."""
    folder.mkdir()
    options = options_of(preset, seed)
    with Emulated(folder, bench_of(options)) as emulated:
        wire = trained(folder, str(emulated.file), {}, seed, steps)
    alone = trained(folder, "twin", options, seed, steps)
    return {
        "preset": preset,
        "seed": seed,
        "wire": wire["test_accuracy"][wire["readout"]],
        "in_process": alone["test_accuracy"][alone["readout"]],
        "furthest_apart_v": furthest_apart(folder, wire, alone),
        "wire_wall_s": wire["wall_seconds"],
        "shots": [wire["shots"], alone["shots"]],
    }


def timed(folder: Path) -> dict[str, float]:
    """Return the times of a step."""
    folder.mkdir()
    options = options_of("ideal", 0)
    with Emulated(folder, bench_of(options)) as emulated:
        wire_s = step_s(str(emulated.file), {})
        bare_s = bare_step_s(emulated.file, folder)
    return {"wire_s": wire_s, "bare_wire_s": bare_s, "in_process_s": step_s("twin", options)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of each layer")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=PRESETS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        step = timed(home / "timed")
        rows: list[dict[str, Any]] = []
        for preset in arguments.presets:
            for seed in range(arguments.seeds):
                rows.append(compared(home / f"{preset}{seed}", preset, seed, arguments.steps))
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    if arguments.json:
        print(json.dumps({"step": step, "runs": rows}, indent=2))
        return
    print(f"iris, 8 ports, 2 layers, {arguments.steps} steps each; test accuracy, mean ± deviation over the seeds")
    for preset in arguments.presets:
        told = [f"{preset:8s}"]
        for way in ("wire", "in_process"):
            scores = [row[way] for row in rows if row["preset"] == preset]
            spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
            told.append(f"{way.replace('_', ' ')} {statistics.mean(scores):.3f} ± {spread:.3f}")
        apart = max(row["furthest_apart_v"] for row in rows if row["preset"] == preset)
        print(", ".join([*told, f"parameters at most {apart:.2g} V apart"]))
    print(
        f"a step (210 patterns): {1e3 * step['wire_s']:.1f} ms over the wire, {1e3 * step['bare_wire_s']:.1f} ms its "
        f"bytes over bare sockets (ratio {step['wire_s'] / step['bare_wire_s']:.2f}), "
        f"{1e3 * step['in_process_s']:.2f} ms in-process"
    )


if __name__ == "__main__":
    main()
