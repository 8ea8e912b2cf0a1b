"""An all-in-one board in figures: the time of a step, damaged frames, hosts that die, and the main job.

Run with ``OPENBLAS_NUM_THREADS=1 python benchmarks/board.py step``, or ``fuzz``, ``kills`` or ``iris``; the campaign of
faults is ``benchmarks/faults.py --bench board``. ``fuzz`` and ``kills`` compile the firmware and need g++ or clang++.

``step`` trains iris on an eight-port mesh through the emulated board and holds the time of a step (a probe of two
settings and 105 patterns) against the time that its bytes take on the line, ten bits for a byte, those of the request
and those of the answer one after the other, as in a list mode without overlap.

``kills`` lets a process use the firmware's board, trains or waits, kills it by SIGKILL at a random moment and then
reads in the board's own log how long after the last word it was parked.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from board_bench import board_file, board_spec, firmware_board
from board_fuzz import fed_to_emulation, fed_to_firmware, records
from wire import SETTINGS, furthest_apart, options_of, trained
from wired_bench import as_toml

from drivers.board import Board
from drivers.board.frames import Type
from drivers.board.messages import What
from drivers.emulator import EmulationProcess, read_witness
from drivers.emulator.board_firmware import compiled
from drivers.links.wire import Wire
from ffzero_lab import open_device
from ffzero_lab.datasets import load_dataset
from ffzero_lab.training import Session, TrainSettings

BAUDS = (115_200, 2_000_000)
BITS_PER_BYTE = 10
FUZZED_AT_ONCE = 50_000
WATCHDOG_MS = 500
KILLED_WITHIN_S = 0.6
OFF_WITHIN_S = 30.0
"""However busy the computer is; whether it was in time, the board's log tells."""
LINK = {"deadline_s": 1.0, "quiet_s": 0.1}
NARROWER = {"full_scale": 8.0}
"""Largest reading of the main job, in the twin's unit: all the light of eight ports."""


def with_board(content: dict[str, Any], full_scale: float | None = None) -> dict[str, Any]:
    """Return a bench file as the command line reads it."""
    if full_scale is not None:
        for layer in content["layers"]:
            layer["outputs"]["full_scale_w"] = full_scale
    return {"driver": "board", **content}


def step(baud: int, steps: int) -> dict[str, float]:
    """Return the seconds of a step, of its exchange and of its bytes on the line (medians), and the ratio."""
    options = options_of("ideal", 0)
    with (
        tempfile.TemporaryDirectory() as name,
        EmulationProcess(board_spec(options, baud=baud), Path(name)) as process,
        open_device("board", **board_file(options, process.resources["board"], baud=baud, **LINK)) as opened,
        Counting() as counting,
    ):
        settings = TrainSettings(dataset="iris", uncalibrated=True, baselines=False, steps=2 * steps, **SETTINGS)
        moments = Session(opened, load_dataset("iris"), settings).run()
        next(moments)
        counting.exchanges.clear()
        taken: list[float] = []
        for _ in range(steps):
            began_s = time.perf_counter()
            next(moments)
            taken.append(time.perf_counter() - began_s)
        moments.close()
        probes = [(n_bytes, took_s) for kind, n_bytes, took_s in counting.exchanges if kind == Type.PROBE]
    n_bytes = statistics.mean(n_bytes for n_bytes, _ in probes)
    bare_s = BITS_PER_BYTE * n_bytes / baud
    return {
        "baud": baud,
        "steps": steps,
        "bytes": n_bytes,
        "bare_ms": 1e3 * bare_s,
        "step_ms": 1e3 * statistics.median(taken),
        "exchange_ms": 1e3 * statistics.median(took_s for _, took_s in probes),
        "ratio": statistics.median(taken) / bare_s,
        "ratio_of_the_fastest_tenth": float(np.quantile(taken, 0.1)) / bare_s,
    }


class Counting:
    """Notes type, bytes and seconds of every exchange of every link while it stands."""

    def __init__(self) -> None:
        self.exchanges: list[tuple[int, int, float]] = []

    def __enter__(self) -> "Counting":
        self._exchange = exchange = Wire.exchange

        def counted(wire: Wire, message: bytes, reply: Any, deadline_s: float) -> Any:
            began_s = time.perf_counter()
            value = exchange(wire, message, reply, deadline_s)
            took_s = time.perf_counter() - began_s
            self.exchanges.append((message[1] if message else 0, len(message) + getattr(reply, "n_bytes", 0), took_s))
            return value

        Wire.exchange = counted  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Wire.exchange = self._exchange  # type: ignore[method-assign]


