"""A campaign of faults: short training runs over the wire, each under a random plan of what goes wrong.

Run with ``OPENBLAS_NUM_THREADS=1 python benchmarks/faults.py``. Every run is ``ffzero-lab train`` on a mesh of four
ports behind emulated instruments, on a twin without noise and drift, in one of three ways of presenting patterns (a
memory that steps, one that does not, none). With ``--bench qontrol``, a Qontrol rack on a serial line drives heaters
and modulators, told in ASCII or in binary frames, and measured after every write. A plan has one to four faults, each
once at a random exchange or, one in six, with some probability at every exchange: that is a cable or an instrument that
does not work. Stuck readings and dead channels of a meter are left out, because they look like valid answers and no
link can tell; of a rack they are not, since its outputs are measured. With ``--bench board``, one all-in-one board is
everything, with a memory for lists of settings or with hardly any.

Every reading that the engine was given is compared with what the twin answers at those setpoints and patterns, in
single precision, bit for bit; the setpoints are compared by what the twin then reads, the sequence of both with the
run without faults. A reading over the range is given as full scale and counted as saturated, which the run reports: it
is no wrong value where the emulator made one and the run says so, but training goes on from it, so that such a run may
end at other parameters. It is counted by itself and its other readings are held to the twin as everywhere.

An exchange hangs when it takes more than its deadline and a tenth. The longest time that a thread of this process could
have run meanwhile and got no processor is taken off (Linux tells it; the emulator and the driver share an interpreter,
so that each waits for the other), and the time in which a virtual machine was not run at all; such exchanges are
counted by themselves. A plan is the same each time it is run, a computer that stands still is not: what that may bring
about, an exchange that takes too long or another error than the plan's, counts when it comes each of three times. What
must never be, such as a wrong value or an output left on, counts whenever it comes.

The exit code is 0 when nothing came out that must not.
"""

import argparse
import contextlib
import faulthandler
import gc
import json
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from board_bench import board_file, board_hello, board_spec
from numpy.random import Generator, Philox, SeedSequence
from qontrol_bench import VOLTS_PER_UNIT, rack_bench_of
from typer.testing import CliRunner
from wired_bench import MEMORY, WATTS_PER_UNIT, as_toml, bench_of

from drivers.bench import BenchConfig
from drivers.emulator import Emulation, EmulationSpec, Fault, FaultPlan, Witnessed, read_witness
from drivers.emulator.faults import FaultKind
from drivers.emulator.of_bench import connected, emulation_of
from drivers.links.wire import Wire
from drivers.twin.photonic import PhotonicTwin
from ffzero_lab import opening
from ffzero_lab.cli import app
from ffzero_lab.cli.measure import network_of
from ffzero_lab.device import Guarded
from ffzero_lab.runs import RunReader

TWIN = {"ports": 4, "layers": 1, "preset": "ideal", "seed": 1, "kernel": "numpy"}
DEADLINE_S = 0.1
LINK = {"deadline_s": DEADLINE_S, "connect_s": 1.0, "pause_s": 0.005}
DELAYS_S = (0.03, 0.07, 0.13, 0.3)
"""Two that a deadline outlasts, and two that outlast it."""
KINDS: tuple[FaultKind, ...] = (
    "drop",
    "delay",
    "garbage",
    "half-line",
    "dribble",
    "close",
    "reboot",
    "wrong-count",
    "partial-list",
    "over-range",
)
BAUD = 2_000_000
RACK_LINK = {"deadline_s": DEADLINE_S, "connect_s": 1.0, "pause_s": 0.005, "quiet_s": 0.05}
RACK_KINDS: tuple[FaultKind, ...] = ("serial-error", "complaint", "module-restart", "stuck", "dead-channel")
WITHIN = 2e-5
"""How far a measured output may be off: little more than a step of the converter, which is 1.5e-5 of full scale."""
FULL_SCALE_V, FULL_WORD = 12.0, 0xFFFF
SETTINGS = ("--steps", "4", "--batch", "6", "--set", "learning_rate=0.02", "--set", "epsilon=0.02")
QUIET = ("--set", "baselines=false", "--set", "log_every=1", "--set", "run.checkpoint_every=1000")
SLACK = 1.1
"""An exchange may take so many times its deadline."""
WATCHDOG_S = 60.0
"""A run that takes longer hangs: the campaign ends and shows where."""
ALLOWED_EXITS = (0, 3)
TIMES = 3
"""How often a plan is run whose outcome a computer that stood still may have brought about."""


