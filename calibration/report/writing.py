"""Writes the report of a record: one page, with the figures as PNG and SVG in a folder beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from calibration.report.head import facts, tiles
from calibration.report.health import health_of, worst_first
from calibration.report.tables import by_parameter, every_quantity
from ffzero_lab.device.record import CalibrationRecord
from ffzero_lab.figures import require_matplotlib
from ffzero_lab.figures.page import Block, Page, Problem, Section, Table, Text, Tiles, write

Sweeps = Mapping[str, NDArray[Any]]


def write_report(record: CalibrationRecord, sweeps: Sweeps, page: Path, *, missing: str = "") -> Path:
    """Write the report of *record* to *page*, and return the folder with its figures.

    Parameters
    ----------
    record
        The record.
    sweeps
        Raw arrays by ``layer/procedure/part/array``, as the sidecar holds them; what is not there is not drawn.
    page
        Path of the page.
    missing
        Why sweeps are not there, in a sentence for the reader; empty: nothing is missing.

    Raises
    ------
    InputError
        When matplotlib is not installed.
    OSError
        When something cannot be written.
    """
    require_matplotlib("the report")
    return write(page_of(record, sweeps, missing), page)


def page_of(record: CalibrationRecord, sweeps: Sweeps, missing: str = "") -> Page:
    """Return the report of *record*; arguments as for `write_report`."""
    from calibration.report.sections import LayerSections

    several = len(record.layers) > 1
    sections: list[Section] = []
    tables: list[Block] = [every_quantity(record)]
    for number, layer in enumerate(record.layers):
        prefix = f"Layer {number}: " if several else ""
        health = health_of(layer, number, record.findings)
        own = LayerSections(layer, number, record.kind, sweeps, health, prefix).all()
        if several:
            sections.append(Section(f"Layer {number}", (Tiles(tiles(layer)),)))
        sections += own
        table = by_parameter(layer, health, f"{prefix}parameter by parameter")
        if table is not None:
            tables.append(table)
    return Page(
        title=f"Calibration of {record.device}, {record.serial_number}",
        facts=facts(record),
        problems=tuple(Problem(each.severity, each.where, each.what) for each in worst_first(record.findings)),
        tiles=() if several or not record.layers else tiles(record.layers[0]),
        sections=(*sections, Section("All numbers", tuple(tables)), _provenance(record, sweeps, missing)),
    )


def _provenance(record: CalibrationRecord, sweeps: Sweeps, missing: str) -> Section:
    rows = (
        ("ffzero-lab", record.software),
        ("answered by", record.implementation or "unknown"),
        ("schema of the record", str(record.schema_version)),
        ("procedures", ", ".join(record.procedures)),
        ("raw sweeps", record.sweeps or "none are kept"),
        ("their SHA-256", record.sweeps_sha256 or "none"),
        ("device's own clock at the end", f"{record.device_ended_s:.6g} s"),
    )
    blocks: list[Block] = []
    if missing:
        blocks.append(Text(missing, "warning"))
    elif not sweeps:
        blocks.append(Text("The raw sweeps are not at hand: what is drawn from them is left out.", "warning"))
    return Section("Provenance", (*blocks, Table(("", ""), rows)))