def fuzz(count: int, folder: Path, subjects: tuple[str, ...]) -> dict[str, Any]:
    """Give *count* damaged frames, drawn from seeds, to each subject."""
    program = compiled("board-feed", folder) if "firmware" in subjects else None
    told: dict[str, Any] = {}
    for subject in subjects:
        total: dict[str, Any] = {"seconds": time.perf_counter()}
        for seed in range(-(-count // FUZZED_AT_ONCE)):
            given = list(records(seed, min(FUZZED_AT_ONCE, count - seed * FUZZED_AT_ONCE)))
            verdict = (
                fed_to_emulation(given)
                if program is None or subject != "firmware"
                else fed_to_firmware(program, given, folder)
            )
            for key, value in {**vars(verdict), "clean": verdict.clean}.items():
                total[key] = (
                    value if key not in total else (total[key] and value if key == "clean" else total[key] + value)
                )
        total["seconds"] = round(time.perf_counter() - total["seconds"], 1)
        told[subject] = total
    return told


def use(content: Mapping[str, Any], seed: int, ready: Any) -> None:
    """Use a board until somebody ends this process: probe without end, or wait with everything energised."""
    rng = np.random.default_rng(seed)
    board = Board.open(Board.Config.model_validate(dict(content)))
    layer = board.description.layers[0]
    upper = layer.per_parameter("upper")
    board.load_inputs(0, rng.random((20, layer.n_inputs)))
    board.write_parameters(0, 0.2 * upper)
    ready.set()
    while True:
        if seed % 2:
            time.sleep(1.0)
        else:
            board.probe(0, 0.3 * upper * rng.random((4, len(upper))), np.arange(20))
            time.sleep(0.005)  # all that is seen is kept in a file


def kills(times: int, folder: Path) -> dict[str, Any]:
    """Kill the user of a board *times* times."""
    binary = compiled("board-host", folder)
    dice = random.Random(0)
    options = {"ports": 4, "layers": 2, "preset": "ideal", "seed": 1, "drive": "volts"}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["board"])
    silences_ms: list[int] = []
    witness = folder / "witness.jsonl"
    in_time = off = 0
    with firmware_board(binary, options, watchdog_ms=WATCHDOG_MS, witness=witness) as firmware:
        content = board_file(options, firmware.port, **LINK)
        for number in range(times):
            ready = context.Event()
            user = context.Process(target=use, args=(content, number, ready))
            user.start()
            if not ready.wait(60.0):
                raise SystemExit("a process could not use the board")
            time.sleep(dice.uniform(0.0, KILLED_WITHIN_S))
            os.kill(user.pid or 0, signal.SIGKILL)
            user.join()
            time.sleep(4e-3 * WATCHDOG_MS)  # a probe that was asked for is carried out first
            until_s = time.monotonic() + OFF_WITHIN_S
            while read_witness(witness).left_on() and time.monotonic() < until_s:
                time.sleep(0.01)
            off += not read_witness(witness).left_on()
            reader = Board.open(Board.Config.model_validate(content))
            entries = [entry for entry in reader.read_log() if entry.what != What.GREETED]
            reader.close()
            if entries[-1].what == What.WATCHDOG_PARKED:
                silences_ms.append(entries[-1].value)
                in_time += entries[-1].value <= WATCHDOG_MS
    return {
        "kills": times,
        "watchdog_ms": WATCHDOG_MS,
        "parked_in_time": in_time,
        "everything_off": off,
        "silence_ms": sorted(silences_ms),
    }


def iris(folder: Path, preset: str, seed: int, steps: int) -> dict[str, Any]:
    """Train through the board and in-process; return the figures of both."""
    folder.mkdir()
    options = options_of(preset, seed)
    more = NARROWER if preset == "ideal" else {}
    spec = board_spec(options, baud=BAUDS[-1], **more)
    with EmulationProcess(spec, folder) as process:
        content = board_file(options, process.resources["board"], baud=BAUDS[-1], **LINK)
        (folder / "board.toml").write_text(as_toml(with_board(content, **more)), encoding="utf-8")
        board = trained(folder, str(folder / "board.toml"), {}, seed, steps)
    alone = trained(folder, "twin", options, seed, steps)
    return {
        "preset": preset,
        "seed": seed,
        "board": board["test_accuracy"][board["readout"]],
        "in_process": alone["test_accuracy"][alone["readout"]],
        "furthest_apart_v": furthest_apart(folder, board, alone),
        "board_wall_s": board["wall_seconds"],
        "shots": [board["shots"], alone["shots"]],
    }


def main() -> None:
    """Measure and print one line of JSON for each figure; the exit code is 0 when every figure is reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["step", "fuzz", "kills", "iris"])
    parser.add_argument("--count", type=int, help="steps, frames, kills, or steps of each layer")
    parser.add_argument("--seeds", type=int, default=3, help="of iris")
    parser.add_argument("--subject", choices=["firmware", "emulation"], action="append", help="of fuzz; default both")
    arguments = parser.parse_args()
    reached = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        match arguments.what:
            case "step":
                for baud in BAUDS:
                    found: dict[str, Any] = step(baud, arguments.count or (40 if baud < 1e6 else 200))
                    reached &= found["ratio"] <= 1.15
                    print(json.dumps(found), flush=True)
            case "fuzz":
                subjects = tuple(arguments.subject or ("firmware", "emulation"))
                for subject, found in fuzz(arguments.count or 1_000_000, folder, subjects).items():
                    reached &= found["clean"]
                    print(json.dumps({"subject": subject, **found}), flush=True)
            case "kills":
                found = kills(arguments.count or 50, folder)
                reached = found["parked_in_time"] == found["everything_off"] == found["kills"]
                print(json.dumps(found))
            case _:
                for preset in ("ideal", "typical"):
                    for seed in range(arguments.seeds):
                        print(
                            json.dumps(iris(folder / f"{preset}{seed}", preset, seed, arguments.count or 400)),
                            flush=True,
                        )
    sys.exit(not reached)


if __name__ == "__main__":
    main()
