"""What a Qontrol rack costs, and what it reaches: vectors and training steps beside their bare wire time; accuracy.

Run with ``OPENBLAS_NUM_THREADS=1 python benchmarks/qontrol.py``. The rack is emulated at a pseudo-terminal in a process
of its own, and every byte takes ten bits of its time. Three figures, at 115,200 and at 2,000,000 baud, in ASCII and in
binary frames:

*vectors*: 64 heaters written (eight messages, acknowledged, not measured) beside what their bytes need on the wire, and
beside the same bytes sent and received by hand through pyserial, in turns; *best* is the shortest of ours beside what
the bytes need, for a computer that has other work.

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
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from qontrol_bench import rack_bench_of
from wire import SETTINGS, furthest_apart, options_of, trained
from wired_bench import Emulated

from drivers.bench import Bench
from drivers.emulator.qontrol_grammar import message_end
from drivers.qontrol.rack import Rack
from ffzero_lab import open_device
from ffzero_lab.datasets import load_dataset
from ffzero_lab.training import Session, TrainSettings

BAUDS = (115_200, 2_000_000)
FORMS = ("ascii", "binary")
HEAD = f"{'milliseconds, medians of turns':52s} {'ours':>9s} {'by hand':>9s} ratio  {'bare':>9s}  ratio   best"
BITS_PER_BYTE = 10
BUFFER_BYTES = 1024
"""What the rack is sent at once: all vectors of 64 heaters."""
Way = tuple[Callable[[bytes], Any], Callable[[], bytes]]
"""How to send and how to receive."""


def bench(options: dict[str, Any], baud: int, form: str, read_back: str, log: Path | None = None) -> dict[str, Any]:
    """Return a bench on a rack; with *log*, both links write down what they say."""
    more = {} if log is None else {"log": str(log)}
    rack = {"buffer_bytes": BUFFER_BYTES, **more}
    return rack_bench_of(options, baud=baud, form=form, read_back=read_back, rack=rack, link=more)


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


class ByHand:
    """Sends and receives what an open bench has said before, over its own serial port and a socket of its own.

    Both are waited for without looking at any deadline, as one does it by hand. Use it as a context.
    """

    def __init__(self, bench: Bench, rows: list[dict[str, Any]]) -> None:
        self._rack: Rack = next(iter(bench._instruments.actuators.values())).driver._rack
        ways: dict[str, Way] = {}
        self._sockets: list[socket.socket] = []
        for resource in {row["resource"] for row in rows}:
            if "::" not in resource:
                continue
            host, port = resource.split("::")[1:3]
            connection = socket.create_connection((host, int(port)))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ways[resource] = (connection.sendall, partial(connection.recv, 65_536))
            self._sockets.append(connection)
        self._port = port = self._rack.link._wire.stream._port
        line: Way = (port.write, lambda: port.read(max(1, port.in_waiting)))
        self._messages = [
            (ways.get(row["resource"], line), row["sent"].encode("latin-1"), len(row["received"])) for row in rows
        ]

    def __enter__(self) -> "ByHand":
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._sockets:
            connection.close()

    def seconds(self) -> float:
        """Return how long all exchanges take, one after the other."""
        self._port.timeout = self._port.write_timeout = 2.0
        began_s = time.perf_counter()
        for (send, receive), sent, expected in self._messages:
            send(sent)
            received = 0
            while received < expected:
                received += len(receive())
        taken_s = time.perf_counter() - began_s
        self._port.timeout = self._port.write_timeout = 0
        return taken_s


def logged(log: Path, since: int = 0) -> list[dict[str, Any]]:
    """Return the exchanges that were written down, from row *since* on."""
    return [json.loads(row) for row in log.read_text().splitlines()[since:]]


def vectors(folder: Path, baud: int, form: str, times: int) -> dict[str, float]:
    """Return the times of a write of 64 heaters: ours and by hand in turns, and what the bytes need."""
    folder.mkdir()
    log = folder / "log.jsonl"
    options = {**options_of("ideal", 0), "layers": 1}
    settings = 0.5 + np.random.default_rng(1).random((4, 64))
    with Emulated(folder, bench(options, baud, form, "reading")) as emulated:
        with open_device(str(emulated.file), links={"rack": {"log": str(log)}}) as opened:
            opened.write_parameters(0, settings[0])
            before = len(logged(log))
            opened.write_parameters(0, settings[1])
            rows = logged(log, before)
        with open_device(str(emulated.file)) as opened, ByHand(opened.driver, rows) as by_hand:
            opened.write_parameters(0, settings[0])
            turns = [
                (seconds(partial(opened.write_parameters, 0, settings[number % 4])), by_hand.seconds())
                for number in range(times)
            ]
    return figures(turns, wire_s(rows, baud))


def step(folder: Path, baud: int, form: str, read_back: str, steps: int) -> dict[str, float]:
    """Return the times of a training step: ours and by hand in turns, and what the bytes of the rack need."""
    folder.mkdir()
    log = folder / "log.jsonl"
    settings = TrainSettings(dataset="iris", uncalibrated=True, baselines=False, steps=8 * steps, **SETTINGS)
    with Emulated(folder, bench(options_of("ideal", 0), baud, form, read_back)) as emulated:
        with open_device(str(emulated.file), links={name: {"log": str(log)} for name in ("rack", "meter0")}) as opened:
            moments = Session(opened, load_dataset("iris"), settings).run()
            rows = logged(log)
            while len(rows) < 400:  # until a step has been made
                before = len(logged(log))
                next(moments)
                rows = logged(log, before)
            moments.close()
        with open_device(str(emulated.file)) as opened, ByHand(opened.driver, rows) as by_hand:
            moments = Session(opened, load_dataset("iris"), settings).run()
            while seconds(partial(next, moments)) < 0.02:
                pass
            turns = [(seconds(partial(next, moments)), by_hand.seconds()) for _ in range(steps)]
            moments.close()
    return figures(turns, wire_s([row for row in rows if "::" not in row["resource"]], baud))


def seconds(act: Callable[[], Any]) -> float:
    """Return how long *act* takes."""
    began_s = time.perf_counter()
    act()
    return time.perf_counter() - began_s


def figures(turns: list[tuple[float, float]], bare_s: float) -> dict[str, float]:
    """Return medians, the shortest of ours, and the median of the ratios of each turn."""
    ours_s, by_hand_s = zip(*turns, strict=True)
    return {
        "ours_s": statistics.median(ours_s),
        "shortest_s": min(ours_s),
        "by_hand_s": statistics.median(by_hand_s),
        "ratio_by_hand": statistics.median(mine / its for mine, its in turns),
        "bare_wire_s": bare_s,
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


def measurements(home: Path, wanted: argparse.Namespace) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield what is measured, one after the other."""
    for baud in wanted.bauds:
        for form in wanted.forms:
            what = f"{baud:,} baud, {form}"
            yield f"vectors, {what}", vectors(home / f"v{baud}{form}", baud, form, wanted.times)
            for read_back in ("reading", "write"):
                folder = home / f"s{baud}{form}{read_back}"
                row = step(folder, baud, form, read_back, wanted.timed_steps)
                yield f"a step measured with each {read_back}, {what}", row


