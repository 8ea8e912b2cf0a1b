"""Signals at random moments of a run on a bench that another process watches: parked, off, ended as told.

Run with ``python benchmarks/signals.py --injections 100 --seed 0``. Each injection starts a training run in a process
of its own and sends it one, two or three signals at random moments, from the start of the process to its very end; some
runs are paused, slow to read or slow to park. Judged by the witness: seconds from the first signal until every output
was off for good, and outputs left on; and by the process: its exit code, the last line it printed, and whether that
line works. A signal before the interpreter has reached the first line of ffzero-lab ends the process by the system's
default.
"""

import argparse
import json
import random
import shlex
import signal
import statistics
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from recorded_bench import HANDLED, Table

TOLERATED_S = 1.0
TOGETHER_S = 0.02
"""Signals of different kinds within one call into compiled code are handled in the order of their numbers."""
RESUME_EVERY = 8
PAUSED_S = 0.3


@dataclass
class Injection:
    """What was done to one run, and what came of it."""

    at_s: float | None
    """Seconds after the start of the process, or None."""
    after_message: int
    """Message of the bench to its witness after which it happens, when it is not at a time."""
    signals: list[str]
    gaps_s: list[float]
    faults: dict[str, float]
    paused: bool
    as_json: bool
    code: int = 0
    reached: str = ""
    off_s: float = 0.0
    end_s: float = 0.0
    left_on: int = 0
    exit_right: bool = False
    last_line_right: bool = False
    resumed: bool | None = None

    @property
    def by_default(self) -> bool:
        """Whether the system ended the process before ffzero-lab heard signals."""
        return self.code < 0

    @property
    def right(self) -> bool:
        """Whether everything was as it should be."""
        parked = self.off_s <= TOLERATED_S and self.left_on == 0
        return parked and self.exit_right and self.last_line_right and self.resumed is not False


def drawn(rng: random.Random, whole_s: float, messages: int) -> Injection:
    """Draw one injection into a run that takes *whole_s* and tells so many messages undisturbed.

    A third comes at any time from the start on, half after any message, the others after one of the last: evaluation,
    summary, parking, closing.
    """
    when = rng.choice(("time", "time", "message", "message", "message", "end"))
    count = rng.choice((1, 2, 3))
    gap_s = rng.choice((0.0, 0.003, 0.03, 0.3))
    return Injection(
        at_s=rng.uniform(0.0, whole_s) if when == "time" else None,
        after_message=messages - rng.randrange(12) if when == "end" else rng.randint(1, messages),
        signals=[rng.choice(HANDLED).name for _ in range(count)],
        gaps_s=[rng.uniform(0.5, 1.5) * gap_s for _ in range(count - 1)],
        faults=rng.choice(({}, {}, {"park_s": 0.15}, {"exchange_s": 0.1}, {"exchange_s": 0.02, "park_s": 0.1})),
        paused=rng.random() < 0.2,
        as_json=rng.random() < 0.3,
    )


def inject(table: Table, injection: Injection, name: str) -> str:
    """Carry out one injection; returns what the process printed."""
    table.witness.forget()
    table.fault(**injection.faults)
    before = set(table.runs)
    began = time.monotonic()
    kept_apart = subprocess.PIPE if injection.as_json else subprocess.STDOUT
    process = table.start(*table.train("--name", name, *["--json"] * injection.as_json), stderr=kept_apart)
    asked_s = float("inf")

    def too_early() -> bool:
        if time.monotonic() - asked_s > PAUSED_S:  # nothing more will come
            return False
        if injection.at_s is not None:
            return time.monotonic() - began < injection.at_s
        return len(table.witness.seen) < injection.after_message

    while too_early() and process.poll() is None:
        if injection.paused and asked_s == float("inf") and table.witness.whats().count("exchanged") > 20:
            (run,) = set(table.runs) - before
            (run / "control" / "pause.json").write_text('{"name": "pause", "park": false}')
            asked_s = time.monotonic()
        time.sleep(0.0003)
    first_s = time.monotonic()
    for kind, gap_s in zip(injection.signals, [*injection.gaps_s, 0.0], strict=True):
        process.send_signal(signal.Signals[kind])
        time.sleep(gap_s)
    out, _ = process.communicate(timeout=60)
    time.sleep(0.01)
    injection.end_s = time.monotonic() - first_s
    injection.code, injection.left_on = process.returncode, table.witness.on
    injection.off_s = table.witness.off_after(first_s)
    judge(injection, out, set(table.runs) - before)
    return out


