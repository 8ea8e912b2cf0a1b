"""What a Qontrol rack costs, and what it reaches: vectors and training steps beside their bare wire time; accuracy.

Run with ``OPENBLAS_NUM_THREADS=1 python benchmarks/qontrol.py``. The rack is emulated at a pseudo-terminal in a process
of its own, and every byte takes ten bits of its time. Three figures, at 115,200 and at 2,000,000 baud, in ASCII and in
binary frames:

*vectors*: 64 heaters written (eight messages, acknowledged, not measured) beside what their bytes need on the wire, and
beside the same bytes sent and received by hand with pyserial, in turns.

*a step*: a training step of iris on eight ports (heaters, patterns and measured outputs on the rack, the power meter
over TCP) beside the wire time of all its bytes on the rack's line, and beside the same bytes by hand, on both links.

*accuracy*: ``ffzero-lab train`` on the rack and on the same twin in-process, as ``benchmarks/wire.py`` does over TCP.
"""

import argparse
import json
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import serial
from qontrol_bench import rack_bench_of
from wire import SETTINGS, furthest_apart, options_of, trained
from wired_bench import Emulated

from drivers.emulator.qontrol_grammar import message_end
from ffzero_lab import open_device
from ffzero_lab.datasets import load_dataset
from ffzero_lab.training import Session, TrainSettings

BAUDS = (115_200, 2_000_000)
FORMS = ("ascii", "binary")
BITS_PER_BYTE = 10


def bench(options: dict[str, Any], baud: int, form: str, read_back: str, log: Path | None = None) -> dict[str, Any]:
    """Return a bench on a rack; with *log*, both links write down what they say."""
    more = {} if log is None else {"log": str(log)}
    return rack_bench_of(options, baud=baud, form=form, read_back=read_back, rack=more, link=more)


def wire_s(rows: list[dict[str, Any]], baud: int) -> float:
    """Return how long the bytes of exchanges need at least: what is sent, then the end of what comes back.

    Both directions are used at once: a line of an answer can be on its way while the next message is. Of a batch of
    messages, the answers begin when the first of them has arrived; the exchange ends when all bytes are through, and
    the last answer cannot begin before the last message has arrived.
    """
    byte_s, whole_s = BITS_PER_BYTE / baud, 0.0
    for row in rows:
        sent, answers = row["sent"].encode("latin-1"), row["received"].encode("latin-1")
        arrived_s = outgoing_s = 0.0
        lines = answers.splitlines(keepends=True)
        messages: list[bytes] = []
        while sent:
            end = message_end(sent)
            assert end is not None
            messages.append(sent[:end])
            sent = sent[end:]
        for number, message in enumerate(messages):
            arrived_s += len(message) * byte_s
            own = lines[number : number + 1] if number < len(messages) - 1 else lines[number:]
            outgoing_s = max(outgoing_s, arrived_s) + sum(map(len, own)) * byte_s
        whole_s += outgoing_s
    return whole_s


def played_s(rows: list[dict[str, Any]], baud: int) -> float:
    """Return the seconds in which exchanges go over bare ports and sockets, one after the other."""
    ways: dict[str, tuple[Callable[[bytes], Any], Callable[[], bytes]]] = {}
    with_all: list[Any] = []
    for resource in {row["resource"] for row in rows}:
        if "::" in resource:
            host, port = resource.split("::")[1:3]
            connection = socket.create_connection((host, int(port)))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ways[resource] = (connection.sendall, lambda connection=connection: connection.recv(65_536))
            with_all.append(connection)
        else:
            line = serial.Serial(resource, baud, timeout=2.0)
            ways[resource] = (line.write, lambda line=line: line.read(max(1, line.in_waiting)))
            with_all.append(line)
    messages = [(ways[row["resource"]], row["sent"].encode("latin-1"), len(row["received"])) for row in rows]
    began_s = time.perf_counter()
    for (send, receive), sent, expected in messages:
        send(sent)
        received = 0
        while received < expected:
            received += len(receive())
    taken_s = time.perf_counter() - began_s
    for way in with_all:
        way.close()
    return taken_s


def logged(log: Path, since: int = 0) -> list[dict[str, Any]]:
    """Return the exchanges that were written down, from row *since* on."""
    return [json.loads(row) for row in log.read_text().splitlines()[since:]]


def vectors(folder: Path, baud: int, form: str, times: int) -> dict[str, float]:
    """Return the medians of a write of 64 heaters: ours, by hand, and what the bytes need."""
    folder.mkdir()
    log = folder / "log.jsonl"
    options = {**options_of("ideal", 0), "layers": 1}
    ours: list[float] = []
    with Emulated(folder, bench(options, baud, form, "reading")) as emulated:
        with open_device(str(emulated.file), links={"rack": {"log": str(log)}}) as opened:
            settings = 0.5 + np.random.default_rng(1).random((4, 64))
            opened.write_parameters(0, settings[0])
            before = len(logged(log))
            opened.write_parameters(0, settings[1])
            rows = logged(log, before)
        with open_device(str(emulated.file)) as opened:
            opened.write_parameters(0, settings[0])
            for number in range(times):
                began_s = time.perf_counter()
                opened.write_parameters(0, settings[number % 4])
                ours.append(time.perf_counter() - began_s)
        by_hand = [played_s(rows, baud) for _ in range(times)]
    return {
        "ours_s": statistics.median(ours),
        "by_hand_s": statistics.median(by_hand),
        "bare_wire_s": wire_s(rows, baud),
    }


