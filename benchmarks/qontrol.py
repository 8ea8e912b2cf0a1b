"""What a Qontrol rack costs, and what it reaches: vectors and training steps beside their bare wire time; accuracy.

Run with ``OPENBLAS_NUM_THREADS=1 python benchmarks/qontrol.py``. The rack is emulated at a pseudo-terminal in a process
of its own, and every byte takes ten bits of its time. Three figures, at 115,200 and at 2,000,000 baud, in ASCII and in
binary frames:

*vectors*: 64 heaters written (eight messages, acknowledged, not measured) and the same bytes sent and received by hand
through pyserial, in turns, both beside what the bytes need on the wire: the median turn and, in brackets, the tenth and
the ninetieth of a hundred, since a computer has other work; *processor* is what a write takes of ours.

*a step*: a training step of iris on eight ports (heaters, patterns and measured outputs on the rack, the power meter
over TCP) beside the wire time of all its bytes on the rack's line, and the same bytes by hand, on both links; the line
below says which part of either is exchanges with the rack and which with the meter, and what is left.

With ``--awake``, processes that do nothing, and give way to everything, keep the processors from falling asleep between
two exchanges: a virtual one takes a good part of a millisecond to wake up, which is neither the driver nor the line.

*accuracy*: ``ffzero-lab train`` on the rack and on the same twin in-process, as ``benchmarks/wire.py`` does over TCP.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from qontrol_bench import rack_bench_of
from wire import SETTINGS, furthest_apart, options_of, trained
from wired_bench import Emulated

from drivers.bench import Bench
from drivers.emulator.qontrol_grammar import message_end
from drivers.links.wire import Wire
from drivers.qontrol.rack import Rack
from ffzero_lab import open_device
from ffzero_lab.datasets import load_dataset
from ffzero_lab.training import Session, TrainSettings

BAUDS = (115_200, 2_000_000)
FORMS = ("ascii", "binary")
HEAD = (
    f"{'beside what the bytes need on the wire':52s} {'bare':>8s} {'ours':>18s} {'by hand':>18s} {'ours by hand':>12s} "
    f"{'processor':>10s}"
)
PERCENT = (10, 50, 90)
IDLING = "import os; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nwhile True: pass"
BITS_PER_BYTE = 10
BUFFER_BYTES = 1024
"""What the rack is sent at once: all vectors of 64 heaters."""
Way = tuple[Callable[[bytes], Any], Callable[[], bytes]]
"""How to send and how to receive."""


def bench(options: dict[str, Any], baud: int, form: str, read_back: str, log: Path | None = None) -> dict[str, Any]:
    """Return a bench on a rack; with *log*, both links write down what they say."""
    more = {} if log is None else {"log": str(log)}
    rack = {"buffer_bytes": BUFFER_BYTES, **more}
    name = f"racked{os.getpid()}"  # somebody else may measure at the same time, and a bench has one owner
    return rack_bench_of(options, baud=baud, form=form, read_back=read_back, rack=rack, link=more, name=name)


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
        self._line = line

    def __enter__(self) -> "ByHand":
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._sockets:
            connection.close()

    def taken(self) -> "Taken":
        """Return how long all exchanges take, one after the other."""
        self._port.timeout = self._port.write_timeout = 2.0
        line_s = 0.0
        began_s = ended_s = time.perf_counter()
        for way, sent, expected in self._messages:
            way[0](sent)
            received = 0
            while received < expected:
                received += len(way[1]())
            before_s, ended_s = ended_s, time.perf_counter()
            line_s += ended_s - before_s if way is self._line else 0.0
        self._port.timeout = self._port.write_timeout = 0
        return Taken(ended_s - began_s, line_s, ended_s - began_s - line_s)


class Taken(NamedTuple):
    """Seconds of something that was done: all, those of exchanges with the rack and with meters, of the processor."""

    whole_s: float
    rack_s: float
    meter_s: float
    processor_s: float = 0.0


class Ours:
    """Tells how long acts take, and how long the exchanges of all links meanwhile. Use it as a context."""

    def __init__(self) -> None:
        self._exchange = Wire.exchange
        self._spent_s = {True: 0.0, False: 0.0}

    def __enter__(self) -> "Ours":
        exchange, spent_s = self._exchange, self._spent_s

        def timed(wire: Any, *arguments: Any) -> Any:
            began_s = time.perf_counter()
            answer = exchange(wire, *arguments)
            spent_s["::" in wire._resource] += time.perf_counter() - began_s
            return answer

        Wire.exchange = timed  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Wire.exchange = self._exchange  # type: ignore[method-assign]

    def taken(self, act: Callable[[], Any]) -> Taken:
        """Return what *act* takes."""
        self._spent_s |= {True: 0.0, False: 0.0}
        began_s, processor_s = time.perf_counter(), time.thread_time()
        act()
        whole_s = time.perf_counter() - began_s
        return Taken(whole_s, self._spent_s[False], self._spent_s[True], time.thread_time() - processor_s)


def logged(log: Path, since: int = 0) -> list[dict[str, Any]]:
    """Return the exchanges that were written down, from row *since* on."""
    return [json.loads(row) for row in log.read_text().splitlines()[since:]]


def vectors(folder: Path, baud: int, form: str, times: int) -> dict[str, Any]:
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
        with open_device(str(emulated.file)) as opened, ByHand(opened.driver, rows) as by_hand, Ours() as ours:
            opened.write_parameters(0, settings[0])
            turns = [
                (ours.taken(partial(opened.write_parameters, 0, settings[number % 4])), by_hand.taken())
                for number in range(times)
            ]
    return figures(turns, wire_s(rows, baud))


def step(folder: Path, baud: int, form: str, read_back: str, steps: int) -> dict[str, Any]:
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
        with open_device(str(emulated.file)) as opened, ByHand(opened.driver, rows) as by_hand, Ours() as ours:
            moments = Session(opened, load_dataset("iris"), settings).run()
            while ours.taken(partial(next, moments)).whole_s < 0.02:
                pass
            turns = [(ours.taken(partial(next, moments)), by_hand.taken()) for _ in range(steps)]
            moments.close()
    return figures(turns, wire_s([row for row in rows if "::" not in row["resource"]], baud))


def figures(turns: list[tuple[Taken, Taken]], bare_s: float) -> dict[str, Any]:
    """Return tenths, medians and ninetieths, and medians of the parts of each and of the ratios of each turn."""
    ways = zip(("ours", "by_hand"), zip(*turns, strict=True), strict=True)
    told: dict[str, Any] = {"bare_wire_s": bare_s}
    for name, taken in ways:
        told[f"{name}_s"] = np.percentile([one.whole_s for one in taken], PERCENT).tolist()
        for part in ("rack_s", "meter_s", "processor_s"):
            told[f"{name}_{part}"] = statistics.median(getattr(one, part) for one in taken)
    told["ratio_by_hand"] = statistics.median(mine.whole_s / its.whole_s for mine, its in turns)
    return told


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


def measurements(home: Path, wanted: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is measured, one after the other."""
    for baud in wanted.bauds:
        for form in wanted.forms:
            what = f"{baud:,} baud, {form}"
            yield f"vectors, {what}", vectors(home / f"v{baud}{form}", baud, form, wanted.times)
            for read_back in ("reading", "write"):
                folder = home / f"s{baud}{form}{read_back}"
                row = step(folder, baud, form, read_back, wanted.timed_steps)
                yield f"a step measured with each {read_back}, {what}", row