@dataclass
class Given:
    """What the engine asked for and was given, by a device that stands between it and the driver."""

    staged: list[np.ndarray] = field(default_factory=list)
    readings: list[tuple[int, np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)
    """Index of the staged patterns, setpoints (P,), rows, outputs."""
    saturated: int = 0


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    told: str
    given: Given
    witnessed: Witnessed
    parameters: np.ndarray | None
    exchanges: Counter[str]
    late: list[tuple[str, float]]
    reported_saturation: bool
    resources: Mapping[str, str]


def recording(given: Given) -> type[Guarded]:
    """Return the guard that every command opens devices behind, noting what passes."""

    class Recording(Guarded):
        standing: np.ndarray

        def load_inputs(self, layer: int, patterns: Any) -> None:
            super().load_inputs(layer, patterns)
            given.staged.append(np.array(patterns))

        def write_parameters(self, layer: int, values: Any) -> None:
            super().write_parameters(layer, values)
            self.standing = np.array(values)

        def read_outputs(self, layer: int, rows: Any) -> Any:
            outputs = super().read_outputs(layer, rows)
            self._note([self.standing], rows, outputs[np.newaxis])
            return outputs

        def probe(self, layer: int, settings: Any, rows: Any) -> Any:
            outputs = super().probe(layer, settings, rows)
            self._note(settings, rows, outputs)
            self.standing = np.array(settings[-1])
            return outputs

        def _note(self, settings: Any, rows: Any, outputs: np.ndarray) -> None:
            place = len(given.staged) - 1
            given.readings += [
                (place, np.array(one), np.array(rows), each.copy()) for one, each in zip(settings, outputs, strict=True)
            ]
            given.saturated = self.saturated

    return Recording


class Judge:
    """The twin in this process: what a reading must be."""

    def __init__(self, subject: "Subject") -> None:
        self._subject = subject
        self._twin = PhotonicTwin.open(PhotonicTwin.Config.model_validate({**TWIN, "drive": "volts"}))
        self.full_scale_w = subject.reported(np.array([self._twin.description.layers[0].output_upper]))[0]

    def wrong(self, given: Given, saturated_channels: set[int]) -> int:
        """Return how many values were believed that are not the twin's, told saturation at those channels aside."""
        found = 0
        for place, setpoints, rows, outputs in given.readings:
            self._twin.write_parameters(0, self._subject.driven(setpoints))
            for row, output in zip(rows, outputs, strict=True):
                self._twin.load_inputs(0, self._subject.presented(given.staged[place][row])[np.newaxis])
                expected = self._subject.reported(self._twin.read_outputs(0, np.zeros(1, dtype=np.intp))[0])
                differing = np.flatnonzero(output != expected)
                found += sum(
                    output[index] != self.full_scale_w or int(index) not in saturated_channels for index in differing
                )
        return found


class Subject:
    """The bench that is disturbed: a source and modulators that speak SCPI over TCP.

    Attributes
    ----------
    ways
        In how many ways it is spoken to.
    kinds
        What goes wrong.
    """

    ways: tuple[str, ...] = ("stepping", "recalled", "one by one")
    kinds: tuple[FaultKind, ...] = KINDS

    def content_of(self, way: str) -> dict[str, Any]:
        """Return the bench file; the emulated source would go on to 10 V, so that the witness could see too much."""
        content = bench_of(TWIN, link=LINK, memory=way != "one by one", name="campaign")
        if way != "one by one":
            content["inputs"]["modulator0"]["memory"] = 10  # less than the data set
        if way == "recalled":
            for key in ("step_through", "position"):
                assert key in MEMORY
                del content["inputs"]["modulator0"][key]
        content["emulation"]["instruments"]["source"] = {"lower": -10.0, "upper": 10.0}
        content["emulation"]["instruments"]["modulator0"] = {"lower": -10.0, "upper": 10.0}
        return content

    def spec_of(self, way: str) -> EmulationSpec:
        """Return what is emulated."""
        return emulation_of(BenchConfig.model_validate(self.content_of(way)))

    def file_of(self, way: str, resources: Mapping[str, str]) -> str:
        """Return the bench file that leads to *resources*."""
        content = self.content_of(way)
        return connected(as_toml(content), resources, BenchConfig.model_validate(content))

    def driven(self, setpoints: np.ndarray) -> np.ndarray:
        """Return what stands at the heaters (P,) when *setpoints* were written."""
        return setpoints

    def reported(self, intensities: np.ndarray) -> np.ndarray:
        """Return the readings (n,) of *intensities* (n,)."""
        return (intensities * WATTS_PER_UNIT).astype(np.float32)

    def presented(self, pattern: np.ndarray) -> np.ndarray:
        """Return what stands at the inputs (n,) when *pattern* was presented."""
        return pattern

    def upper(self, instrument: str, channel: int, heater_upper_v: float) -> float:
        """Return the largest setpoint that a channel may see."""
        del channel
        return {"source": heater_upper_v, "modulator0": 1.0}[instrument]

    def called(self, instrument: str) -> tuple[str, ...]:
        """Return the names by which an error may call an instrument."""
        return (instrument,)


class RackSubject(Subject):
    """A Qontrol rack for both; its converters have steps, and VMAX is lost when a module restarts."""

    ways = ("ascii", "binary")
    kinds = KINDS + RACK_KINDS

    def content_of(self, way: str) -> dict[str, Any]:
        """Return the bench file."""
        measured = {"measured_within": WITHIN, "settle_s": 0.001}
        return rack_bench_of(TWIN, baud=BAUD, form=way, link=LINK, rack=RACK_LINK, channels=measured, name="campaign")

    def driven(self, setpoints: np.ndarray) -> np.ndarray:
        """Return the voltages on the steps of the converter."""
        return np.rint(setpoints / FULL_SCALE_V * FULL_WORD) * (FULL_SCALE_V / FULL_WORD)

    def presented(self, pattern: np.ndarray) -> np.ndarray:
        """Return the amplitudes on the steps of the converter."""
        return self.driven(pattern * VOLTS_PER_UNIT) / VOLTS_PER_UNIT

    def upper(self, instrument: str, channel: int, heater_upper_v: float) -> float:
        """Return the largest voltage of a heater or of a modulator, to a step."""
        del instrument
        return (heater_upper_v if channel < 16 else VOLTS_PER_UNIT) + FULL_SCALE_V / FULL_WORD / 2.0

    def called(self, instrument: str) -> tuple[str, ...]:
        """Return the names by which an error may call an instrument."""
        return (instrument, "heaters", "modulator0") if instrument == "rack" else (instrument,)


class BoardSubject(Subject):
    """An all-in-one board: everything has steps, and one memory holds more than the other."""

    ways = ("list mode", "little memory")
    kinds = tuple(kind for kind in KINDS if kind != "partial-list")

    def __init__(self) -> None:
        self._hello = board_hello({**TWIN, "drive": "volts"})

    def spec_of(self, way: str) -> EmulationSpec:
        """Return what is emulated."""
        little = {"payload_max": 200, "readings_max": 16, "pattern_words": 200} if way == "little memory" else {}
        return board_spec({**TWIN, "drive": "volts"}, gap_ms=20, baud=BAUD, **little)

    def file_of(self, way: str, resources: Mapping[str, str]) -> str:
        """Return the bench file that leads to *resources*."""
        del way
        link = {"deadline_s": DEADLINE_S, "quiet_s": 0.04, "pause_s": 0.005, "baud": BAUD}
        content = board_file({**TWIN, "drive": "volts"}, resources["board"], **link)
        content["health"] = [{key: channel[key] for key in ("name", "unit")} for channel in content["health"]]
        return as_toml({"driver": "board", **content})

    def driven(self, setpoints: np.ndarray) -> np.ndarray:
        """Return the voltages on the steps of the converter."""
        span = self._hello.layers[0].parameter_span
        return span.values(span.codes(setpoints))

    def presented(self, pattern: np.ndarray) -> np.ndarray:
        """Return the amplitudes on the steps of the converter."""
        span = self._hello.layers[0].input_span
        return span.values(span.codes(pattern))

    def reported(self, intensities: np.ndarray) -> np.ndarray:
        """Return the readings on the steps of the converter."""
        span = self._hello.layers[0].output_span
        return span.values(span.codes(intensities))

    def upper(self, instrument: str, channel: int, heater_upper_v: float) -> float:
        """Return the largest setpoint, to a step."""
        del channel
        return 1.0 if instrument == "board-inputs" else heater_upper_v * (1.0 + 1e-12)


SUBJECTS: Mapping[str, type[Subject]] = {"scpi": Subject, "qontrol": RackSubject, "board": BoardSubject}


def plan_of(
    seed: int, spec: EmulationSpec, exchanges: Mapping[str, int], kinds: tuple[FaultKind, ...] = KINDS
) -> FaultPlan:
    """Draw what goes wrong, spread over all exchanges that the run without faults had with each instrument."""
    rng = Generator(Philox(SeedSequence(seed, spawn_key=(7,))))
    faults: list[Fault] = []
    for number in range(int(rng.integers(1, 5))):
        instrument = spec.instruments[rng.integers(len(spec.instruments))]
        (fault,) = FaultPlan.random(
            1000 * seed + number,
            [instrument],
            exchanges=exchanges[instrument.name],
            n_faults=1,
            kinds=[kind for kind in kinds if instrument.kind != "power-meter" or kind in KINDS],
            delay_s=float(rng.choice(DELAYS_S)),
        ).faults
        if rng.random() < 1.0 / 6.0:
            often = {"exchange": None, "probability": float(rng.choice([0.02, 0.2, 1.0]))}
            fault = Fault.model_validate({**fault.model_dump(), **often})
        faults.append(fault)
    return FaultPlan(seed=seed, faults=tuple(faults))


def run(subject: Subject, folder: Path, way: str, plan: FaultPlan) -> Ended:
    """Train once under *plan*."""
    folder.mkdir()
    spec = EmulationSpec.model_validate(
        {**subject.spec_of(way).model_dump(), "faults": plan, "witness": folder / "witness.jsonl"}
    )
    given = Given()
    with Emulation(spec) as emulation:
        resources = emulation.resources
        (folder / "bench.toml").write_text(subject.file_of(way, resources), encoding="utf-8")
        opening.Guarded = recording(given)  # type: ignore[misc]
        arguments = ["train", "--device", str(folder / "bench.toml"), "--dataset", f"csv:{folder.parent / 'two.csv'}"]
        arguments += ["--uncalibrated", "--run-dir", str(folder / "runs"), *SETTINGS, *QUIET]
        with Watch() as watch:
            ended = CliRunner().invoke(app, arguments)
    told = ended.stdout + ended.stderr
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        told += "".join(traceback.format_exception(ended.exception))
    runs = sorted((folder / "runs").glob("*"))
    rows = (runs[0] / "metrics.jsonl").read_text().splitlines() if ended.exit_code == 0 else []
    return Ended(
        ended.exit_code,
        told,
        given,
        read_witness(folder / "witness.jsonl"),
        network_of(RunReader(runs[0])).layers[0].parameters if ended.exit_code == 0 else None,
        Counter({name: watch.counted[resource] for name, resource in resources.items()}),
        watch.late,
        any("at or above the detectors' full scale" in row for row in rows),
        resources,
    )


class Watch:
    """Looks at every exchange of every link while it stands: how many there were, and which took too long."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self.late: list[tuple[str, float]] = []
        """What was late, and by how many times its deadline without the time that its thread waited for a processor."""

    def __enter__(self) -> "Watch":
        self._exchange = exchange = Wire.exchange

        def watched(wire: Wire, message: bytes, reply: Any, deadline_s: float) -> Any:
            stolen_before_s, before, began_s = taken_away_s(), waited_for_a_processor_s(), time.monotonic()
            try:
                return exchange(wire, message, reply, deadline_s)
            finally:
                taken_s = time.monotonic() - began_s
                self.counted[wire._resource] += len(getattr(reply, "questions", "1"))  # a rack counts messages
                if taken_s > SLACK * deadline_s:
                    waited_s = max(
                        (now - before.get(thread, 0.0) for thread, now in waited_for_a_processor_s().items()),
                        default=0.0,
                    )
                    stolen_s = taken_away_s() - stolen_before_s
                    what = (
                        f"{wire._resource} {message[:40]!r}: {taken_s:.4f} s, {waited_s:.4f} s without a processor, "
                        f"{stolen_s:.2f} s without the machine"
                    )
                    self.late.append((what, (taken_s - waited_s - stolen_s) / deadline_s))

        Wire.exchange = watched  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Wire.exchange = self._exchange  # type: ignore[method-assign]


def waited_for_a_processor_s() -> dict[str, float]:
    """Return how long each thread could have run so far, and did not; empty where the system does not tell.

    Emulator and driver share an interpreter: one that has it and gets no processor keeps all others waiting.
    """
    waited: dict[str, float] = {}
    for thread in Path("/proc/self/task").glob("*"):
        with contextlib.suppress(OSError):  # it may have ended meanwhile
            waited[thread.name] = 1e-9 * int((thread / "schedstat").read_text(encoding="ascii").split()[1])
    return waited


def taken_away_s() -> float:
    """Return for how long a processor of this virtual machine was given to another one, the longest of them."""
    rows = [row.split() for row in Path("/proc/stat").read_text(encoding="ascii").splitlines()]
    ticks = max((int(row[8]) for row in rows if row[0].startswith("cpu") and row[0] != "cpu"), default=0)
    return ticks / os.sysconf("SC_CLK_TCK")


@dataclass
class Count:
    """What happened to all runs together."""

    plans: int = 0
    faults_struck: Counter[str] = field(default_factory=Counter)
    plans_struck: int = 0
    completed_with_the_same_bits: int = 0
    completed_telling_saturation: int = 0
    ended_parked_naming_the_fault: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    readings_judged: int = 0
    exchanges: int = 0
    wrong_values_accepted: int = 0
    out_of_limits: int = 0
    hangs: int = 0
    late_without_a_processor: int = 0
    left_on: int = 0
    anything_else: int = 0
    told: list[str] = field(default_factory=list)
    """What must not be, plan by plan."""

    @property
    def clean(self) -> bool:
        """Whether nothing came out that must not."""
        return not (
            self.wrong_values_accepted or self.out_of_limits or self.hangs or self.left_on or self.anything_else
        )


class Campaign:
    """Runs plans in *folder* and counts."""

    def __init__(self, folder: Path, subject: Subject | None = None) -> None:
        self._folder = folder
        self._subject = subject = Subject() if subject is None else subject
        self._judge = Judge(subject)
        rows = [f"{0.1 * (i % 5)},{1 + 0.1 * (i % 3)},{i % 7 + 5 * (i % 2)},{'ab'[i % 2]}" for i in range(18)]
        (folder / "two.csv").write_text("x,y,z,label\n" + "\n".join(rows) + "\n")
        os.environ["FFZERO_LOCK_DIR"] = str(folder / "locks")
        self.count = Count()
        self._references = {way: self._reference(way) for way in subject.ways}
        for way, reference in self._references.items():
            if not self._is_in_order(reference):
                raise SystemExit(f"the run without faults, {way}, is not in order: {reference.told} {reference.late}")
            if not np.array_equal(reference.parameters, self._references[subject.ways[0]].parameters):
                raise SystemExit(f"without faults, {way} ends at other parameters than {subject.ways[0]}")

    def _reference(self, way: str) -> Ended:
        for number in range(TIMES):
            reference = run(self._subject, self._folder / f"reference {way} {number}", way, FaultPlan())
            if self._is_in_order(reference):
                break
        return reference

    def _is_in_order(self, reference: Ended) -> bool:
        late = any(share > SLACK for _, share in reference.late)
        return reference.code == 0 and not late and not self._judge.wrong(reference.given, set())

    def disturb(self, seed: int) -> None:
        """Run the plan of *seed*, and judge it."""
        subject = self._subject
        way = subject.ways[seed % len(subject.ways)]
        reference = self._references[way]
        plan = plan_of(seed, subject.spec_of(way), reference.exchanges, subject.kinds)
        self.count.plans += 1
        for number in range(TIMES):
            faulthandler.dump_traceback_later(WATCHDOG_S, exit=True)
            ended = run(subject, self._folder / f"{seed} {number}", way, plan)
            faulthandler.cancel_dump_traceback_later()
            if self._judged(f"plan {seed}, {way}", plan, ended, reference, last=number == TIMES - 1):
                return

    def _judged(self, what: str, plan: FaultPlan, ended: Ended, reference: Ended, *, last: bool) -> bool:
        """Count what came out; False when it may be the computer's doing, and this is not the last time."""
        count, witnessed = self.count, ended.witnessed
        struck = Counter(str(fault["kind"]) for fault in witnessed.faults)
        hanging = [told for told, share in ended.late if share > SLACK]
        verdict = self._verdict(ended, reference)
        counts = last or not (hanging or isinstance(verdict, str))
        if counts:
            count.plans_struck += bool(struck)
            count.faults_struck += struck
        count.exchanges += ended.exchanges.total()
        count.readings_judged += sum(outputs.size for *_, outputs in ended.given.readings)
        over = [fault["channel"] for fault in witnessed.faults if fault["kind"] == "over-range"]
        channels = set(range(4)) if None in over else {int(channel) - 1 for channel in over}
        findings: list[str] = []
        wrong = self._judge.wrong(ended.given, channels)
        if wrong:
            count.wrong_values_accepted += wrong
            findings.append(f"{wrong} wrong values")
        outside = self._out_of_limits(witnessed)
        if outside:
            count.out_of_limits += len(outside)
            findings.append(f"out of limits: {outside[:3]}")
        count.late_without_a_processor += len(ended.late) - len(hanging)
        if hanging and last:
            count.hangs += len(hanging)
            findings.append(f"too long: {hanging[:3]}")
        if witnessed.left_on():
            count.left_on += 1
            findings.append(f"left on: {witnessed.left_on()}")
        if isinstance(verdict, str) and last:
            count.anything_else += 1
            findings.append(verdict)
        if findings:
            faults = "; ".join(
                f"{f.instrument} {f.kind} {f.exchange or f.probability} {f.delay_s}" for f in plan.faults
            )
            count.told.append(f"{what} ({faults}): {', '.join(findings)}\n{ended.told}")
        if counts and callable(verdict):
            verdict()
        return counts

    def _verdict(self, ended: Ended, reference: Ended) -> "str | Callable[[], None]":
        """Return how to count the way in which the run ended, or what is wrong with it."""
        if ended.code == 0:
            if np.array_equal(ended.parameters, reference.parameters):
                return partial(self._count, "completed_with_the_same_bits")
            if ended.given.saturated and ended.reported_saturation:
                return partial(self._count, "completed_telling_saturation")
            return "it completed with other parameters, and says nothing"
        if ended.code not in ALLOWED_EXITS or "Traceback" in ended.told:
            return f"it ended with {ended.code}"
        struck = {str(fault["instrument"]) for fault in ended.witnessed.faults}
        names = {name for one in struck for name in (*self._subject.called(one), ended.resources[one])}
        if not any(name in ended.told for name in names):
            return "its error names no instrument at which a fault struck"
        if (
            "the device is parked" not in ended.told
            and "parking failed as well" not in ended.told
            and ("what could be opened was parked" not in ended.told)
            and ("was not opened, and nothing was energised" not in ended.told)
            and ("it parks itself" not in ended.told)
        ):
            return "its error does not say whether it is parked"
        first = next((line for line in ended.told.splitlines() if line.startswith("ffzero-lab: ")), "nothing told")
        return partial(self._count, "ended_parked_naming_the_fault", _kind_of(first))

    def _count(self, ending: str, error: str | None = None) -> None:
        setattr(self.count, ending, getattr(self.count, ending) + 1)
        if error is not None:
            self.count.errors[error] += 1

    def _out_of_limits(self, witnessed: Witnessed) -> list[str]:
        heater_upper_v = bench_upper(self._judge)
        outside = [
            f"{name} channel {channel}: {value}"
            for (name, channel), (low, high) in witnessed.range().items()
            for value in (low, high)
            if not 0.0 <= value <= self._subject.upper(name, channel, heater_upper_v)
        ]
        return outside + [f"{channel} refused {value}" for channel, value in witnessed.refused]


def bench_upper(judge: Judge) -> float:
    """Return the largest voltage that the bench file allows."""
    return float(judge._twin.description.layers[0].groups[0].upper)


def _kind_of(message: str) -> str:
    """Return what kind of error a message tells of, for the table."""
    for words, kind in (
        ("not done within", "timeout"),
        ("no connection", "connection"),
        ("connection broke", "connection"),
        ("reply refused", "bad reply"),
        ("is read back", "setpoint not taken"),
        ("restarted", "restart"),
        ("does not hold", "setpoint lost"),
        ("is measured", "setpoint not taken"),
        ("the rack reports", "complaint of the rack"),
    ):
        if words in message:
            return kind
    return message[:80]


def main() -> None:
    """Run the campaign and print what it counted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=int, default=500)
    parser.add_argument("--bench", choices=[*SUBJECTS], default="scpi", help="what drives heaters and modulators")
    parser.add_argument("--first", type=int, default=0, help="seed of the first plan")
    parser.add_argument("--also", type=int, nargs="*", default=[], help="seeds of more plans")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began_s = time.perf_counter()
    sys.setswitchinterval(1e-4)  # emulator and driver share an interpreter: none shall keep the other waiting
    with tempfile.TemporaryDirectory() as name:
        campaign = Campaign(Path(name), SUBJECTS[arguments.bench]())
        gc.freeze()  # to go through all that was imported takes longer than an exchange may
        for seed in (*range(arguments.first, arguments.first + arguments.plans), *arguments.also):
            gc.disable()
            campaign.disturb(seed)
            gc.enable()
            gc.collect()
            print(f"{campaign.count.plans}/{arguments.plans}", end="\r", file=sys.stderr, flush=True)
    count = campaign.count
    figures = {**vars(count), "seconds": round(time.perf_counter() - began_s, 1)}
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        for key, value in figures.items():
            shown = ", ".join(f"{n} {k}" for k, n in value.most_common()) if isinstance(value, Counter) else value
            if key != "told":
                print(f"{key.replace('_', ' ')}: {shown}")
        print("\n".join(count.told))
    sys.exit(not count.clean)


if __name__ == "__main__":
    main()