def step(folder: Path, baud: int, form: str, read_back: str, steps: int) -> dict[str, float]:
    """Return the times of a training step: ours, the same bytes by hand, and what those of the rack need."""
    folder.mkdir()
    log = folder / "log.jsonl"
    options = options_of("ideal", 0)
    settings = TrainSettings(dataset="iris", uncalibrated=True, baselines=False, steps=8 * steps, **SETTINGS)
    with Emulated(folder, bench(options, baud, form, read_back)) as emulated:
        links = {name: {"log": str(log)} for name in ("rack", "meter0")}
        with open_device(str(emulated.file), links=links) as opened:
            moments = Session(opened, load_dataset("iris"), settings).run()
            next(moments)
            before = len(logged(log))
            next(moments)
            rows = logged(log, before)
            moments.close()
        with open_device(str(emulated.file)) as opened:
            moments = Session(opened, load_dataset("iris"), settings).run()
            next(moments)
            ours, by_hand = [], []
            for _ in range(steps):
                began_s = time.perf_counter()
                next(moments)
                ours.append(time.perf_counter() - began_s)
            moments.close()
        by_hand = [played_s(rows, baud) for _ in range(steps)]
    return {
        "ours_s": statistics.median(ours),
        "by_hand_s": statistics.median(by_hand),
        "bare_wire_s": wire_s([row for row in rows if "::" not in row["resource"]], baud),
    }


def compared(folder: Path, preset: str, seed: int, steps: int, form: str) -> dict[str, Any]:
    """Train on a rack and in-process; return the figures of both."""
    folder.mkdir()
    options = options_of(preset, seed)
    with Emulated(folder, bench(options, BAUDS[1], form, "reading")) as emulated:
        racked = trained(folder, str(emulated.file), {}, seed, steps)
    alone = trained(folder, "twin", options, seed, steps)
    return {
        "preset": preset,
        "form": form,
        "seed": seed,
        "rack": racked["test_accuracy"][racked["readout"]],
        "in_process": alone["test_accuracy"][alone["readout"]],
        "furthest_apart_v": furthest_apart(folder, racked, alone),
        "rack_wall_s": racked["wall_seconds"],
    }


def told(name: str, row: dict[str, float]) -> str:
    """Return one line of the table of times."""
    ours_s, by_hand_s, bare_s = row["ours_s"], row["by_hand_s"], row["bare_wire_s"]
    return (
        f"{name:46s} {1e3 * ours_s:9.2f} ms   {1e3 * by_hand_s:9.2f} ms ({ours_s / by_hand_s:.2f})   "
        f"{1e3 * bare_s:9.2f} ms ({ours_s / bare_s:.2f})"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="seeds of each preset for the accuracy; 0: none")
    parser.add_argument("--steps", type=int, default=400, help="steps of each layer, for the accuracy")
    parser.add_argument("--times", type=int, default=40, help="writes of 64 heaters")
    parser.add_argument("--timed-steps", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    times: dict[str, dict[str, float]] = {}
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        for baud in BAUDS:
            for form in FORMS:
                what = f"{baud:,} baud, {form}"
                times[f"vectors, {what}"] = vectors(home / f"v{baud}{form}", baud, form, arguments.times)
                for read_back in ("reading", "write"):
                    key = f"a step measured with each {read_back}, {what}"
                    times[key] = step(home / f"s{baud}{form}{read_back}", baud, form, read_back, arguments.timed_steps)
        for preset in ("ideal", "typical"):
            for seed in range(arguments.seeds):
                form = FORMS[seed % 2]
                runs.append(compared(home / f"{preset}{seed}", preset, seed, arguments.steps, form))
                print(json.dumps(runs[-1]), file=sys.stderr, flush=True)
    if arguments.json:
        print(json.dumps({"times": times, "runs": runs}, indent=2))
        return
    print(f"{'':46s} {'ours':>12s}   {'by hand (ratio)':>19s}   {'bare wire (ratio)':>19s}")
    for key, row in times.items():
        print(told(key, row))
    for preset in ("ideal", "typical") if runs else ():
        own = [row for row in runs if row["preset"] == preset]
        scores = {way: statistics.mean(row[way] for row in own) for way in ("rack", "in_process")}
        apart = max(row["furthest_apart_v"] for row in own)
        print(
            f"iris, {preset}: test accuracy {scores['rack']:.3f} on a rack, {scores['in_process']:.3f} in-process "
            f"(means of {len(own)}), parameters at most {apart:.2g} V apart"
        )


if __name__ == "__main__":
    main()
