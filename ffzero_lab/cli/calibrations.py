"""``ffzero-lab calibrations``: lists, shows, compares and draws calibration records."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich.console import Console

from calibration.comparison import compare
from ffzero_lab.applying import CLOCKS_DIFFER_S
from ffzero_lab.calibrations import load, records_in, sweeps_beside
from ffzero_lab.cli.calibration_tables import show_comparison, show_findings
from ffzero_lab.cli.layout import columns, say
from ffzero_lab.cli.outcome import outcome, print_json
from ffzero_lab.cli.wording import spell_duration
from ffzero_lab.device.record import CalibrationRecord, Quantity
from ffzero_lab.errors import InputError


def list_command(folder: Path, *, as_json: bool) -> None:
    """List the records below *folder*, oldest first; a damaged one is told, and the others are listed all the same."""
    with outcome(as_json=as_json):
        found, damaged = records_in(folder)
        rows = [_row(path, record) for path, record in found]
        if as_json:
            print_json({"records": rows, "damaged": damaged})
            return
        if rows:
            told = [{**row, "age": spell_duration(row["age"])} for row in rows]
            order = ("age", "valid", "applies", "faults", "device", "serial_number", "record")
            lines = [{name: str(row[name]) for name in order} for row in told]
            left_out_first = ("serial_number", "device", "applies")  # the file's name tells the first
            typer.echo("\n".join(columns(lines, Console().width, left_out_first)))
        else:
            typer.echo(f"no calibration records in {folder}")
        for message in damaged:
            typer.echo(f"problem: {message}")


def show_command(path: Path, *, as_json: bool) -> None:
    """Show a record: findings first, then every quantity in numbers."""
    with outcome(as_json=as_json):
        record = load(path)
        if as_json:
            print_json(record.model_dump(mode="json"))
            return
        typer.echo(
            f"{record.device} ({record.serial_number}), {record.ended.isoformat(timespec='seconds')}, "
            f"ffzero-lab {record.software}"
        )
        for name, value in record.conditions.items():
            typer.echo(f"condition {name}: {value:g}")
        show_findings(record.findings)
        for number, layer in enumerate(record.layers):
            dead = [f"{layer.name_of(index)} {why}" for index, why in layer.dead.items()]
            dead += [f"{layer.output_name(index)} {why}" for index, why in layer.dead_outputs.items()]
            typer.echo(f"layer {number}: " + (", ".join(dead) if dead else "nothing is dead"))
            typer.echo("\n".join(_quantities(layer.quantities, Console().width)))
            for when in sorted({*layer.earlier.values()}):
                names = ", ".join(name for name, ended in layer.earlier.items() if ended == when)
                typer.echo(f"of the calibration that ended {when.isoformat(timespec='seconds')}: {names}")
        spent, planned = record.spent, record.planned
        say(
            f"took {spent.writes:,} writes, {spent.shots:,} shots, {spell_duration(spent.seconds)} of device time "
            f"(planned: {planned.writes:,}, {planned.shots:,}, {spell_duration(planned.seconds)})"
        )


def diff_command(earlier: Path, later: Path, *, as_json: bool) -> None:
    """Compare two records of one device, in the order of their times whichever is named first."""
    with outcome(as_json=as_json):
        before, after = load(earlier), load(later)
        if after.ended < before.ended:
            (earlier, before), (later, after) = (later, after), (earlier, before)
        if before.serial_number != after.serial_number:
            raise InputError(
                f"{earlier} is of a device with the serial number {before.serial_number}, {later} of one with "
                f"{after.serial_number}: they are not compared"
            )
        comparison = compare(before, after, (after.ended - before.ended).total_seconds())
        if as_json:
            print_json({"agrees": comparison.agrees, **asdict(comparison)})
        else:
            show_comparison(comparison)


def report_command(path: Path, output: Path | None, *, as_json: bool) -> None:
    """Draw a record's report; without the raw sweeps it says what is missing."""
    with outcome(as_json=as_json):
        page = path.with_suffix(".html") if output is None else output
        if page.suffix.lower() not in {".html", ".htm"}:
            raise InputError(f"--output {page}: the report is a page; name a file that ends with .html")
        missing = draw_report(path, page)
        if as_json:
            print_json({"record": str(path), "report": str(page), "problem": missing or None})
            return
        if missing:
            typer.echo(f"problem: {missing}")
        typer.echo(f"report: {page}")


def draw_report(path: Path, page: Path) -> str:
    """Write the report of the record at *path*; returns why its raw sweeps are not drawn, empty if they are.

    Raises InputError for a record that cannot be read or when matplotlib is missing, and OSError.
    """
    from calibration.report import write_report

    record = load(path)
    sweeps, missing = sweeps_beside(path, record)
    write_report(record, sweeps, page, missing=missing)
    return missing


def _row(path: Path, record: CalibrationRecord) -> dict[str, Any]:
    age_s = (datetime.now(UTC) - record.ended).total_seconds()
    return {
        "record": str(path),
        "device": record.device,
        "serial_number": record.serial_number,
        "age": age_s,
        "valid": "not yet" if age_s < -CLOCKS_DIFFER_S else "yes" if age_s <= record.valid_for_s else "expired",
        "applies": "yes" if all(layer.transfer is not None for layer in record.layers) else "no",
        "faults": sum(finding.severity == "fault" for finding in record.findings),
    }


def _quantities(quantities: Mapping[str, Quantity], width: int) -> list[str]:
    """Return one line for each quantity; a narrow terminal does without some columns, and cuts no number."""
    rows: list[dict[str, str]] = []
    for name, quantity in quantities.items():
        known = quantity.array[np.isfinite(quantity.array)]
        spread = quantity.spread[np.isfinite(quantity.spread)]
        rows.append(
            {
                "quantity": name,
                "unit": quantity.unit,
                "values": f"{len(known)}/{len(quantity.values)}",
                "median": f"{np.median(known):.4g}" if len(known) else "not measured",
                "uncertainty": f"{np.median(spread):.2g}" if len(spread) else "",
                "range": f"{known.min():.4g} to {known.max():.4g}" if len(known) > 1 else "",
            }
        )
    numbers = ("values", "median", "uncertainty")
    return columns(rows, width, ("values", "range", "unit"), numbers) if rows else []
