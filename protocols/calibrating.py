"""A calibration within a protocol: on the open device, its parts and its record in the run folder."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path

from calibration.calibrating import Measured, record_of
from calibration.journal import RECORDED, Journal
from calibration.procedure import Procedure
from calibration.runner import Runner
from ffzero_lab.calibrations import load, written
from ffzero_lab.device.record import CalibrationRecord
from ffzero_lab.runs.atomic import write_atomically
from ffzero_lab.runs.layout import CALIBRATION
from protocols.shift import Shift

PARTS = "parts"


def calibrate_into(
    shift: Shift, folder: Path, procedures: Sequence[Procedure], *, seed: int, valid_for_s: float
) -> tuple[Path, CalibrationRecord]:
    """Carry *procedures* out and keep record and raw sweeps in *folder*; goes on from the parts that are there.

    The parts stay: should the process end before the protocol has written down that this is done, nothing is
    measured again. Raises the errors of the device port.
    """
    guard = shift.guard
    (folder / PARTS).mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / PARTS)
    for refused in journal.refused:
        shift.tell(refused)
    if RECORDED in journal.state:
        shift.go_back(int(journal.state[RECORDED]))
    guard.park()
    begun = datetime.now(UTC)
    runner = Runner(guard, procedures, journal, seed, shift.tell, part_kept=shift.part_kept)
    planned = runner.plan()
    layers, findings = runner.run()
    conditions = {name: value for name, value in guard.read_health().items() if isfinite(value)}
    guard.park()
    path = folder / CALIBRATION
    if not path.exists():
        measured = Measured(layers, findings, conditions)
        record = record_of(runner, measured, begun=begun, valid_for_s=valid_for_s, planned=planned)
        write_atomically(path, written(record))
    return path, load(path)
