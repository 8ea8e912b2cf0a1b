"""``calibrate``: measures what actuators, detectors and inputs do; the record is in force from then on."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from calibration.calibrating import refuse_nothing_to_do
from calibration.journal import Journal
from calibration.procedure import Procedure
from calibration.registry import chosen
from calibration.runner import Runner
from ffzero_lab.bench_file import REPLAY
from ffzero_lab.calibrations import DEFAULT_FOLDER, save
from ffzero_lab.device import Counts
from ffzero_lab.device.record import CalibrationRecord
from ffzero_lab.errors import RunFailed
from ffzero_lab.training.settings import Duration
from protocols.calibrating import calibrate_into
from protocols.planning import Look, Planned
from protocols.schema import Results, Seed, Step
from protocols.shift import Shift
from protocols.work import Work


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    chosen(names, ())  # raises InputError, a ValueError, for a name that is none
    return names


Names = Annotated[tuple[str, ...], AfterValidator(_known)]


class Calibrated(Results):
    """What ``calibrate`` finds."""

    record: str
    """The record's file, within the run folder."""
    procedures: list[str]
    """Those that were carried out."""
    faults: int
    """Findings that are faults."""
    warnings: int
    """Findings that are warnings."""
    dead: int
    """Parameters that do not move."""


class Calibrate(Step):
    """Carry out calibration procedures on every layer."""

    found: ClassVar[type[Results]] = Calibrated

    kind: Literal["calibrate"] = "calibrate"
    only: Names = ()
    """Procedures to carry out; none named: all."""
    skip: Names = ()
    """Procedures to leave out."""
    seed: Seed = 0
    """Seed of the settings that are drawn."""
    valid_for: Duration = 86400.0
    """Age up to which later runs accept the record."""
    faults_allowed: Annotated[int, Field(ge=0)] = 0
    """More faults among the findings than this, and the step has failed."""
    publish: bool = False
    """Also save the record among the device's, in the folder ``calibrations``."""

    @property
    def procedures(self) -> tuple[Procedure, ...]:
        """The chosen procedures, in their order."""
        return chosen(self.only, self.skip)

    def plan(self, look: Look) -> Planned:
        """Return the plan; raises InputError when nothing is to be done."""
        runner = Runner(look.device, self.procedures, Journal(), self.seed, _silently)
        planned = runner.plan()
        refuse_nothing_to_do(planned)
        names = dict.fromkeys(each.procedure for each in planned if not each.why_not)
        return Planned(
            counts=sum((each.counts for each in planned), Counts()),
            waits_s=sum(each.waits_s for each in planned),
            touches=(f"sweeps actuators and inputs: {', '.join(names)}",),
        )

    def run(self, work: Work) -> Calibrated:
        """Calibrate; raises RunFailed for more faults than are allowed."""
        shift = work.shift
        path, record = self.carry_out(shift, work.folder)
        faults = [each for each in record.findings if each.severity == "fault"]
        for finding in record.findings:
            if finding.severity != "note":
                work.tell(f"{finding.severity}: {finding.where}: {finding.what}")
        if len(faults) > self.faults_allowed:
            raise RunFailed(f"{len(faults)} faults, {self.faults_allowed} are allowed; the first: {faults[0].what}")
        if all(layer.transfer is not None for layer in record.layers):
            shift.book.record = work.within_run(path)
        if self.publish and shift.chosen.driver == REPLAY:
            work.tell("not published: in a replay nothing is measured anew")
        elif self.publish:
            work.kept("published", lambda: str(save(record, shift.data_dir / DEFAULT_FOLDER, None)))
        if work.sentinel is not None:
            work.sentinel.renew()
        return Calibrated(
            record=work.within_run(path),
            procedures=list(record.procedures),
            faults=len(faults),
            warnings=sum(each.severity == "warning" for each in record.findings),
            dead=sum(len(layer.dead) for layer in record.layers),
        )

    def carry_out(self, shift: Shift, folder: Path, number: int = 0) -> tuple[Path, CalibrationRecord]:
        """Calibrate into *folder*, for the time of that *number* in a run; the seed moves on with it."""
        valid_for_s = self.valid_for
        return calibrate_into(shift, folder, self.procedures, seed=self.seed + number, valid_for_s=valid_for_s)


def _silently(message: Any) -> None:
    del message
