"""Carries out procedures layer by layer, each building on what those before it found."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from calibration.ageing import PHASES, aged
from calibration.journal import RECORDED, Arrays, Journal
from calibration.layer_bench import LayerBench
from calibration.procedure import Outcome, Procedure
from ffzero_lab.device import Counts, Guarded, LayerDescription, Timing
from ffzero_lab.device.belonging import driven, refuse_foreign, shapes
from ffzero_lab.device.record import CalibrationRecord, Finding, LayerRecord, Quantity, Severity, Spent, Transfer
from ffzero_lab.device.recorder import recorder_of

_RANK: Mapping[Severity, int] = {"fault": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Planned:
    """One procedure on one layer: what it will about take, or why it says nothing there."""

    layer: int
    procedure: str
    counts: Counts
    why_not: str = ""
    waits_s: float = 0.0
    """Device time that passes without measuring, beside what the counts take."""

    def seconds(self, timing: Timing) -> float:
        """Return the predicted device time, seconds."""
        return self.counts.seconds(timing) + self.waits_s


@dataclass
class _Found:
    """What is known of a layer so far."""

    quantities: dict[str, Quantity] = field(default_factory=dict[str, Quantity])
    earlier: dict[str, datetime] = field(default_factory=dict[str, datetime])
    """Which of them an earlier calibration measured, and when that ended."""
    findings: list[Finding] = field(default_factory=list[Finding])
    dead: dict[int, str] = field(default_factory=dict[int, str])
    dead_outputs: dict[int, str] = field(default_factory=dict[int, str])
    transfer: Transfer | None = None

    def take(self, procedure: str, outcome: Outcome) -> None:
        for name in [name for name in self.earlier if name.partition(".")[0] == procedure]:
            del self.quantities[name], self.earlier[name]
        self.quantities |= {f"{procedure}.{name}": quantity for name, quantity in outcome.quantities.items()}
        self.findings += outcome.findings
        self.dead = {**outcome.dead, **self.dead}
        self.dead_outputs = {**outcome.dead_outputs, **self.dead_outputs}
        self.transfer = outcome.transfer or self.transfer

    def as_record(self, described: LayerDescription) -> LayerRecord:
        return LayerRecord(
            groups=shapes(described),
            drives=driven(described),
            output_names=described.output_names,
            quantities=self.quantities,
            earlier=self.earlier,
            dead=dict(sorted(self.dead.items())),
            dead_outputs=dict(sorted(self.dead_outputs.items())),
            transfer=self.transfer,
        )


@dataclass
class Runner:
    """Carries out *procedures* on every layer of a device; layers that share hardware are measured once.

    Attributes
    ----------
    device
        In raw units; it is parked behind every part that is measured.
    journal
        What was measured already, and where the rest goes.
    tell
        Shows a person what is going on.
    before
        An earlier record of the device: what single procedures build on when those before them are left out. What is
        measured anew is not taken from it; all else stands in the new record, told as earlier, but for what the
        actuators do: that is as new as the record, or not in it.
    sampled
        Procedures that look at a sample of the parameters only, with the number in it: a check needs no more.
    part_kept
        Shows every part that was measured; None: `tell` does.
    """

    device: Guarded
    procedures: Sequence[Procedure]
    journal: Journal
    seed: int
    tell: Callable[[str], None]
    before: CalibrationRecord | None = None
    sampled: Mapping[str, int] = field(default_factory=dict[str, int])
    part_kept: Callable[[str], None] | None = None
    spent: dict[tuple[int, str], Spent] = field(default_factory=dict[tuple[int, str], Spent])
    """Measured in this process, by layer and procedure; parts of an earlier one are not in it."""
    _earlier_s: float = field(default=0.0, init=False)
    _began_s: float = field(default=0.0, init=False)
    _paused_s: float = field(default=0.0, init=False)
    """Time that passed between all interruptions and going on."""

    def __post_init__(self) -> None:
        if self.before is not None:
            refuse_foreign(self.before, self.device.description)
        self._began_s = self.device.clock.now_s()

    @property
    def device_seconds(self) -> float:
        """Device time that the calibration took so far, earlier parts of a resumed one included."""
        return self._earlier_s + self.device.clock.now_s() - self._began_s

    @property
    def oldest_s(self) -> float:
        """How long ago the oldest part was measured, interruptions included, seconds."""
        ended_s = self.journal.at_s().sum(axis=1)
        return self.device_seconds + self._paused_s - float(ended_s.min()) if len(ended_s) else 0.0

    @property
    def layers(self) -> range:
        """The layers that are measured."""
        return range(1 if self.device.description.shared_hardware else len(self.device.description.layers))

    def plan(self) -> list[Planned]:
        """Return what every procedure will about take; touches nothing."""
        planned: list[Planned] = []
        for layer in self.layers:
            found = self._start(layer)
            for procedure in self.procedures:
                bench = self._bench(layer, procedure.name, found)
                why_not = procedure.suits(bench)
                counts = Counts() if why_not else procedure.predicted(bench)
                waits_s = 0.0 if why_not else procedure.waits_s
                planned.append(Planned(layer, procedure.name, counts, why_not, waits_s))
        return planned

    def run(self) -> tuple[tuple[LayerRecord, ...], tuple[Finding, ...]]:
        """Return what was found by layer, and the findings, the worst first.

        Raises the errors of the device port; what was measured until then is in the journal.
        """
        self._go_on_from(self.journal.state)
        known: list[_Found] = []
        findings: list[Finding] = []
        for layer in self.layers:
            found = self._start(layer)
            measured = self._start(layer)
            findings += self._dead_before(layer, measured)
            for procedure in self.procedures:
                outcome = self._carry_out(layer, procedure, found)
                if outcome is not None:
                    measured.take(procedure.name, outcome)
                    if procedure.name not in self.sampled:
                        found.take(procedure.name, outcome)
            known.append(measured)
            findings += measured.findings
        for layer, measured in enumerate(known):  # after the last one: until then the phases of all of them drift
            measured.quantities = aged(measured.quantities, self._since_phases_s(layer))
        records = [each.as_record(self.device.description.layers[layer]) for layer, each in enumerate(known)]
        if len(records) < len(self.device.description.layers):
            records = records[:1] * len(self.device.description.layers)
        return tuple(records), worst_first(findings)

    def _carry_out(self, layer: int, procedure: Procedure, found: _Found) -> Outcome | None:
        bench = self._bench(layer, procedure.name, found)
        why_not = procedure.suits(bench)
        if why_not:
            self.tell(f"layer {layer}  {procedure.name}: left out, {why_not}")
            return None
        before, began_s = self.device.ledger.by_purpose["calibration"], self.device_seconds
        outcome = procedure.run(bench)
        counts = self.device.ledger.by_purpose["calibration"] - before
        self.spent[layer, procedure.name] = spent_by(counts, self.device_seconds - began_s)
        return outcome

    def _since_phases_s(self, layer: int) -> float:
        """Return for how long phases have drifted beside what their fit knows of: since they were measured.

        The fit has the drift from its first to its last part, but not that of interruptions between them.
        """
        parts = self.journal.at_s(f"{layer}/{PHASES.partition('.')[0]}/")
        if not len(parts):
            return 0.0
        return self.device_seconds - float(parts[:, 0].max()) + self._paused_s - float(parts[:, 1].min())

    def _start(self, layer: int) -> _Found:
        dead = dict.fromkeys(self.device.description.layers[layer].dead, "by the description")
        if self.before is None:
            return _Found(dead=dead)
        earlier = self.before.layers[layer]
        anew = [procedure for procedure in self.procedures if procedure.name not in self.sampled]
        names, finds = {each.name for each in anew}, {word for each in anew for word in each.finds}
        kept = {name: value for name, value in earlier.quantities.items() if name.partition(".")[0] not in names}
        return _Found(
            quantities=kept,
            earlier={name: earlier.earlier.get(name, self.before.ended) for name in kept},
            dead={index: why for index, why in earlier.dead.items() if why not in finds} | dead,
            dead_outputs={index: why for index, why in earlier.dead_outputs.items() if why not in finds},
        )

    def _dead_before(self, layer: int, found: _Found) -> list[Finding]:
        described = self.device.description.layers[layer]
        dead = [(described.name_of(index), why) for index, why in found.dead.items() if index not in described.dead]
        dead += [(described.output_name(index), why) for index, why in found.dead_outputs.items()]
        what = "was found dead before ({}), which is not measured anew"
        return [Finding(severity="note", where=f"layer {layer}, {name}", what=what.format(why)) for name, why in dead]

    def _bench(self, layer: int, procedure: str, found: _Found) -> LayerBench:
        dead: dict[int, str] = dict(found.dead)
        size = self.sampled.get(procedure)
        if size is not None:
            dead = {**self._left_out(layer, size, found), **dead}
        return LayerBench(
            device=self.device,
            layer=layer,
            procedure=procedure,
            seed=self.seed,
            journal=self.journal,
            state=self._state,
            told=self.tell,
            part_kept=self.part_kept,
            known=dict(found.quantities),
            dead=dead,
            dead_outputs=dict(found.dead_outputs),
        )

    def _left_out(self, layer: int, size: int, found: _Found) -> dict[int, str]:
        """Return the parameters that a sample of *size* leaves out."""
        alive = np.setdiff1d(self.device.description.layers[layer].alive, sorted(found.dead))
        rng = np.random.default_rng([self.seed, layer])
        left_out = rng.permutation(alive)[size:]
        return {int(index): "not in the sample" for index in left_out}

    def _state(self) -> Arrays:
        """Return what is kept behind each part: the counts, and of a twin all that decides what it answers next."""
        counts = self.device.ledger.by_purpose["calibration"]
        exact, recorder = self.device.snapshot() or {}, recorder_of(self.device)
        recorded: dict[str, NDArray[np.int64]] = {}
        if recorder is not None:
            recorded = {RECORDED: np.array(recorder.exchanges)}
            recorder.sync()
        return {
            "counts": np.array([counts.writes, counts.readings, counts.shots]),
            "at_s": np.array([self.device_seconds, self._paused_s]),
            "began_s": np.array([self._began_s, self._earlier_s]),
            "time_s": np.array(time.time()),
            **recorded,
            **{f"device/{name}": values for name, values in exact.items()},
        }

    def _go_on_from(self, state: Arrays) -> None:
        if not state:
            return
        self.device.ledger.by_purpose["calibration"] = Counts(*state["counts"].tolist())
        exact = {name.removeprefix("device/"): values for name, values in state.items() if name.startswith("device/")}
        seconds, self._paused_s = state["at_s"].tolist()
        if exact:
            self.device.restore(exact)
            self._began_s, self._earlier_s = state["began_s"].tolist()
            return
        self._earlier_s, self._began_s = seconds, self.device.clock.now_s()
        self._paused_s += max(0.0, time.time() - float(state["time_s"]))


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return *findings* in the order in which a person should read them."""
    return tuple(sorted(findings, key=lambda finding: _RANK[finding.severity]))


def spent_by(counts: Counts, seconds: float) -> Spent:
    """Return counts and device seconds as a record states them."""
    return Spent(writes=counts.writes, readings=counts.readings, shots=counts.shots, seconds=seconds)
