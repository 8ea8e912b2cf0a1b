"""``ffzero-lab calibrate --check``: measures a sample of a device again and compares it with a record."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import typer

from calibration.calibrating import measure, record_of, refuse_nothing_to_do
from calibration.comparison import compare
from calibration.journal import Journal
from calibration.registry import chosen
from calibration.runner import Runner
from ffzero_lab.calibrations import load, newest_for
from ffzero_lab.cli.calibrate import Wanted, mute, voice
from ffzero_lab.cli.calibration_tables import show_comparison, show_plan
from ffzero_lab.cli.outcome import print_json
from ffzero_lab.device import Clock, VirtualClock
from ffzero_lab.device.belonging import refuse_foreign
from ffzero_lab.device.record import CalibrationRecord
from ffzero_lab.errors import InputError
from ffzero_lab.opening import open_chosen
from ffzero_lab.signals import Signals

CHECKED = ("detectors", "electrical", "fringes", "offsets", "actuators", "sensors")
"""What a check measures again: what the device is, not how fast or noisy it is today."""
FIRST = "electrical"
"""A heater that has broken meanwhile is told as a difference, and is not driven by what comes after."""
SAMPLED: Mapping[str, int] = {"fringes": 8}
"""Parameters that a check sweeps one by one."""


def check(wanted: Wanted, against: Path | None, signals: Signals, *, dry_run: bool, as_json: bool) -> bool:
    """Measure a sample again and compare it with a record; returns whether it agrees. Nothing is written."""
    with open_chosen(wanted.chosen) as device:
        tell = mute if dry_run else voice(as_json=as_json)
        path, passed_over = newest_for(device.description, wanted.folder) if against is None else (against, [])
        for told in passed_over:
            tell(told)
        record = load(path)
        refuse_foreign(record, device.description)
        again = tuple(name for name in record.procedures if name in CHECKED)
        if wanted.only:
            again = tuple(name for name in again if name in wanted.only)
        again = tuple(name for name in again if name not in wanted.skip)
        if not again:
            raise InputError(f"{path} holds nothing that is checked; that are {', '.join(CHECKED)}")
        procedures = sorted(chosen(again, ()), key=lambda each: each.name != FIRST)
        runner = Runner(device, procedures, Journal(), wanted.seed + 1, tell, record, SAMPLED)
        planned = runner.plan()
        refuse_nothing_to_do(planned)
        if dry_run:
            show_plan(runner, planned, as_json=as_json)
            return True
        begun = datetime.now(UTC)
        measured = measure(runner, signals)
        now = record_of(runner, measured, begun=begun, valid_for_s=record.valid_for_s, planned=planned)
        apart_s = _apart_s(record, now, device.clock)
    comparison = compare(record, now, apart_s, again)
    if as_json:
        print_json({"record": str(path), "agrees": comparison.agrees, **asdict(comparison)})
    else:
        typer.echo(f"compared with {path}")
        show_comparison(comparison)
    return comparison.agrees


def _apart_s(record: CalibrationRecord, now: CalibrationRecord, clock: Clock) -> float:
    """Return the seconds that the device had since its record: a twin's own, which begin anew when it is opened."""
    if isinstance(clock, VirtualClock):
        return abs(now.device_ended_s - record.device_ended_s)
    return (now.ended - record.ended).total_seconds()