def told(name: str, row: dict[str, Any]) -> str:
    """Return one line of the table of times, for a step two."""
    bare_s = row["bare_wire_s"]
    ratios = [
        "{1:5.2f} ({0:.2f}-{2:.2f})".format(*(one / bare_s for one in row[f"{way}_s"])) for way in ("ours", "by_hand")
    ]
    line = (
        f"{name:52s} {1e3 * bare_s:5.2f} ms {ratios[0]:>18s} {ratios[1]:>18s} {row['ratio_by_hand']:12.2f} "
        f"{1e3 * row['ours_processor_s']:7.2f} ms"
    )
    return line if row["ours_meter_s"] == 0.0 else f"{line}\n{parts_told(row)}"


def parts_told(row: dict[str, Any]) -> str:
    """Return what a step is made of."""
    ours, hand = row["ours_s"][1], row["by_hand_s"][1]
    rest = ours - row["ours_rack_s"] - row["ours_meter_s"]
    return (
        f"    ours {1e3 * ours:.1f} ms: rack {1e3 * row['ours_rack_s']:.1f}, meter {1e3 * row['ours_meter_s']:.1f}, "
        f"the rest {1e3 * rest:.1f}; by hand {1e3 * hand:.1f} ms: rack {1e3 * row['by_hand_rack_s']:.1f}, "
        f"meter {1e3 * row['by_hand_meter_s']:.1f}"
    )


@contextmanager
def processors_awake(*, wanted: bool) -> Generator[None]:
    """Keep all processors from falling asleep meanwhile, if *wanted*, with processes that give way to everything."""
    count = (os.cpu_count() or 1) if wanted else 0
    idling = [subprocess.Popen([sys.executable, "-c", IDLING]) for _ in range(count)]
    try:
        yield
    finally:
        for process in idling:
            process.kill()
            process.wait()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="seeds of each preset for the accuracy; 0: none")
    parser.add_argument("--steps", type=int, default=400, help="steps of each layer, for the accuracy")
    parser.add_argument("--times", type=int, default=40, help="writes of 64 heaters")
    parser.add_argument("--timed-steps", type=int, default=5)
    parser.add_argument("--forms", nargs="*", choices=FORMS, default=[*FORMS])
    parser.add_argument("--bauds", type=int, nargs="*", default=[*BAUDS])
    parser.add_argument("--awake", action="store_true", help="keep the processors from falling asleep")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    times: dict[str, dict[str, Any]] = {}
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        print(HEAD, file=sys.stderr)
        with processors_awake(wanted=arguments.awake):
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