def judge(injection: Injection, out: str, made: set[Path]) -> None:
    """Fill in whether the process ended as it should."""
    possible = [injection.signals[0]]
    for name, gap_s in zip(injection.signals[1:], injection.gaps_s, strict=True):
        if gap_s > TOGETHER_S:
            break
        possible.append(name)
    run = next(iter(made), None)
    complete = run is not None and (run / "summary.json").is_file()
    injection.reached = "no run folder" if run is None else "complete" if complete else "run folder"
    if injection.by_default:
        injection.exit_right = -injection.code in {signal.Signals[name] for name in possible} and run is None
        injection.last_line_right = True
        return
    codes = {128 + signal.Signals[name] for name in possible}
    injection.exit_right = injection.code in codes or (injection.code == 0 and complete)
    if injection.as_json and out:
        out = "\n".join(json.loads(out).get("error", {}).get("notes", []))
    last = out.rstrip("\n").rpartition("\n")[2]
    resumes = last.startswith("ffzero-lab train --resume ")
    injection.last_line_right = resumes == (run is not None and not complete)


def resumes(table: Table, out: str, as_json: bool) -> bool:
    """Carry out the last line that was printed."""
    table.fault()
    if as_json:
        out = "\n".join(json.loads(out)["error"]["notes"])
    command = shlex.split(out.rstrip("\n").rpartition("\n")[2])[1:]
    code, _, err = table.run(*command)
    if code:
        print(err)
    return code == 0 and (table.folder / command[-1] / "summary.json").is_file() and table.witness.on == 0


def main() -> int:
    """Inject, judge, print; 1 when anything was not right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--injections", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    done: list[Injection] = []
    with tempfile.TemporaryDirectory() as folder:
        table = Table(Path(folder))
        table.run(*table.train())
        table.witness.forget()
        began = time.monotonic()
        table.run(*table.train("--name", "whole"))
        whole_s, messages = time.monotonic() - began, len(table.witness.seen)
        for number in range(arguments.injections):
            injection = drawn(rng, whole_s, messages)
            out = inject(table, injection, f"injection{number}")
            if injection.reached == "run folder" and injection.last_line_right and number % RESUME_EVERY == 0:
                injection.resumed = resumes(table, out, injection.as_json)
            done.append(injection)
            if not injection.right:
                print(json.dumps(asdict(injection)), out, sep="\n")
    heard = [injection for injection in done if not injection.by_default]
    energised = [injection.off_s for injection in heard if injection.off_s > 0.0]
    result = {
        "injections": len(done),
        "right": sum(injection.right for injection in done),
        "before_handlers": len(done) - len(heard),
        "latest_before_handlers_s": max((i.at_s or 0.0 for i in done if i.by_default), default=0.0),
        "reached": {
            name: sum(i.reached == name for i in heard) for name in ("no run folder", "run folder", "complete")
        },
        "ended_complete": sum(injection.code == 0 for injection in heard),
        "energised_at_signal": len(energised),
        "off_s_median": statistics.median(energised) if energised else None,
        "off_s_worst": max(energised, default=None),
        "outputs_left_on": sum(injection.left_on for injection in done),
        "exit_codes_right": sum(injection.exit_right for injection in done),
        "last_lines_right": sum(injection.last_line_right for injection in done),
        "resumed": [sum(i.resumed is True for i in done), sum(i.resumed is not None for i in done)],
        "end_s_worst": max(injection.end_s for injection in done),
        "run_s": whole_s,
    }
    if arguments.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:26s} {value:.3f}" if isinstance(value, float) else f"{name:26s} {value}")
    return int(result["right"] != len(done))


if __name__ == "__main__":
    raise SystemExit(main())