def told(name: str, row: dict[str, float]) -> str:
    """Return one line of the table of times."""
    bare_s = row["bare_wire_s"]
    return (
        f"{name:52s} {1e3 * row['ours_s']:9.2f} {1e3 * row['by_hand_s']:9.2f} {row['ratio_by_hand']:6.2f} "
        f"{1e3 * bare_s:9.2f} {row['ours_s'] / bare_s:6.2f} {row['shortest_s'] / bare_s:6.2f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="seeds of each preset for the accuracy; 0: none")
    parser.add_argument("--steps", type=int, default=400, help="steps of each layer, for the accuracy")
    parser.add_argument("--times", type=int, default=40, help="writes of 64 heaters")
    parser.add_argument("--timed-steps", type=int, default=5)
    parser.add_argument("--forms", nargs="*", choices=FORMS, default=[*FORMS])
    parser.add_argument("--bauds", type=int, nargs="*", default=[*BAUDS])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    times: dict[str, dict[str, float]] = {}
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        print(HEAD, file=sys.stderr)
        for what, measured in measurements(home, arguments):
            times[what] = measured
            print(told(what, measured), file=sys.stderr, flush=True)
        for preset in ("ideal", "typical"):
            for seed in range(arguments.seeds):
                form = FORMS[seed % 2]
                runs.append(compared(home / f"{preset}{seed}", preset, seed, arguments.steps, form))
                print(json.dumps(runs[-1]), file=sys.stderr, flush=True)
    if arguments.json:
        print(json.dumps({"times": times, "runs": runs}, indent=2))
        return
    print(HEAD)
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
