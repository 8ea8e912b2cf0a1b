"""One calibration from its plan to its record: measured under interlocks, parked at the end, whatever ends it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite

from calibration.ageing import HOUR_S
from calibration.runner import Planned, Runner, spent_by, worst_first
from ffzero_lab._version import __version__
from ffzero_lab.device import Counts, interlocks_for, interlocks_on
from ffzero_lab.device.record import CalibrationRecord, Finding, LayerRecord
from ffzero_lab.errors import InputError
from ffzero_lab.signals import Signals


@dataclass(frozen=True)
class Measured:
    """What a calibration found before it becomes a record."""

    layers: tuple[LayerRecord, ...]
    findings: tuple[Finding, ...]
    conditions: Mapping[str, float]


def measure(runner: Runner, signals: Signals) -> Measured:
    """Carry out all procedures, then park.

    Whatever ends it early is raised after the device was parked; what was measured until then is kept. Raises
    InterlockTripped, Interruption, and the errors of the device port.
    """
    device = runner.device
    with interlocks_on(device, interlocks_for(device.description, {})) as interlocks:

        def between_exchanges() -> None:
            signals.heed()
            interlocks.check()

        try:
            try:
                signals.finish_exchanges()
                device.before_exchange = between_exchanges
                layers, findings = runner.run()
                conditions = {name: value for name, value in device.read_health().items() if isfinite(value)}
                between_exchanges()
            finally:
                signals.parking()  # within the outer try: a signal that comes just before it still ends parked
                device.before_exchange = None
            device.park()
        except BaseException as error:
            _park_after(runner, error)
            raise
    return Measured(layers, findings, conditions)


def _park_after(runner: Runner, error: BaseException) -> None:
    """Park; a failure of that may not hide what ended the calibration."""
    try:
        runner.device.park()
        error.add_note("the device is parked")
    except Exception as second:  # noqa: BLE001 - the first error stays the one that is raised
        error.add_note(f"parking failed as well: {second}")


def record_of(
    runner: Runner, measured: Measured, *, begun: datetime, valid_for_s: float, planned: Sequence[Planned]
) -> CalibrationRecord:
    """Return the record of a calibration that has ended."""
    description = runner.device.description
    expected = sum((each.counts for each in planned), Counts())
    counts = runner.device.ledger.by_purpose["calibration"]
    carried_out = {each.procedure for each in planned if not each.why_not}
    return CalibrationRecord(
        device=description.name,
        serial_number=description.serial_number,
        kind=description.kind,
        implementation=description.implementation,
        software=__version__,
        begun=begun,
        ended=datetime.now(UTC),
        device_ended_s=runner.device.clock.now_s(),
        valid_for_s=valid_for_s,
        procedures=tuple(each.name for each in runner.procedures if each.name in carried_out),
        conditions=dict(measured.conditions),
        layers=measured.layers,
        findings=worst_first([*measured.findings, *_too_old(runner, valid_for_s)]),
        planned=spent_by(expected, sum(each.seconds(description.timing) for each in planned)),
        spent=spent_by(counts, runner.device_seconds),
    )


def _too_old(runner: Runner, valid_for_s: float) -> list[Finding]:
    """Tell of parts that were measured so long before the end that a record of their age would be refused."""
    if runner.oldest_s <= valid_for_s:
        return []
    oldest, valid = (f"{seconds / HOUR_S:.3g} h" for seconds in (runner.oldest_s, valid_for_s))
    what = (
        f"its oldest part was measured {oldest} before its end, but it is valid for {valid}: calibrate again as a whole"
    )
    return [Finding(severity="warning", where="calibration", what=what)]


def refuse_nothing_to_do(planned: Sequence[Planned]) -> None:
    """Raise InputError when none of the procedures says anything about the device."""
    if all(each.why_not for each in planned):
        reasons = "; ".join(f"{each.procedure}: {each.why_not}" for each in planned)
        raise InputError(f"nothing to calibrate: {reasons}")
