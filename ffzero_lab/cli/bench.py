"""``ffzero-lab bench``: explains a bench file, or the keys that one may have."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ffzero_lab.bench_file import DEFAULT_DRIVER, SUFFIX, choose_device
from ffzero_lab.cli.outcome import outcome, print_json
from ffzero_lab.errors import InputError
from ffzero_lab.opening import bench_lock_of, configured, find_driver


def check_command(file: Path, *, as_json: bool) -> None:
    """Check a bench file without touching an instrument, and show which channel is what."""
    with outcome(as_json=as_json):
        if file.suffix != SUFFIX:
            raise InputError(f"{file} is no bench file: its name ends in {SUFFIX}")
        chosen = choose_device(str(file), {})
        driver, config = configured(chosen)
        rows = _map_of(driver, config)
        lock = bench_lock_of(str(file), {})
        locked_as = None if lock is None else lock.bench
        if as_json:
            print_json({"file": str(file), "driver": chosen.driver, "lock": locked_as, "map": rows})
            return
        if rows:
            Console().print(table_of(rows))
        typer.echo(f"{file} is in order: driver {chosen.driver}, {_told_lock(locked_as)}")


def schema_command(driver: str = DEFAULT_DRIVER) -> None:
    """Print the JSON schema of bench files of *driver*, for editors."""
    with outcome(as_json=False):
        schema = find_driver(driver).Config.model_json_schema()
        schema.setdefault("properties", {})["driver"] = {
            "type": "string",
            "default": DEFAULT_DRIVER,
            "description": "Driver of the device: the name of an installed one, or module:Class.",
        }
        print_json(schema)


def table_of(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return rows with the same keys as a table."""
    table = Table()
    for column in rows[0]:
        table.add_column(column, overflow="fold", min_width=len(column))
    for row in rows:
        table.add_row(*(Text("" if value is None else str(value)) for value in row.values()))
    return table


def _map_of(driver: Any, config: BaseModel) -> list[dict[str, Any]]:
    return driver.wiring(config) if hasattr(driver, "wiring") else []


def _told_lock(lock: str | None) -> str:
    return "nobody else's" if lock is None else f"locked as {lock!r}"
