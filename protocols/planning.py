"""What a protocol will do, cost and ask for, found out before anything is touched."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ffzero_lab.device import Calibrated, Counts, Guarded, Protected, Timing
from ffzero_lab.device.record import CalibrationRecord
from ffzero_lab.errors import InputError
from protocols.checked import Protocol
from protocols.reference import cost_of
from protocols.schema import Step


@dataclass(frozen=True)
class Planned:
    """What one step will about do; what depends on the way it goes is told as the most it can be.

    Attributes
    ----------
    counts
        Writes, readings and shots.
    waits_s
        Device time that passes beside what the counts take.
    touches
        What it does to the device, in words.
    asks
        What it needs from the operator.
    repeated
        How often it may be carried out at most.
    staged
        Patterns of a data set that it stages for each layer.
    """

    counts: Counts = field(default_factory=Counts)
    waits_s: float = 0.0
    touches: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    repeated: int = 1
    staged: int = 0

    def seconds(self, timing: Timing) -> float:
        """Return the predicted device time of carrying it out once."""
        return self.counts.seconds(timing) + self.waits_s


@dataclass(frozen=True)
class Look:
    """What is known while a protocol is planned; nothing of it is ever written to.

    Attributes
    ----------
    device
        Opened, not energised.
    record
        The calibration record to begin with.
    data_dir
        Where relative paths of data sets start from.
    earlier
        The steps before, by name.
    """

    device: Guarded
    record: CalibrationRecord | None
    data_dir: Path
    earlier: Mapping[str, Step] = field(default_factory=dict[str, Step])

    @property
    def as_trained(self) -> Protected:
        """The device as training will see it, as far as that is known; a record of the run itself is not."""
        return self.device if self.record is None else Calibrated(self.device, self.record)

    def needs_record(self, *, uncalibrated: bool) -> bool:
        """Tell whether training waits for a record that an earlier step makes.

        Raises InputError when none does: the device is in raw units and there is no record of it.
        """
        if self.record is not None or uncalibrated or not self.device.description.raw_units:
            return False
        if any(type(step).model_fields["kind"].default == "calibrate" for step in self.earlier.values()):
            return True
        unit = self.device.description.layers[0].groups[0].unit
        raise InputError(
            f"{self.device.description.name} is driven in raw units ({unit}) and no step before calibrates it; "
            "add one, give --calibration RECORD, or set settings.uncalibrated"
        )


@dataclass(frozen=True)
class Plan:
    """The plan of a whole protocol: each step by name, and the looks of the sentinel."""

    steps: tuple[tuple[str, str, Planned], ...]
    """Name, kind and plan."""
    sentinel: Planned | None
    seconds: float
    """Predicted device time of everything once."""

    @property
    def counts(self) -> Counts:
        """Counts of everything once."""
        watching = Counts() if self.sentinel is None else self.sentinel.counts
        return sum((each.counts for _, _, each in self.steps), watching)

    @property
    def staged(self) -> int:
        """Patterns of data sets that are staged for each layer."""
        return sum(each.staged for _, _, each in self.steps)


def plan(protocol: Protocol, device: Guarded, record: CalibrationRecord | None, data_dir: Path) -> Plan:
    """Plan every step of *protocol* on *device*; touches nothing.

    Raises InputError that names the step, for what can be known to go wrong.
    """
    description = device.description
    if protocol.head.kind is not None and description.kind != protocol.head.kind:
        raise InputError(
            f"protocol {protocol.name} is for {protocol.head.kind} devices; {description.name} is {description.kind}"
        )
    planned: list[tuple[str, str, Planned]] = []
    earlier: dict[str, Step] = {}
    for number, step in enumerate(protocol.steps, start=1):
        try:
            each = step.sampled.plan(Look(device, record, data_dir, earlier))
        except InputError as error:
            raise InputError(f"protocol {protocol.name}, step {number} ({step.name}): {error}") from error
        until = step.sampled.until
        planned.append((step.name, step.kind, each if until is None else replace(each, repeated=until.most)))
        earlier[step.name] = step.sampled
    seconds = sum(each.seconds(description.timing) for _, _, each in planned)
    return Plan(tuple(planned), _sentinel(protocol, device, seconds), seconds)


def _sentinel(protocol: Protocol, device: Guarded, seconds: float) -> Planned | None:
    table = protocol.sentinel
    if table is None:
        return None
    looks = 1 + int(seconds / table.every)
    acts = {
        "recalibrate": f"beyond {table.bound:.3g} it carries out {table.calibrate!r} again, up to {table.most} times",
        "pause": f"beyond {table.bound:.3g} it parks and waits",
        "note": f"beyond {table.bound:.3g} it is noted",
    }
    return Planned(
        counts=cost_of(device.description).times(looks),
        waits_s=looks * table.settle,
        touches=(f"about {looks} looks at the reference, one in {table.every:.4g} s; {acts[table.on_drift]}",),
        asks=("after a pause: ffzero-lab continue RUN",) if table.on_drift == "pause" else (),
    )
