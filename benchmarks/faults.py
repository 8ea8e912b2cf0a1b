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
counted by themselves. ``--times 3`` is for a computer that now and then stands still: what that may bring about, an
exchange that takes too long or another error than the plan's, then counts when it comes each of three times. What must
never be, such as a wrong value or an output left on, counts whenever it comes.

The exit code is 0 when nothing came out that must not.
"""

import argparse
import faulthandler
import gc
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from disturbed_run import Ended, Judge, run
from exchange_watch import SLACK
from fault_subjects import KINDS, SUBJECTS, Subject
from numpy.random import Generator, Philox, SeedSequence

from drivers.emulator import EmulationSpec, Fault, FaultPlan, Witnessed
from drivers.emulator.faults import FaultKind

DELAYS_S = (0.03, 0.07, 0.13, 0.3)
"""Two that a deadline outlasts, and two that outlast it."""
WATCHDOG_S = 60.0
"""A run that takes longer hangs: the campaign ends and shows where."""
ALLOWED_EXITS = (0, 3)


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
    """Runs plans in *folder* and counts; one that the computer may have brought to its end, up to *times* times."""

    def __init__(self, folder: Path, subject: Subject | None = None, times: int = 1) -> None:
        self._times = times
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
        for number in range(self._times):
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
        for number in range(self._times):
            faulthandler.dump_traceback_later(WATCHDOG_S, exit=True)
            ended = run(subject, self._folder / f"{seed} {number}", way, plan)
            faulthandler.cancel_dump_traceback_later()
            if self._judged(f"plan {seed}, {way}", plan, ended, reference, last=number == self._times - 1):
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
    parser.add_argument("--times", type=int, default=1, help="how often a plan may be run, see above")
    parser.add_argument("--also", type=int, nargs="*", default=[], help="seeds of more plans")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began_s = time.perf_counter()
    sys.setswitchinterval(1e-4)  # emulator and driver share an interpreter: none shall keep the other waiting
    with tempfile.TemporaryDirectory() as name:
        campaign = Campaign(Path(name), SUBJECTS[arguments.bench](), arguments.times)
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
